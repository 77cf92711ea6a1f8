"""What the settings become for MilvusVectorStore and pymilvus, and what the manifest says of them."""

import json
from typing import Any

import numpy as np
import pytest

from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store import store_arguments, to_node, to_query
from loadgen.milvus.store.manifest import MANIFEST_KEY, find_differences, make_manifest, read_manifest
from loadgen.settings.model import Settings

HOST = {"host": "http://127.0.0.1:19530", "dim": 8, "rows": 100}


def parse(**given: Any) -> Settings:
    return Settings.parse(HOST | given)


def test_both_modes_get_the_same_but_for_the_async_client() -> None:
    settings = parse(token="root:Milvus", database="other", upsert=True, output_fields="text", metric="L2")
    sync, both = store_arguments(settings, Mode.SYNC), store_arguments(settings, Mode.ASYNC)
    assert {name for name in both if both[name] != sync[name]} == {"use_async_client"}
    assert both["use_async_client"] is True
    assert (both["token"], both["db_name"], both["upsert_mode"]) == ("root:Milvus", "other", True)
    assert both["index_config"] == {"index_type": "HNSW", "M": 16, "efConstruction": 200}
    assert (both["output_fields"], both["similarity_metric"], both["dim"]) == (["text"], "L2", 8)


def test_the_deadline_is_on_the_operations_and_the_rest_has_30_seconds_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadgen.milvus.store.shortfall.find_shortfall", lambda: 1.25)
    options = store_arguments(parse(deadline=0.05), Mode.SYNC)["grpc_options"]
    operations, rest = json.loads(options["grpc.service_config"])["methodConfig"]
    assert operations["timeout"] == "1.300000s"
    assert {"Search", "Insert", "Upsert", "Query", "Delete"} <= {name["method"] for name in operations["name"]}
    assert rest == {"name": [{}], "timeout": "31.250000s"}
    assert options["grpc.use_local_subchannel_pool"] == 1


def test_plain_addresses_have_no_tls_and_https_or_a_certificate_have(tmp_path: Any) -> None:
    pem = tmp_path / "server.pem"
    pem.write_text("x")
    assert "secure" not in store_arguments(parse(), Mode.SYNC)
    assert store_arguments(parse(host="https://127.0.0.1:1"), Mode.SYNC)["secure"] is True
    with_file = store_arguments(parse(server_cert_file=str(pem), server_name="milvus"), Mode.SYNC)
    assert (with_file["secure"], with_file["server_pem_path"], with_file["server_name"]) == (True, str(pem), "milvus")


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        ({"ca_file": "ca"}, {"server_pem_path": "ca"}),
        ({"server_cert_file": "own"}, {"server_pem_path": "own"}),
        ({"ca_file": "ca", "server_cert_file": "own"}, {"server_pem_path": "own"}),
        (
            {"ca_file": "ca", "client_cert_file": "cert", "client_key_file": "key"},
            {"ca_pem_path": "ca", "client_pem_path": "cert", "client_key_path": "key"},
        ),
        (
            {"ca_file": "ca", "server_cert_file": "own", "client_cert_file": "cert", "client_key_file": "key"},
            {"ca_pem_path": "own", "client_pem_path": "cert", "client_key_path": "key"},
        ),
    ],
)
def test_certificate_files_go_to_where_pymilvus_reads_them(
    given: dict[str, str], handed: dict[str, str], tmp_path: Any
) -> None:
    for name in given.values():
        (tmp_path / name).touch()
    paths = {setting: str(tmp_path / name) for setting, name in given.items()}
    arguments = store_arguments(parse(**paths), Mode.ASYNC)
    assert arguments["secure"] is True
    result = {name: value for name, value in arguments.items() if name.endswith(("_pem_path", "_key_path"))}
    assert result == {name: str(tmp_path / value) for name, value in handed.items()}


def test_a_node_carries_its_row_and_its_document() -> None:
    row = open_dataset(parse()).rows(4, 5)[0]
    node = to_node(row)
    assert (node.node_id, node.text, node.ref_doc_id) == (row.row_id, "n4_text", "n5")
    assert (node.embedding, node.metadata) == (row.vector, row.metadata)


@pytest.mark.parametrize(("fields", "asked"), [("", None), ("text,doc_id", ["text", "doc_id"])])
def test_a_query_asks_for_top_k_and_the_fields(fields: str, asked: list[str] | None) -> None:
    query = to_query(np.ones(8, dtype=np.float32), parse(top_k=3, output_fields=fields))
    assert (query.query_embedding, query.similarity_top_k, query.output_fields) == ([1.0] * 8, 3, asked)


def test_a_manifest_that_was_kept_and_read_again_differs_in_nothing() -> None:
    settings = parse(spread=0.1, index_type="IVF_FLAT", search_params="nprobe=3")
    wanted = make_manifest(settings, open_dataset(settings))
    kept = read_manifest({MANIFEST_KEY: json.dumps(wanted)})
    assert kept == wanted
    assert find_differences(kept, wanted, settings) == []


@pytest.mark.parametrize("kept", [{}, {MANIFEST_KEY: ""}, {MANIFEST_KEY: "{"}, {MANIFEST_KEY: "[1]"}, {"other": "{}"}])
def test_what_is_no_manifest_of_ours_is_none(kept: dict[str, str]) -> None:
    assert read_manifest(kept) is None


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            {"dim": 768},
            ["--dim 768: collection 'loadgen' has dim 8. Use --dim 8, another --collection, or"],
        ),
        ({"index_type": "FLAT"}, ["--index-type FLAT: collection 'loadgen' has index_type HNSW. "]),
        (
            {"index_params": "M=8"},
            ["--index-params M=8: collection 'loadgen' has index_params M=16,efConstruction="],
        ),
        ({"seed": 2, "consistency": "Strong"}, ["--consistency Strong: collection", "--seed 2: collection"]),
    ],
)
def test_each_setting_that_differs_is_named_with_both_values(change: dict[str, Any], lines: list[str]) -> None:
    old, new = parse(), parse(**change)
    faults = find_differences(make_manifest(old, open_dataset(old)), make_manifest(new, open_dataset(new)), new)
    assert len(faults) == len(lines)
    assert all(str(fault).startswith(line) for fault, line in zip(faults, lines, strict=True))


def test_other_data_from_the_same_settings_is_a_fault_of_the_collection() -> None:
    settings = parse()
    wanted = make_manifest(settings, open_dataset(settings))
    (fault,) = find_differences(wanted | {"fingerprint": "0" * 16}, wanted, settings)
    assert (fault.setting, fault.value) == ("collection", "loadgen")
