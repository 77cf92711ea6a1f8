"""MilvusVectorStore, prepared once and opened many times."""

from loadgen.milvus.store.arguments import quiet_client_log, store_arguments
from loadgen.milvus.store.drawing import find_undrawn, read_drawn
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.existing import CollectionInfo, inspect_collection
from loadgen.milvus.store.lease import Lease
from loadgen.milvus.store.loading import LoadingLine
from loadgen.milvus.store.looking import look_at_own, read_clock
from loadgen.milvus.store.matches import count_matches, find_lacking, try_search
from loadgen.milvus.store.narrowed import NarrowedQuery, PlacedNodes, narrow_query, place_nodes
from loadgen.milvus.store.nodes import to_node, to_probe, to_query, vary_query, without_own_fields
from loadgen.milvus.store.opening import aclose_stores, close_stores, open_stores, warm_stores, warm_sync_stores
from loadgen.milvus.store.preparing import Prepared, prepare
from loadgen.milvus.store.reaching import ServerInfo, check_server
from loadgen.milvus.store.sampling import (
    delete_inserted,
    describe_inserted,
    draw_token,
    open_existing,
    sample_ids,
)
from loadgen.milvus.store.search_kinds import require_kinds
from loadgen.milvus.store.segments import Compaction, recount_segments

__all__ = [
    "CollectionInfo",
    "Compaction",
    "Lease",
    "LoadingLine",
    "NarrowedQuery",
    "PlacedNodes",
    "Prepared",
    "ServerInfo",
    "StoreError",
    "aclose_stores",
    "check_server",
    "close_stores",
    "count_matches",
    "delete_inserted",
    "describe_inserted",
    "draw_token",
    "find_lacking",
    "find_undrawn",
    "inspect_collection",
    "look_at_own",
    "narrow_query",
    "open_existing",
    "open_stores",
    "place_nodes",
    "prepare",
    "quiet_client_log",
    "read_clock",
    "read_drawn",
    "recount_segments",
    "require_kinds",
    "sample_ids",
    "store_arguments",
    "to_node",
    "to_probe",
    "to_query",
    "try_search",
    "vary_query",
    "warm_stores",
    "warm_sync_stores",
    "without_own_fields",
]
