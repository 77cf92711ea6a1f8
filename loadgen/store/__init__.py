"""MilvusVectorStore, prepared once and opened many times."""

from loadgen.store.arguments import quiet_client_log, store_arguments
from loadgen.store.asking import ask_async, ask_sync, count_async, count_sync
from loadgen.store.errors import StoreError
from loadgen.store.lease import Lease
from loadgen.store.loading import LoadingLine
from loadgen.store.nodes import to_node, to_query
from loadgen.store.opening import aclose_stores, close_stores, open_stores, warm_stores, warm_sync_stores
from loadgen.store.preparing import Prepared, prepare
from loadgen.store.reaching import ServerInfo, check_server

__all__ = [
    "Lease",
    "LoadingLine",
    "Prepared",
    "ServerInfo",
    "StoreError",
    "aclose_stores",
    "ask_async",
    "ask_sync",
    "check_server",
    "close_stores",
    "count_async",
    "count_sync",
    "open_stores",
    "prepare",
    "quiet_client_log",
    "store_arguments",
    "to_node",
    "to_query",
    "warm_stores",
    "warm_sync_stores",
]
