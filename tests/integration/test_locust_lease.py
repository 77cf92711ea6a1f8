"""Two runs on one collection, as two people would start them."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.forked import run_forked
from tests.integration.lease_support import rows_of
from tests.integration.locust_command import LOADGEN, ROOT, SMALL, Run, requests_seen, run_locust, start_locust
from tests.integration.server_support import wait_until

pytestmark = pytest.mark.timeout(900)  # a dozen commands, one after another
SEARCHING = ("--headless", "--only-summary", "--mode", "async", "-u", "2", "-r", "10", "-t", "10m")
SHORT = ("--mode", "async", "-u", "2", "-r", "10", "-t", "3s")
TOUCHING = ("Flush", "ReleaseCollection", "LoadCollection", "DropCollection", "CreateCollection", "CreateIndex")


def begin(folder: Path, server: EmbeddedServer, collection: str, *flags: str, files: str = "search.py") -> Run:
    """A run that goes on until it is interrupted; returns once it makes load."""
    run = start_locust(
        folder, *SEARCHING, "--host", server.uri, "--collection", collection, *SMALL, *flags, files=files, name="first"
    )
    assert wait_until(lambda: [row.run for row in rows_of(server.uri, collection) if row.run] != [], 120)
    return run


def end(run: Run, number: signal.Signals = signal.SIGINT) -> Run:
    run.process.send_signal(number)
    return run.finish()


def touched(server: EmbeddedServer) -> Counter[str]:
    assert server.metrics_uri
    return Counter({name: count for name, count in requests_seen(server.metrics_uri).items() if name in TOUCHING})


def prepare(*flags: str) -> "subprocess.CompletedProcess[str]":
    command = [LOADGEN, "prepare", "-f", str(ROOT / "locustfiles" / "search.py"), *flags]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
    return run_forked(command, ROOT, clean)


def manifest_of(folder: Path) -> dict[str, object]:
    (path,) = (folder / "runs").glob("*.json")
    result: dict[str, object] = json.loads(path.read_text())["manifest"]
    return result


def test_a_second_run_shares_what_it_only_searches_and_is_refused_otherwise(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    name = "lease_shared"
    there = ("--host", milvus.uri, "--collection", name, *SMALL)
    first = begin(tmp_path / "first", milvus, name)
    (holder,) = rows_of(milvus.uri, name)
    assert holder.pid == first.process.pid
    before = touched(milvus)

    second = run_locust(tmp_path / "second", *there, *SHORT)
    second.assert_good()
    assert second.counted["async search"] > 0
    assert touched(milvus) == before
    assert manifest_of(tmp_path / "second")["shared_with"] == [holder.run]
    assert f"The collection was also searched by run {holder.run}, which shared the server" in second.out

    reported = f"--collection {name}: is in use by run {holder.run} on host {holder.host} (pid {holder.pid}) since "
    for flags, files in (
        ((*SHORT, "--fresh"), "search.py"),
        (SHORT, "insert.py"),
        ((*SHORT, "--rows", "400"), "search.py"),
    ):
        refused = run_locust(tmp_path / f"{files}{len(flags)}", *there, *flags, files=files)
        assert refused.code == 2, refused.err
        assert reported in refused.err
        assert "Traceback" not in refused.err
    assert prepare(*there).returncode == 0
    refusal = prepare(*there, "--fresh")
    assert (refusal.returncode, reported in refusal.stderr) == (2, True)
    assert touched(milvus) == before

    first = end(first)
    assert first.reported["failures"] == {"async search": 0}
    assert rows_of(milvus.uri, name) == []
    assert manifest_of(tmp_path / "first")["shared_with"] in ([], manifest_run(tmp_path / "second"))


def manifest_run(folder: Path) -> list[str]:
    (path,) = (folder / "runs").glob("*.json")
    return [json.loads(path.read_text())["run_id"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_inserts_has_it_alone_until_its_end(
    number: signal.Signals, milvus: EmbeddedServer, tmp_path: Path
) -> None:
    name = f"lease_{number.name.lower()}"
    first = begin(tmp_path / "first", milvus, name, files="insert.py")
    refused = run_locust(tmp_path / "second", "--host", milvus.uri, "--collection", name, *SMALL, *SHORT)
    assert refused.code == 2
    assert f"(pid {first.process.pid})" in refused.err
    assert "which searches, and inserts or deletes." in refused.err
    end(first, number)
    later = run_locust(tmp_path / "third", "--host", milvus.uri, "--collection", name, *SMALL, *SHORT)
    later.assert_good()
    assert "more than asked for: reloading" in later.out + later.err
    assert rows_of(milvus.uri, name) == []


def test_the_master_alone_holds_a_lease_and_an_own_server_needs_none(milvus: EmbeddedServer, tmp_path: Path) -> None:
    name = "lease_master"
    first = begin(tmp_path / "first", milvus, name, "--processes", "2")
    assert [row.pid for row in rows_of(milvus.uri, name)] == [first.process.pid]
    end(first)
    assert rows_of(milvus.uri, name) == []
    own = run_locust(tmp_path / "own", "--embedded", "lite", *SMALL, *SHORT)
    own.assert_good()
    assert manifest_of(tmp_path / "own")["shared_with"] == []
    assert "lease" not in own.err
