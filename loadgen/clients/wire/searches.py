"""Search requests: serialised once by pymilvus, then spliced for each query."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from pymilvus.client import entity_helper, ts_utils
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import milvus_pb2

from loadgen.clients.pymilvus.store import prepare_search
from loadgen.clients.wire.protobuf import split, write_head, write_number, write_text
from loadgen.settings.model import Settings

_NUMBERS = {name: field.number for name, field in milvus_pb2.SearchRequest.DESCRIPTOR.fields_by_name.items()}
PARTITIONS, FILTER, VECTORS = _NUMBERS["partition_names"], _NUMBERS["dsl"], _NUMBERS["placeholder_group"]
TIMESTAMP = _NUMBERS["guarantee_timestamp"]
SPLICED = (PARTITIONS, FILTER, VECTORS, TIMESTAMP)
"""Fields of a request that differ from query to query."""
PLACEHOLDER, VALUES = 1, 3
"""`PlaceholderGroup.placeholders` and `PlaceholderValue.values`, which contain the vectors."""
FOLLOWING = (None, "Session")
"""Consistency levels with which pymilvus waits for the last write of this process: the collection's own, and
Session."""


class SearchSpec(NamedTuple):
    """The arguments of a search that all queries of a variant share, hashable."""

    collection: str
    anns_field: str
    limit: int
    output_fields: tuple[str, ...]
    search_params: str
    """As JSON, which keeps their order."""
    consistency: str | None = None
    """None: the collection's own."""

    @classmethod
    def of(cls, settings: Settings) -> "SearchSpec":
        """Those of the layer of pymilvus."""
        given = prepare_search([], settings).arguments
        params = json.dumps(given["search_params"])
        fields = tuple(given["output_fields"])
        return cls(given["collection_name"], given["anns_field"], given["limit"], fields, params)

    @property
    def arguments(self) -> dict[str, Any]:
        """For `MilvusClient.search`."""
        own: dict[str, Any] = {
            "collection_name": self.collection,
            "anns_field": self.anns_field,
            "limit": self.limit,
            "output_fields": list(self.output_fields),
            "search_params": json.loads(self.search_params),
        }
        return own if self.consistency is None else {**own, "consistency_level": self.consistency}


def build_search(arguments: Mapping[str, Any], address: str = "", database: str = "") -> Any:
    """The request that pymilvus's clients send for these arguments of their `search`.

    Server and database are those whose last write a search may have to wait for.
    """
    own = {name: value for name, value in arguments.items() if name != "timeout"}
    params = dict(own.pop("search_params", None) or {})
    filter_params = own.pop("filter_params", {})
    collection = own["collection_name"]
    own["use_default_consistency"] = ts_utils.construct_guarantee_ts(collection, own, address, database)
    return Prepare.search_requests_with_expr(
        anns_field=own.pop("anns_field", None) or "",
        param=params | {"params": dict(params.get("params", {}))},
        limit=own.pop("limit", 10),
        expr=own.pop("filter", ""),
        expr_params=filter_params,
        **own,
    )


class SearchTemplate:
    """The bytes that the searches of a variant share, and where those of a query go between them."""

    def __init__(self, spec: SearchSpec, vectors: Sequence[Any]) -> None:
        """`vectors` are an example of those to come: their number and type. Raises ValueError."""
        self.spec = spec
        self._follows = spec.consistency in FOLLOWING
        request = build_search({**spec.arguments, "data": list(vectors)})
        self._timestamp: int = request.guarantee_timestamp
        fields = split(request.SerializeToString())
        if [one.number for one in fields] != sorted(one.number for one in fields):
            raise ValueError("pymilvus writes the fields of a search request in an unknown order")
        shared = [one for one in fields if one.number not in SPLICED]
        self._head = b"".join(one.raw for one in shared if one.number < PARTITIONS)
        self._between = b"".join(one.raw for one in shared if VECTORS < one.number < TIMESTAMP)
        self._after = b"".join(one.raw for one in shared if one.number > TIMESTAMP)
        (group,) = (one.payload for one in fields if one.number == VECTORS)
        (placeholder,) = (one.payload for one in split(group))
        self._placeholder = b"".join(one.raw for one in split(placeholder) if one.number != VALUES)
        self._tail = (0, self._make_tail(0))

    def splice(self, vectors: Sequence[Any], expression: str, partition: str) -> tuple[Any, ...]:
        """All that precedes the timestamp, in pieces; vectors are pieces of their own, and stay where they are."""
        heads = [write_head(VALUES, memoryview(vector).nbytes) for vector in vectors]
        length = len(self._placeholder) + sum(map(len, heads)) + sum(memoryview(vector).nbytes for vector in vectors)
        placeholder = write_head(PLACEHOLDER, length) + self._placeholder
        before = (
            self._head
            + write_text(PARTITIONS, partition)
            + write_text(FILTER, expression)
            + write_head(VECTORS, len(placeholder) + length - len(self._placeholder))
            + placeholder
        )
        pieces: list[Any] = []
        for head, vector in zip(heads, vectors, strict=True):
            pieces += [head if pieces else before + head, vector]
        return tuple(pieces)

    def tail(self, last_write: int) -> bytes:
        """The rest of a request, with the timestamp up to which it sees all writes."""
        timestamp = (last_write or ts_utils.get_eventually_ts()) if self._follows else self._timestamp
        known, tail = self._tail
        if known != timestamp:
            tail = self._make_tail(timestamp)
            self._tail = timestamp, tail
        return tail

    def _make_tail(self, timestamp: int) -> bytes:
        return self._between + write_number(TIMESTAMP, timestamp) + self._after


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """One search, serialised but for the timestamp."""

    template: SearchTemplate
    vectors: tuple[Any, ...]
    """As their caller has them."""
    expression: str
    partition: str
    pieces: tuple[Any, ...]

    def encode(self, last_write: int = 0) -> bytes:
        """The request; `last_write` is the timestamp of the last write of this process, 0 if there is none."""
        return b"".join((*self.pieces, self.template.tail(last_write)))

    def arguments(self, **given: Any) -> dict[str, Any]:
        """The arguments of pymilvus's `search` for the same request, with others."""
        narrowed = {"filter": self.expression, "partition_names": [self.partition] if self.partition else None}
        return {**self.template.spec.arguments, "data": list(self.vectors), **narrowed, **given}


def make_search(spec: SearchSpec, vectors: Sequence[Any], expression: str = "", partition: str = "") -> PreparedSearch:
    """The search for the neighbours of one or more vectors, each as pymilvus takes it."""
    template = _find_template(spec, len(vectors), _Example(vectors))
    pieces = template.splice([to_buffer(vector) for vector in vectors], expression, partition)
    return PreparedSearch(template, tuple(vectors), expression, partition, pieces)


class _Example:
    """Vectors that are equal to all others of their type: they select a template, and do not decide what it is."""

    def __init__(self, vectors: Sequence[Any]) -> None:
        self.vectors = vectors
        first = vectors[0]
        self._kind = first.dtype.str if isinstance(first, np.ndarray) else type(first).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Example) and self._kind == other._kind

    def __hash__(self) -> int:
        return hash(self._kind)


@lru_cache(maxsize=64)
def _find_template(spec: SearchSpec, _number: int, example: _Example) -> SearchTemplate:
    return SearchTemplate(spec, example.vectors)


def to_buffer(vector: Any) -> Any:
    """The bytes of a vector as they are sent, without a copy where its caller has them already."""
    if isinstance(vector, bytes):
        return vector
    if isinstance(vector, np.ndarray) and vector.dtype == np.float32:
        return np.ascontiguousarray(vector)
    if isinstance(vector, np.ndarray) and vector.dtype.itemsize < np.dtype(np.float32).itemsize:
        return np.ascontiguousarray(vector).view(np.uint8)
    if entity_helper.entity_is_sparse_matrix([vector]):
        content: bytes = entity_helper.sparse_rows_to_proto([vector]).contents[0]
        return content
    return np.asarray(vector, dtype=np.float32)
