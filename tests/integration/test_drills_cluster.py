"""Drills of a master and workers of their own: the master is killed, a worker sleeps from one run into the next."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import RunRecord, read_record
from tests.integration.cluster_support import WITHIN, Cluster, Member
from tests.integration.drill_support import COUNTING, DATA, HEAD, SHORT, outcomes_of
from tests.integration.faulty_server import FaultyServer, faulty_server
from tests.integration.locust_command import own_master_port
from tests.integration.server_support import wait_until
from tests.integration.test_locust_page import Page

HEARTBEATS = 3
IMPATIENT = f"""
import locust.runners

locust.runners.MASTER_HEARTBEAT_TIMEOUT = {HEARTBEATS}
"""
"""A worker waits a minute for a sign of life of its master, which is Locust's limit: here it is shorter."""


@pytest.fixture
def cluster(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    (tmp_path / "returned").mkdir()
    monkeypatch.setenv("RETURNED", str(tmp_path / "returned"))
    with Cluster(tmp_path, free_port) as made:
        yield made


def write_locustfile(folder: Path, text: str = "") -> str:
    """The counting locustfile."""
    file = folder / "drill.py"
    file.write_text(HEAD + text + COUNTING)
    return str(file)


def test_workers_whose_master_was_killed_end_by_themselves(
    lite: EmbeddedServer, tmp_path: Path, cluster: Cluster
) -> None:
    file = write_locustfile(tmp_path, IMPATIENT)
    plan = ("--concurrency", "4", "--phase-seconds", "60", *SHORT)
    with faulty_server(lite.uri) as server:
        master = cluster.master(2, "--host", server.uri, *DATA, *plan, files=file)
        workers = [cluster.worker(name, files=file) for name in ("one", "other")]
        master.wait_for("Phase 1 of 4")
        before = server.asked
        assert wait_until(lambda: server.asked > before + 20, WITHIN)
        master.send(signal.SIGKILL)
        codes = [worker.finish(HEARTBEATS + 20) for worker in workers]
        asked = server.asked
        time.sleep(0.5)
        assert server.asked == asked, "nobody sends any more"
    assert codes == [1, 1], workers[0].run.err
    for worker in workers:
        assert "Didn't get heartbeat from master" in worker.run.err
        assert "Traceback" not in worker.run.out + worker.run.err


FIRST, SECOND = 9, 7
"""Neighbours that the searches of two runs ask for: the server tells the runs apart by it."""
RUN_SECONDS = 8


def test_a_worker_that_sleeps_from_one_run_into_the_next_mixes_nothing(
    lite: EmbeddedServer, tmp_path: Path, cluster: Cluster
) -> None:
    port = int(own_master_port()["LOCUST_MASTER_NODE_PORT"])
    file = write_locustfile(tmp_path)
    with faulty_server(lite.uri) as server:
        master = cluster.master_with_page(port, "--host", server.uri, *DATA, files=file)
        awake, sleeper = (cluster.worker(name, files=file) for name in ("awake", "sleeper"))
        master.wait_for("2 workers connected")
        page = Page(master.run, f"http://127.0.0.1:{port}")
        start(page, mode="async", top_k=str(FIRST), user_count="4", spawn_rate="4")
        await_searches(server, FIRST, 40)
        time.sleep(3.5)  # until each worker has reported: Locust's take 3 s
        sleeper.send(signal.SIGSTOP)
        assert page.post("/stop", {})["success"] is True
        begun = time.monotonic()
        start(page, mode="async", top_k=str(SECOND), user_count="4", spawn_rate="4", run_time=f"{RUN_SECONDS}s")
        await_searches(server, SECOND, 20)
        sleeper.send(signal.SIGCONT)
        page.await_state("stopped", 0, RUN_SECONDS + 30)
        lasted = time.monotonic() - begun
        master.send(signal.SIGINT)
        codes = [member.finish() for member in (master, awake, sleeper)]
        first, second = records_of(master)
    assert codes == [0, 0, 0], master.run.err
    assert "Traceback" not in master.run.err + awake.run.err + sleeper.run.err
    assert outcomes_of(second).total() == server.asked_for[SECOND] == sum(master.run.reported["stats"].values())
    [phase] = second.phases
    assert RUN_SECONDS / 2 < phase.seconds < lasted
    assert 0 < outcomes_of(first).total() <= server.asked_for[FIRST]
    assert "lost 1 of 2 workers" in (first.incomplete or ""), first.incomplete
    assert first.phases[0].workers_lost == 1


def start(page: Page, **form: str) -> None:
    """Start a run as soon as the page allows it."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        with contextlib.suppress(URLError, ConnectionError, AssertionError):
            answer = page.start(**form)
            if answer["success"]:
                return
        time.sleep(0.2)
    raise AssertionError("no start")


def await_searches(server: FaultyServer, top_k: int, number: int) -> None:
    assert wait_until(lambda: server.asked_for[top_k] >= number, 60), server.asked_for


def records_of(master: Member) -> list[RunRecord]:
    """By the time of their start."""
    result = [read_record(path) for path in (master.run.spy.parent / "runs").glob("[!.]*.json")]
    return sorted(result, key=lambda record: record.started_at)
