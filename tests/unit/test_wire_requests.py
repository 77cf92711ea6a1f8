"""Requests of the wire client: byte for byte those that pymilvus builds."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from pymilvus.client import ts_utils
from pymilvus.client.types import DataType
from pymilvus.exceptions import DataNotMatchException
from pymilvus.grpc_gen import milvus_pb2

from loadgen.clients import find_layer
from loadgen.clients.pymilvus.store import prepare_search
from loadgen.clients.wire.protobuf import split, write_head, write_number, write_text, write_varint
from loadgen.clients.wire.rows import encode_rows
from loadgen.clients.wire.searches import SearchSpec, build_search, make_search
from loadgen.clients.wire.store import SyncStore
from loadgen.datasets import Narrowing
from loadgen.settings.filter_grammar import parse_filter
from loadgen.settings.model import Settings

LEVELS = (None, "Strong", "Session", "Bounded", "Eventually")
TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=200)
NAMES = strategies.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,60}", fullmatch=True)
PARAMS = strategies.fixed_dictionaries(
    {"metric_type": strategies.sampled_from(["COSINE", "IP", "L2", "HAMMING", "BM25"])},
    optional={
        "params": strategies.dictionaries(
            strategies.sampled_from(["ef", "nprobe", "radius", "range_filter", "search_list", "level"]),
            strategies.integers(0, 10_000) | strategies.floats(-1e6, 1e6) | NAMES | strategies.booleans(),
        )
    },
)
SPECS = strategies.builds(
    SearchSpec,
    NAMES,
    NAMES,
    strategies.integers(1, 16_384),
    strategies.lists(NAMES | strategies.just("*"), max_size=4).map(tuple),
    PARAMS.map(json.dumps),
    strategies.sampled_from(LEVELS),
)
TIMESTAMPS = strategies.integers(0, 2**63 - 1)
SEEDS = strategies.integers(0, 2**32 - 1)
ADDRESS = "127.0.0.1:19530"


def make_vectors(kind: str, number: int, dim: int, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(number, dim)) * 50
    match kind:
        case "binary":
            return [random.bytes(dim) for _ in range(number)]
        case "sparse":
            return [{int(one): float(x) for one, x in enumerate(row) if x > 0} or {1: 2.0} for row in values]
        case "list":
            return [row.tolist() for row in values]
        case "strided":
            return list(np.repeat(values.astype(np.float32), 2, axis=1)[:, ::2])
    return list(values.astype(kind))


@settings(max_examples=100, deadline=None)
@given(
    spec=SPECS,
    kind=strategies.sampled_from(["float32", "float64", "float16", "int8", "binary", "sparse", "list", "strided"]),
    number=strategies.integers(1, 5),
    dim=strategies.integers(1, 300) | strategies.sampled_from([768, 1_536, 4_096]),
    expression=TEXTS,
    partition=strategies.just("") | NAMES,
    last_write=TIMESTAMPS,
    seed=SEEDS,
)
def test_a_spliced_search_has_the_bytes_of_the_one_that_pymilvus_builds(  # noqa: PLR0913
    spec: SearchSpec,
    kind: str,
    number: int,
    dim: int,
    expression: str,
    partition: str,
    last_write: int,
    seed: int,
) -> None:
    make_search(spec, make_vectors(kind, number, 3, seed + 1))  # the template is made with other vectors
    vectors = make_vectors(kind, number, dim, seed)
    search = make_search(spec, vectors, expression, partition)
    ts_utils.GlobalCache._reset_for_testing()
    ts_utils.update_collection_ts(spec.collection, last_write, ADDRESS, "db")
    arguments = {
        "collection_name": spec.collection,
        "data": vectors,
        "filter": expression,
        "limit": spec.limit,
        "output_fields": list(spec.output_fields),
        "search_params": json.loads(spec.search_params),
        "anns_field": spec.anns_field,
        "partition_names": [partition] if partition else None,
        **({} if spec.consistency is None else {"consistency_level": spec.consistency}),
    }
    built = build_search(arguments, ADDRESS, "db")
    assert search.encode(last_write) == built.SerializeToString()
    assert search.encode(last_write) == build_search(search.arguments(), ADDRESS, "db").SerializeToString()
