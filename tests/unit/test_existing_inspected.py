"""An existing collection is inspected for every variant that uses it, and all faults are reported once."""

from collections.abc import Callable
from typing import Any

import pytest
from pymilvus import DataType
from pymilvus.client.types import LoadState

from loadgen.locust_plugin.preparation import existing_collections
from loadgen.locust_plugin.preparation.existing_collections import inspect_existing
from loadgen.milvus.store import ServerInfo, existing, inspect_collection
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

KEY = {"name": "id", "type": DataType.VARCHAR, "is_primary": True, "params": {"max_length": 65_535}}
DOC_ID = {"name": "doc_id", "type": DataType.VARCHAR}
BODY = {"name": "body", "type": DataType.VARCHAR}
TAKEN: dict[str, Any] = {"collection": "papers", "existing": True, "host": "http://127.0.0.1:1"}


def vector(dim: int, kind: DataType = DataType.FLOAT_VECTOR) -> dict[str, Any]:
    return {"name": "vec", "type": kind, "params": {"dim": dim}}


class Server:
    """A server of Milvus 2.3.5 with one collection."""

    def __init__(self, fields: list[dict[str, Any]], rows: int, **described: Any) -> None:
        self.rows = rows
        self.described = {"collection_name": "papers", "fields": fields, "enable_dynamic_field": True} | described

    def has_collection(self, _name: str) -> bool:
        return True

    def describe_collection(self, _name: str) -> dict[str, Any]:
        return self.described

    def list_indexes(self, _name: str) -> list[str]:
        return ["vec"]

    def describe_index(self, _name: str, _index: str) -> dict[str, Any]:
        return {"field_name": "vec", "index_type": "HNSW", "metric_type": "L2", "M": "8"}

    def get_load_state(self, _name: str) -> dict[str, Any]:
        return {"state": LoadState.Loaded}

    def query(self, _name: str, **_query: Any) -> list[dict[str, int]]:
        return [{"count(*)": self.rows}]

    def close(self) -> None: ...


Serve = Callable[[Server], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Lets the inspection find a server."""

    def start(server: Server) -> None:
        monkeypatch.setattr(existing, "MilvusClient", lambda **_: server)

    monkeypatch.setattr(existing_collections, "check_server", lambda _: ServerInfo("v2.3.5-lite", "milvus"))
    monkeypatch.setattr(existing_collections, "sample_ids", lambda *_: [1])
    return start


def reported(given: dict[str, Any]) -> list[str]:
    """The faults of a run that only searches."""
    try:
        inspect_existing(Settings.parse(TAKEN | given), lambda _: None, writes=False)
    except SettingsError as error:
        return [str(fault) for fault in error.faults]
    return []


FEW = "--top-k {}: is more than the 100 rows of collection 'papers'. Lower --top-k to 100 or less."


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ("async; async top-k=100", []),
        ("async; async top-k=500", [FEW.format(500)]),
        ("async top-k=500; sync", [FEW.format(500)]),
        ("async top-k=500; sync top-k=500; sync top-k=600", [FEW.format(500), FEW.format(600)]),
        (
            "async; async output-fields=vec",
            [
                (
                    "--output-fields vec: need a text field with LlamaIndex, and collection 'papers' has none. "
                    "Omit them, or use the pymilvus client."
                )
            ],
        ),
        ("async; pymilvus/async output-fields=vec", []),
    ],
)
def test_the_settings_of_every_variant_are_checked_and_equal_faults_are_told_once(
    serve: Serve, variants: str, expected: list[str]
) -> None:
    serve(Server([KEY, vector(8)], 100, consistency_level=2))
    assert reported({"variants": variants}) == expected


WIDE = "(a vector of dimension 32768 has 131,072 bytes), but the server accepts 64 MiB. Set --top-k to 512 or less"
OMIT = "or omit the vector with --output-fields"


@pytest.mark.parametrize(
    ("fields", "given", "expected"),
    [
        ([KEY, vector(32_768)], {"variants": "sync; async top-k=512"}, []),
        (
            [KEY, vector(32_768)],
            {"variants": "sync; async top-k=600"},
            [f"--top-k 600: makes answers with all fields of 75 MiB {WIDE}."],
        ),
        (
            [KEY, vector(32_768), BODY],
            {"top_k": 600},
            [f"--top-k 600: makes answers with all fields of 75 MiB {WIDE}, {OMIT} body."],
        ),
        (
            [KEY, vector(32_768), BODY, DOC_ID],
            {"top_k": 600, "output_fields": "body,vec"},
            [f"--top-k 600: makes answers with all fields of 75 MiB {WIDE}, {OMIT} body,doc_id."],
        ),
        ([KEY, vector(32_768), BODY], {"top_k": 600, "output_fields": "body"}, []),
        ([KEY, vector(1_000), BODY], {"top_k": 16_384}, []),
        (
            [KEY, vector(32_768, DataType.BINARY_VECTOR), BODY],
            {"top_k": 600, "variants": "pymilvus/sync; pymilvus/async"},
            [],
        ),
        (
            [KEY, vector(32_768), BODY],
            {"nodes_per_insert": 600, "batch_size": 1_000},
            [
                (
                    "--batch-size 1000: makes inserts of 75 MiB (a vector of dimension 32768 has 131,072 bytes), "
                    "but the server accepts 64 MiB. Set --batch-size to 512 or less."
                )
            ],
        ),
    ],
)
def test_messages_that_the_server_does_not_accept_are_refused_by_the_vectors_of_the_collection(
    serve: Serve, fields: list[dict[str, Any]], given: dict[str, Any], expected: list[str]
) -> None:
    serve(Server(fields, 20_000))
    assert reported(given) == expected


def test_an_alias_is_refused_with_the_name_of_its_collection(serve: Serve) -> None:
    serve(Server([KEY, vector(8), BODY], 100, collection_name="papers_2026"))
    assert reported({}) == ["--collection papers: is an alias of 'papers_2026'. Use --collection papers_2026."]


@pytest.mark.parametrize(
    ("fields", "described", "expected"),
    [
        ([KEY, DOC_ID, vector(8)], {}, True),
        ([KEY, vector(8)], {}, False),
        ([KEY, DOC_ID, vector(8)], {"enable_dynamic_field": False}, False),
        ([KEY, DOC_ID, vector(8)], {"auto_id": True}, False),
        ([KEY | {"type": DataType.INT64}, DOC_ID, vector(8)], {}, False),
        ([KEY | {"is_primary": False}, BODY | {"is_primary": True}, DOC_ID, vector(8)], {}, False),
    ],
)
def test_llamaindex_may_write_where_rows_have_ids_like_its_own(
    serve: Serve, fields: list[dict[str, Any]], described: dict[str, Any], expected: bool
) -> None:
    serve(Server(fields, 100, **described))
    settings = Settings.parse(TAKEN)
    assert inspect_collection(settings, [("llamaindex", settings)]).is_llamaindex is expected
