"""Every locustfile, against the real standalone and against Milvus Lite."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.datasets import INSERTED, open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer
from loadgen.milvus.store import close_stores, open_stores, to_query
from tests.integration.locust_command import SEARCHED, SMALL, run_locust, settings_of
from tests.integration.plain_clients import client_of

SHORT = ("--concurrency", "4", "--rounds", "1", "--phase-seconds", "0.6", "--warmup-seconds", "0.2")


def rows(uri: str, collection: str, where: str = "") -> int:
    with client_of(uri) as client:
        answer: list[dict[str, Any]] = client.query(
            collection, filter=where, output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(answer[0]["count(*)"])


@pytest.fixture(params=["milvus", "lite"])
def server(request: pytest.FixtureRequest) -> EmbeddedServer:
    embedded_server: EmbeddedServer = request.getfixturevalue(request.param)
    return embedded_server


def test_search_finds_a_row_by_its_own_vector_after_the_run(server: EmbeddedServer, tmp_path: Path) -> None:
    run = run_locust(tmp_path, "--host", server.uri, "--collection", SEARCHED, *SMALL, *SHORT)
    run.assert_good()
    assert set(run.counted) == {"sync search", "async search"}
    settings = settings_of(server.uri, collection=SEARCHED)
    stores = open_stores(settings, Mode.SYNC)
    dataset = open_dataset(settings)
    result = stores[0].query(to_query(dataset.vectors(7, 8)[0], settings))
    assert result.ids is not None
    assert result.ids[0] == dataset.rows(7, 8)[0].row_id
    close_stores(stores)


def test_every_node_that_insert_reports_is_in_the_collection(server: EmbeddedServer, tmp_path: Path) -> None:
    flags = (*SMALL, *SHORT, "--nodes-per-insert", "3")
    run = run_locust(tmp_path, "--host", server.uri, "--collection", "files_insert", *flags, files="insert.py")
    run.assert_good()
    operations = sum(run.reported["stats"].values())
    assert operations > 0
    assert rows(server.uri, "files_insert") == 300 + 3 * operations
    assert rows(server.uri, "files_insert", f'loadgen == "{INSERTED}"') == 3 * operations


def test_a_mix_leaves_what_was_inserted_and_not_deleted(server: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--host", server.uri, "--collection", "files_mixed", *SMALL, *SHORT)
    run = run_locust(tmp_path, *flags, files="mixed.py")
    run.assert_good()
    stats = run.reported["stats"]
    assert set(run.counted) <= set(stats) <= {f"{m} {o}" for m in Mode for o in ("search", "insert", "delete")}
    inserted = sum(number for name, number in stats.items() if name.endswith("insert"))
    deleted = sum(number for name, number in stats.items() if name.endswith("delete"))
    assert inserted > deleted > 0
    assert [window["recall"] for window in run.reported["windows"]] == [None] * 4, "what is right changes all the time"
    # A delete looks its document up at the collection's own consistency level, so a very young one may stay.
    assert 300 + inserted - deleted <= rows(server.uri, "files_mixed") <= 300 + inserted


def test_burst_fills_every_cell_with_exactly_its_operations(server: EmbeddedServer, tmp_path: Path) -> None:
    flags = (
        "--host",
        server.uri,
        "--collection",
        "files_burst",
        "--dim",
        "16",
        "--rows",
        "300",
        "--burst",
        "5,70",
        "--recall-every",
        "1",
    )
    run = run_locust(tmp_path, *flags, "--recall-every", "1", files="burst.py", timeout=200)
    run.assert_good()
    cells = {
        (w["phase"]["operation"], w["phase"]["operations"], w["phase"]["style"]): w for w in run.reported["windows"]
    }
    assert len(cells) == 2 * 2 * 3
    for (operation, number, style), window in cells.items():
        mode = "async" if style == "async" else "sync"
        assert window["outcomes"] == {f"{mode} {operation}": {"ok": number}}
        assert window["recall"] == (1.0 if operation == "search" else None)
        assert window["seconds"] > 0
        assert window["phase"]["concurrency"] == {"sync": 1, "threads": min(number, 64), "async": number}[style]
    assert rows(server.uri, "files_burst") == 300 + 3 * (5 + 70)
    assert "one after another" in run.out


def test_upsert_and_dedicated_connections_run_too(milvus: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--host", milvus.uri, "--collection", "files_upsert", *SMALL, *SHORT, "--upsert", "--connections", "3")
    run = run_locust(tmp_path, *flags, files="insert.py")
    run.assert_good()
    assert rows(milvus.uri, "files_upsert") == 300 + sum(run.reported["stats"].values())


def test_a_run_without_a_host_starts_a_server_of_its_own_and_ends_it(tmp_path: Path) -> None:
    for kind in ("lite", "milvus"):
        run = run_locust(
            tmp_path / kind, "--embedded", kind, *SMALL, "--mode", "async", "-t", "2s", "-u", "2", "-r", "2"
        )
        run.assert_good()
        assert run.counted["async search"] > 0
        assert json.dumps(run.reported["failures"]) == '{"async search": 0}'
