"""The fields of an existing collection are detected where that is unambiguous, and contradictions are faults."""

from typing import Any

import pytest
from pymilvus import DataType

from loadgen.milvus.store.existing import CollectionInfo, find_contradictions, find_fields
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

KEY = {"name": "pk", "type": DataType.INT64, "is_primary": True}
VECTOR = {"name": "vec", "type": DataType.FLOAT_VECTOR, "params": {"dim": 8}}
SPARSE = {"name": "words", "type": DataType.SPARSE_FLOAT_VECTOR}
BODY = {"name": "body", "type": DataType.VARCHAR}
TITLE = {"name": "title", "type": DataType.VARCHAR}
TEXT = {"name": "text", "type": DataType.VARCHAR}
DOC_ID = {"name": "doc_id", "type": DataType.VARCHAR}
TAKEN: dict[str, Any] = {"collection": "papers", "existing": True, "host": "http://127.0.0.1:1"}


def info(**given: Any) -> CollectionInfo:
    values: dict[str, Any] = {
        "name": "papers", "id_field": "pk", "id_type": "int64", "id_length": 0, "is_auto_id": False,
        "embedding_field": "vec",
        "vector_type": "float32", "text_field": "body", "sparse_field": "",
        "doc_id_field": "", "is_dynamic": False, "is_llamaindex": False,
        "dim": 8, "metric": "L2", "index_type": "IVF_FLAT", "index_params": {"nlist": 16}, "consistency": "Bounded",
        "rows": 2_000, "sample": (1, 2), "token": 0,
    }  # fmt: skip
    return CollectionInfo(**(values | given))


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        ([KEY, VECTOR], {}, ("pk", "vec", "", "", "float32")),
        ([KEY, VECTOR, BODY], {}, ("pk", "vec", "body", "", "float32")),
        ([KEY, VECTOR, BODY, TITLE], {}, ("pk", "vec", "", "", "float32")),
        ([KEY, VECTOR, BODY, TITLE], {"text_field": "title"}, ("pk", "vec", "title", "", "float32")),
        ([KEY, VECTOR, BODY, TEXT, DOC_ID], {}, ("pk", "vec", "text", "doc_id", "float32")),
        ([KEY, VECTOR, SPARSE], {"embedding_field": "words"}, ("pk", "words", "", "", "sparse")),
    ],
)
def test_a_field_is_detected_where_there_is_one_or_taken_as_given(
    schema: list[dict[str, Any]], given: dict[str, str], expected: tuple[str, ...]
) -> None:
    result, faults = find_fields({"fields": schema}, Settings.parse(TAKEN | given))
    names = ("id_field", "embedding_field", "text_field", "doc_id_field", "vector_type")
    assert faults == []
    assert tuple(result[name] for name in names) == expected


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        (
            [KEY, VECTOR, SPARSE],
            {},
            (
                "--embedding-field: is needed: collection 'papers' has 2 vector fields. "
                "Name the one to search with --embedding-field: vec and words."
            ),
        ),
        (
            [KEY, VECTOR],
            {"embedding_field": "vek"},
            "--embedding-field vek: is not such a field of collection 'papers'. It has vec.",
        ),
        (
            [KEY, VECTOR],
            {"text_field": "x"},
            "--text-field x: is not such a field of collection 'papers'. It has nothing.",
        ),
        ([KEY, VECTOR], {"id_field": "vec"}, "--id-field vec: is not such a field of collection 'papers'. It has pk."),
    ],
)
def test_a_field_that_is_ambiguous_or_missing_is_a_fault(
    schema: list[dict[str, Any]], given: dict[str, str], expected: str
) -> None:
    _, faults = find_fields({"fields": schema}, Settings.parse(TAKEN | given))
    assert [str(fault) for fault in faults] == [expected]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, []),
        ({"dim": 8, "metric": "L2", "index_type": "IVF_FLAT", "rows": 2_000, "consistency": "Bounded"}, []),
        ({"index_params": "nlist=16"}, []),
        ({"index_params": "nlist=8"}, ["index_params"]),
        ({"dim": 768, "metric": "COSINE"}, ["dim", "metric"]),
        ({"index_params": "nlist=8", "clusters": 64, "top_k": 2_001}, ["index_params", "clusters", "top_k"]),
    ],
)
def test_what_was_given_and_differs_from_the_collection_is_a_fault(given: dict[str, Any], wrong: list[str]) -> None:
    settings = Settings.parse(TAKEN | given)
    assert [fault.setting for fault in find_contradictions(settings, info())] == wrong


def test_index_parameters_that_the_server_does_not_report_contradict_nothing() -> None:
    settings = Settings.parse(TAKEN | {"index_params": "nlist=8"})
    assert [*find_contradictions(settings, info(index_params={}))] == []


def test_an_empty_collection_is_a_fault() -> None:
    assert [str(fault) for fault in find_contradictions(Settings.parse(TAKEN), info(rows=0))] == [
        "--collection papers: is empty. Load data, or name another collection."
    ]


def test_what_was_not_given_is_what_the_collection_has_and_a_worker_gets_the_same() -> None:
    result = CollectionInfo.from_message(info().as_message())
    settings = result.apply(Settings.parse(TAKEN))
    assert (settings.dim, settings.metric, settings.rows) == (8, "L2", 2_000)
    assert settings.index_config == {"index_type": "IVF_FLAT", "nlist": 16}
    assert settings.search_config == {"nprobe": 16}
    assert (settings.id_field, settings.embedding_field, settings.text_field) == ("pk", "vec", "body")
    assert info(index_type="BIN_FLAT").apply(Settings.parse(TAKEN)).search_config == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"existing": True}, "--host: is required with --existing"),
        (TAKEN | {"fresh": True}, "--fresh: would change the collection"),
        (TAKEN | {"upsert": True}, "--upsert: would change the collection"),
        ({"allow_writes": True}, "--allow-writes: is for an existing collection"),
        ({"text_field": "body"}, "--text-field body: is for an existing collection"),
    ],
)
def test_settings_that_do_not_go_with_an_existing_collection_are_faults(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(given)
    (fault,) = caught.value.faults
    assert str(fault).startswith(expected)
