"""Queries and rows near those of an existing collection, of every type of vector."""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import pytest
from pymilvus.client.prepare import Prepare

from loadgen.clients import find_layer
from loadgen.datasets import Row
from loadgen.datasets.existing import (
    LONGEST_ID,
    ROW_BITS,
    TOKENS,
    WORKER_BITS,
    ExistingDataset,
    Fields,
    first_id,
    inserted_rows,
    perturb,
    text_prefix,
)
from loadgen.settings.model import Settings

FIELDS = Fields("pk", "int64", "vec", "float32", "body", "")
HALF = np.linspace(-1, 1, 16).astype(np.float16)


def dataset(fields: Fields = FIELDS, token: int = 7, queries: int = 5) -> ExistingDataset:
    sampled = [
        {"pk": number, "vec": [float(number)] * 4, "body": f"text {number}", "year": 2_000 + number, "$meta": {}}
        for number in range(1, 4)
    ]
    return ExistingDataset(fields, sampled, 1_000, (queries, 4, 1), token)


def test_queries_are_near_sampled_rows_and_the_same_in_every_process() -> None:
    queries = dataset().queries()
    assert queries.dtype == np.float32
    assert queries.shape == (5, 4)
    assert np.array_equal(queries, dataset().queries())
    distances = np.linalg.norm(queries - np.array([[1.0], [2.0], [3.0], [1.0], [2.0]]), axis=1)
    lengths = np.array([2.0, 4.0, 6.0, 2.0, 4.0])
    assert (distances > 0).all()
    assert (distances < 0.15 * lengths).all()
    assert not np.array_equal(queries[0], queries[3]), "two queries of one row differ"


def test_inserted_rows_have_ids_of_their_own_and_all_other_fields_of_a_row() -> None:
    rows = [row for worker in (0, 1) for row in islice(dataset().fresh_rows(worker), 4)]
    assert [row.row_id for row in rows] == [first_id(7, worker) + place for worker in (0, 1) for place in range(4)]
    assert rows[1].text == "text 2"
    assert rows[1].metadata == {"year": 2_002, "$meta": {}}
    assert rows[1].vector == pytest.approx([2.0] * 4, abs=0.6)
    assert rows[0].source == str(first_id(7))
    words = Fields("pk", "varchar", "vec", "float32", "body", "")
    assert [row.row_id for row in islice(dataset(words).fresh_rows(2), 2)] == ["loadgen-0007-2-0", "loadgen-0007-2-1"]


def test_inserted_rows_have_no_fields_that_the_server_fills_and_all_others() -> None:
    fields = Fields("pk", "int64", "vec", "float32", "body", "")
    sampled = [{"pk": 1, "vec": [1.0] * 4, "body": "t", "_tenant": 3, "other": [b"\x01\x02"], "words": {5: 0.5}}]
    made = ExistingDataset(fields, sampled, 1, (1, 4, 1), 7)
    made.generated = ("words",)
    (row,) = islice(made.fresh_rows(0), 1)
    assert row.metadata == {"_tenant": 3, "other": b"\x01\x02"}
    node = find_layer("pymilvus").connector.make_node(row, made_of("pk", "vec", "body"))
    assert set(node) == {"pk", "vec", "body", "_tenant", "other"}
    assert (node["pk"], node["body"], node["_tenant"]) == (first_id(7), "t", 3)


def made_of(key: str, vectors: str, text: str) -> Settings:
    given = {"id_field": key, "embedding_field": vectors, "text_field": text, "existing": True, "host": "http://x:1"}
    return Settings.parse(given)


def test_llamaindex_writes_its_own_fields_itself() -> None:
    theirs = {"year": 2000, "_tenant": 3}
    metadata = theirs | {"_node_content": "{}", "_node_type": "TextNode", "document_id": "d", "ref_doc_id": "d"}
    row = Row("loadgen-1", "t", [0.5] * 4, "d", metadata)
    connector = find_layer("llamaindex").connector
    existing = made_of("id", "embedding", "text")
    assert connector.make_node(row, existing).metadata == theirs
    assert connector.make_node(row, Settings()).metadata == metadata, "rows of generated data are taken as they are"
    kept = find_layer("pymilvus").connector.make_node(row, existing)
    assert kept["_node_content"] == "{}", "LlamaIndex could not read the row without it"


def test_threads_that_share_the_rows_get_each_one_once() -> None:
    rows, before = dataset().fresh_rows(0), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            parts = list(threads.map(lambda _: [row.row_id for row in islice(rows, 2_000)], range(8)))
    finally:
        sys.setswitchinterval(before)
    assert sorted(one for part in parts for one in part) == [first_id(7) + number for number in range(16_000)]


def test_a_run_that_may_not_insert_has_no_rows_to() -> None:
    assert list(dataset(token=0).fresh_rows(0)) == []


def test_the_longest_text_id_has_the_length_that_a_key_must_have() -> None:
    made = ExistingDataset(Fields("k", "varchar", "vec", "float32", "", ""), dataset()._sampled, 9, (1, 4, 1), 0xFFFF)
    (row,) = islice(made.fresh_rows((1 << WORKER_BITS) - 1), 1)
    assert len(str(row.row_id)) - 1 + len(str((1 << ROW_BITS) - 1)) == LONGEST_ID


def test_ids_of_two_runs_never_meet_and_fit_into_64_bits() -> None:
    last = first_id(6, (1 << WORKER_BITS) - 1) + (1 << 34) - 1
    assert last < first_id(7)
    assert first_id(TOKENS - 1) <= 2**63 - 1
    assert inserted_rows(FIELDS, 7) == f"pk >= {first_id(7)} and pk < {first_id(8)}"
    assert inserted_rows(Fields("k", "varchar", "v", "float32", "", ""), 7) == 'k like "loadgen-0007-%"'
    assert text_prefix(7) != text_prefix(71)
    with pytest.raises(ValueError, match="there are 4096 at most"):
        next(dataset().fresh_rows(1 << WORKER_BITS))


@pytest.mark.parametrize(
    ("vector_type", "returned", "near"),
    [
        ("float32", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]),
        ("float16", HALF.tobytes(), HALF.tolist()),
        ("float16", [HALF.tobytes()], HALF.tolist()),
        ("int8", np.array([100, -100, 50, 127], np.int8).tobytes(), [100, -100, 50, 127]),
    ],
)
def test_a_query_has_the_type_of_its_row_and_is_near_it(vector_type: str, returned: Any, near: list[float]) -> None:
    vector = perturb(returned, vector_type, np.random.default_rng(1))
    assert vector.dtype == np.dtype(vector_type)
    assert np.linalg.norm(vector - np.array(near, np.float64)) <= 0.15 * np.linalg.norm(near)
    assert vector.tolist() != near
    assert _placeholder(vector) == {"float32": 101, "float16": 102, "int8": 105}[vector_type]


def test_a_binary_query_flips_few_bits_and_a_sparse_one_keeps_its_places() -> None:
    packed = bytes(range(128))
    flipped = perturb([packed], "binary", np.random.default_rng(1))
    differing = np.unpackbits(np.frombuffer(packed, np.uint8) ^ np.frombuffer(flipped, np.uint8)).sum()
    assert 1 <= differing <= 60
    assert _placeholder(flipped) == 100
    sparse = perturb({3: 1.0, 900: 0.5}, "sparse", np.random.default_rng(1))
    assert sparse == {3: pytest.approx(1.0, abs=0.3), 900: pytest.approx(0.5, abs=0.2)}
    assert _placeholder(sparse) == 104


def _placeholder(vector: Any) -> int:
    """The type that pymilvus sends it as."""
    from pymilvus.grpc_gen import common_pb2

    request = Prepare.search_requests_with_expr("c", "v", {"metric_type": "L2", "params": {}}, 3, data=[vector])
    group = common_pb2.PlaceholderGroup.FromString(request.placeholder_group)
    return int(group.placeholders[0].type)
