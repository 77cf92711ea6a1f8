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
HOST = f"http://{ADDRESS}"


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


@settings(max_examples=60, deadline=None)
@given(
    spec=SPECS,
    kind=strategies.sampled_from(["float32", "float64", "float16", "int8", "binary", "sparse", "list", "strided"]),
    number=strategies.integers(1, 5),
    dim=strategies.integers(1, 100) | strategies.just(768),
    expression=TEXTS,
    partition=strategies.just("") | NAMES,
    last_write=TIMESTAMPS,
    seed=SEEDS,
)
def test_a_spliced_search_has_the_bytes_of_the_one_that_pymilvus_builds(  # noqa: PLR0913, PLR0917
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


def test_a_search_with_further_arguments_is_built_by_pymilvus() -> None:
    store = SyncStore(Settings.parse({"host": HOST, "database": "db"}))
    query = make_search(SearchSpec.of(Settings.parse({})), make_vectors("float32", 1, 8, 1), "a == 1", "p1")
    sent = milvus_pb2.SearchRequest.FromString(
        store.encode(query, {"filter": "b == 2", "limit": 3, "consistency_level": "Strong", "timeout": 5.0})
    )
    assert (sent.dsl, list(sent.partition_names), sent.guarantee_timestamp) == ("b == 2", ["p1"], 0)
    assert [one.value for one in sent.search_params if one.key == "topk"] == ["3"]
    assert not sent.use_default_consistency


def test_a_search_waits_for_the_last_write_of_this_process_as_in_pymilvus() -> None:
    store = SyncStore(Settings.parse({"host": HOST, "database": "db"}))
    query = make_search(SearchSpec.of(Settings.parse({})), make_vectors("float32", 1, 8, 1))
    ts_utils.GlobalCache._reset_for_testing()

    def sent() -> int:
        return int(milvus_pb2.SearchRequest.FromString(store.encode(query, {})).guarantee_timestamp)

    assert sent() == ts_utils.get_eventually_ts()
    store.note_write(2**60)
    assert sent() == 2**60
    assert ts_utils.get_collection_ts(Settings.parse({}).collection, ADDRESS, "db") == 2**60
    store.note_write(7)  # an answer that was overtaken
    assert sent() == 2**60


def test_the_connector_makes_what_the_layer_of_pymilvus_sends() -> None:
    run = Settings.parse({"top_k": 7, "output_fields": "text,year", "search_params": "ef=70", "metric": "L2"})
    vectors = make_vectors("float32", 3, 16, 2)
    wire, plain = (find_layer(name).connector for name in ("wire", "pymilvus"))
    narrowing = Narrowing(parse_filter("tenant == 5 and not lang in ['de', 'en']"), partition="p3")
    queries = [
        (wire.make_query(vectors, run), plain.make_query(vectors, run)),
        (wire.vary_query(wire.make_query(vectors, Settings.parse({})), run), plain.make_query(vectors, run)),
        (
            wire.narrow_query(wire.make_query(vectors, run), narrowing),
            plain.narrow_query(plain.make_query(vectors, run), narrowing),
        ),
        (
            wire.narrow_query(wire.make_query(vectors, run), Narrowing(text="json_contains(tags, 1)")),
            plain.narrow_query(plain.make_query(vectors, run), Narrowing(text="json_contains(tags, 1)")),
        ),
    ]
    for spliced, arguments in queries:
        assert spliced.encode() == build_search(arguments.arguments).SerializeToString()
        assert spliced.vectors[0] is vectors[0]


FIELDS = [
    {"name": "pk", "type": DataType.VARCHAR, "is_primary": True, "params": {"max_length": 100}},
    {"name": "first", "type": DataType.FLOAT_VECTOR, "params": {"dim": 4}},
    {"name": "year", "type": DataType.INT64, "params": {}},
    {"name": "note", "type": DataType.VARCHAR, "nullable": True, "params": {"max_length": 100}},
    {"name": "tags", "type": DataType.ARRAY, "element_type": DataType.INT64, "params": {"max_capacity": 9}},
    {"name": "second", "type": DataType.FLOAT_VECTOR, "params": {"dim": 6}},
    {"name": "price", "type": DataType.DOUBLE, "params": {}},
]
ROWS = strategies.lists(
    strategies.fixed_dictionaries(
        {
            "pk": NAMES,
            "year": strategies.integers(-(2**63), 2**63 - 1),
            "note": strategies.none() | TEXTS.map(lambda text: text[:50]),
            "tags": strategies.lists(strategies.integers(0, 99), max_size=4),
            "price": strategies.floats(allow_nan=False),
        },
        optional={"extra": strategies.integers(0, 9) | NAMES},
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(
    rows=ROWS,
    names=strategies.permutations(FIELDS),
    dims=strategies.tuples(strategies.integers(1, 100), strategies.integers(1, 40)),
    kind=strategies.sampled_from(["float32", "float64", "list", "mixed"]),
    partition=strategies.just("") | NAMES,
    upserts=strategies.booleans(),
    seed=SEEDS,
)
def test_written_rows_have_the_bytes_of_those_that_pymilvus_packs(  # noqa: PLR0913, PLR0917
    rows: list[dict[str, Any]],
    names: list[dict[str, Any]],
    dims: tuple[int, int],
    kind: str,
    partition: str,
    upserts: bool,
    seed: int,
) -> None:
    from pymilvus.client.prepare import Prepare

    for place, name in enumerate(("first", "second")):
        vectors = make_vectors("float32" if kind == "mixed" else kind, len(rows), dims[place], seed + place)
        for number, row in enumerate(rows):
            row[name] = vectors[number].tolist() if kind == "mixed" and number % 2 else vectors[number]
    schema = {"fields": names, "enable_dynamic_field": True, "update_timestamp": seed}
    before = [dict(row) for row in rows]
    spliced = encode_rows("c", rows, partition, schema, upserts=upserts)
    assert [list(row) for row in rows] == [list(row) for row in before]
    if kind == "float64":  # pymilvus keeps what does not fit into 32 bits until it is serialised
        rows = [{key: np.float32(x) if key in ("first", "second") else x for key, x in row.items()} for row in rows]
    pack = Prepare.row_upsert_param if upserts else Prepare.row_insert_param
    built = pack("c", rows, partition, names, [], enable_dynamic=True, schema_timestamp=seed)
    assert spliced == built.SerializeToString()


@pytest.mark.parametrize(
    "row",
    [
        {"pk": "a", "first": np.ones(4, dtype=np.float32), "unknown": 1},
        {"pk": "a"},
        {"pk": 5, "first": np.ones(4, dtype=np.float32)},
        {"pk": "a", "first": "no vector"},
    ],
)
def test_rows_that_do_not_fit_are_refused_as_by_pymilvus(row: dict[str, Any]) -> None:
    schema = {"fields": FIELDS[:2], "enable_dynamic_field": False}
    with pytest.raises(DataNotMatchException):
        encode_rows("c", [row], "", schema, upserts=False)


def test_a_deletion_selects_the_rows_of_a_document_in_a_partition() -> None:
    store = SyncStore(Settings.parse({"host": HOST}))
    sent = milvus_pb2.DeleteRequest.FromString(store.encode_deletion("doc-1", {"partition_name": "p1"}))
    assert (sent.expr, sent.partition_name) == ('doc_id == "doc-1"', "p1")
    by_key = SyncStore(Settings.parse({"host": HOST}).model_copy(update={"existing": True, "id_field": "pk"}))
    assert milvus_pb2.DeleteRequest.FromString(by_key.encode_deletion("17", {})).expr == "pk == 17"
    with pytest.raises(TypeError, match="the wire client does not know expr_params: omit it"):
        store.encode_deletion("doc-1", {"expr_params": {}})


@given(strategies.integers(0, 2**64 - 1), strategies.integers(1, 2**29 - 1), TEXTS)
def test_numbers_and_texts_are_split_where_they_were_joined(value: int, number: int, text: str) -> None:
    raw = write_number(number, value) + write_text(number, text) + write_head(number, 3) + b"abc"
    result = split(raw)
    assert b"".join(one.raw for one in result) == raw
    assert {one.number for one in result} == {number}
    assert result[-1].payload == b"abc"
    assert [one.payload.decode() for one in result[:-1] if one.payload] == ([text] if text else [])
    assert write_varint(value) == write_number(1, value)[1:] or not value


@pytest.mark.parametrize("message", [b"\x0a\x05ab", b"\x0a", b"\x80", b"\x0b", b"\x0d\x01"])
def test_bytes_that_are_no_message_are_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|unknown type"):
        split(message)
