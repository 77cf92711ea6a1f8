"""The decoder of the wire client beside that of pymilvus."""

from typing import Any

import numpy as np
from pymilvus.client.search_result import SearchResult
from pymilvus.client.types import DataType
from pymilvus.grpc_gen import milvus_pb2

from loadgen.clients.pymilvus.store import find_ids
from loadgen.clients.wire.answers import Hits, decode_search, text_ids


def compare_decoders(reply: bytes) -> Hits:
    """What both decoders find in an answer of a server."""
    ours = decode_search(reply)
    answer = milvus_pb2.SearchResults.FromString(reply)
    theirs = SearchResult(answer.results, -1, status=answer.status)
    hits = [hit for some in theirs for hit in some]
    assert ours.counts == [len(some) for some in theirs]
    assert list(text_ids(ours.ids)) == find_ids(theirs)
    assert ours.scores == [hit["distance"] for hit in hits]
    vectors = {one.field_name for one in answer.results.fields_data if one.type >= DataType.BINARY_VECTOR}
    names = {name for hit in hits for name in hit["entity"]} - vectors
    assert names <= ours.columns.keys()
    for name, values in ours.columns.items():
        assert values == [_plain(hit["entity"].get(name)) for hit in hits], name
    return ours


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
