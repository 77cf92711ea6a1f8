"""Workers that die, fall silent, come late or do not belong: all that was sent is counted, no fault is a success."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.cluster_support import Cluster, Member, count_all
from tests.integration.locust_command import AGREEING, SEARCHED, SMALL, requests_seen

SECONDS = 2.5
PLAN = ("--concurrency", "4", "--rounds", "1", "--phase-seconds", str(SECONDS), "--warmup-seconds", "0.5")
HEARTBEATS = 8
"""Some more than Locust's 3, for a machine that is busy: the tests wait for those that are missed."""
DATA = ("--collection", SEARCHED, *SMALL, "--recall-every", "0")


@pytest.fixture
def cluster(tmp_path: Path, free_port: int) -> Iterator[Cluster]:
    with Cluster(tmp_path, free_port, HEARTBEATS) as made:
        yield made


def searches(server: EmbeddedServer) -> int:
    assert server.metrics_uri
    return requests_seen(server.metrics_uri)["Search"]


def record_of(master: Member) -> Path:
    line = next(line for line in master.run.out.splitlines() if line.startswith("Run record: "))
    return master.run.spy.parent / line.removeprefix("Run record: ")


def test_a_silent_worker_loses_nothing_and_the_phase_is_measured_again(
    milvus: EmbeddedServer, cluster: Cluster
) -> None:
    before = searches(milvus) + AGREEING
    master = cluster.master(2, "--host", milvus.uri, *DATA, *PLAN)
    one, other = cluster.worker("one"), cluster.worker("other")
    master.wait_for("Phase 2 of 4")
    time.sleep(1)
    other.send(signal.SIGSTOP)
    master.wait_for("failed to send heartbeat")
    time.sleep(1)
    other.send(signal.SIGCONT)
    master.wait_for("Phase 2 is measured again")
    assert master.finish() == 0, master.run.err
    assert (one.finish(), other.finish()) == (0, 0)
    assert [window["workers_lost"] for window in master.run.reported["windows"]] == [0] * 4
    assert [window["seconds"] for window in master.run.reported["windows"]] == pytest.approx([SECONDS] * 4)
    assert searches(milvus) - before == count_all(master.run.reported)
    assert "no significant difference" in master.run.out or "gives" in master.run.out


def test_the_only_worker_may_miss_heartbeats(milvus: EmbeddedServer, cluster: Cluster) -> None:
    before = searches(milvus) + AGREEING
    master = cluster.master(1, "--host", milvus.uri, *DATA, *PLAN)
    worker = cluster.worker("one")
    master.wait_for("Phase 1 of 4")
    time.sleep(1)
    worker.send(signal.SIGSTOP)
    master.wait_for("failed to send heartbeat")
    worker.send(signal.SIGCONT)
    assert master.finish() == 0, master.run.err
    assert len(master.run.reported["windows"]) == 4
    assert searches(milvus) - before == count_all(master.run.reported)
    assert worker.finish() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_gone_for_good_marks_the_phases_and_ends_with_1(
    milvus: EmbeddedServer, cluster: Cluster, number: signal.Signals
) -> None:
    master = cluster.master(2, "--host", milvus.uri, *DATA, *PLAN, "--worker-grace", "2")
    one, other = cluster.worker("one"), cluster.worker("other")
    master.wait_for("Phase 2 of 4")
    time.sleep(1)
    other.send(number)
    assert other.finish() == (1 if number is signal.SIGTERM else -9)
    assert master.finish() == 1, master.run.err
    assert one.finish() == 0
    assert [window["workers_lost"] for window in master.run.reported["windows"]] == [0, 1, 1, 1]
    assert master.last_line.startswith("Exit code 1: phase 2 lacked 1 of 2 workers"), master.run.out
    record = read_record(record_of(master))
    assert [one.verdict for one in record.comparisons] == ["invalid"]
    assert "phase 2 lost 1 worker" in record.comparisons[0].reasons


def test_another_worker_in_place_of_a_dead_one_makes_the_plan_complete(
    milvus: EmbeddedServer, cluster: Cluster
) -> None:
    master = cluster.master(2, "--host", milvus.uri, *DATA, *PLAN)
    cluster.worker("one")
    other = cluster.worker("other")
    master.wait_for("Phase 1 of 4")
    time.sleep(1)
    other.send(signal.SIGKILL)
    master.wait_for("waiting up to 120 s for others")
    cluster.worker("replacement")
    master.wait_for("Phase 1 is measured again")
    assert master.finish() == 0, master.run.err
    assert [window["workers_lost"] for window in master.run.reported["windows"]] == [0] * 4
    assert all(min(window["counts"].values()) > 0 for window in master.run.reported["windows"])
    assert sum(map(sum, (ends.values() for ends in master.run.reported["outside"].values()))) > 0


def test_without_any_worker_the_run_ends_early_and_says_so(milvus: EmbeddedServer, cluster: Cluster) -> None:
    master = cluster.master(1, "--host", milvus.uri, *DATA, *PLAN, "--worker-grace", "1")
    worker = cluster.worker("one")
    master.wait_for("Phase 2 of 4")
    time.sleep(1)
    worker.send(signal.SIGKILL)
    assert master.finish() == 1, master.run.err
    assert master.last_line.startswith("Exit code 1: ended early: 1 of 4 phases (no worker is left after phase 2)")
    assert len(read_record(record_of(master)).phases) >= 1


@pytest.mark.parametrize("model", ["closed", "open"])
def test_a_worker_that_joins_during_a_phase_takes_part(milvus: EmbeddedServer, cluster: Cluster, model: str) -> None:
    before = searches(milvus) + AGREEING
    plan = (
        PLAN
        if model == "closed"
        else ("--arrival", "constant", "--rate", "40", *PLAN[2:], "--max-in-flight", "20", "--max-wait", "30")
    )
    master = cluster.master(1, "--host", milvus.uri, *DATA, *plan)
    cluster.worker("one")
    master.wait_for("Phase 1 of 4")
    late = cluster.worker("late")
    assert master.finish() == 0, master.run.err
    assert late.finish() == 0, late.run.err
    assert searches(milvus) - before == count_all(master.run.reported)
    assert "no sync store is open" not in late.run.err
    assert "no async store is open" not in late.run.err
    if model == "open":
        assert [window["offered"] for window in master.run.reported["windows"]] == [40 * SECONDS] * 4


def test_a_worker_with_another_locustfile_is_refused(milvus: EmbeddedServer, cluster: Cluster) -> None:
    master = cluster.master(1, "--host", milvus.uri, *DATA, *PLAN)
    stranger = cluster.worker("stranger", files="insert.py")
    assert stranger.finish() == 2
    assert stranger.run.err.rstrip().endswith(
        "This worker does not belong to its master: it runs another locustfile than this master."
    )
    own = cluster.worker("own")
    assert master.finish() == 0, master.run.err
    assert own.finish() == 0
    assert [window["workers_lost"] for window in master.run.reported["windows"]] == [0] * 4
