"""Every process layout of the real `locust` command, against the real standalone: the counts are what it was sent."""

import time
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.cluster_support import count_all
from tests.integration.locust_command import (
    AGREEING,
    ENDS_WITHIN,
    SEARCHED,
    SMALL,
    record_of,
    requests_seen,
    run_locust,
    start_locust,
)

SECONDS = 0.75
PHASES = ("--concurrency", "1,4", "--rounds", "1", "--phase-seconds", str(SECONDS), "--warmup-seconds", "0.2")


def searches(server: EmbeddedServer) -> int:
    assert server.metrics_uri
    return requests_seen(server.metrics_uri)["Search"]


def test_one_process_compares_both_modes_and_counts_what_the_server_was_sent(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    before = searches(milvus) + AGREEING
    assert milvus.metrics_uri
    own = ("--host", milvus.uri, "--collection", SEARCHED, "--server-metrics", milvus.metrics_uri)
    run = run_locust(tmp_path, *own, *SMALL, *PHASES, fresh=True)
    run.assert_good()
    sent = searches(milvus) - before
    views = [phase.server for phase in record_of(tmp_path).phases]
    assert sum(view.searches for view in views if view) == sent, "each search is in the view of one phase"
    assert all(view and 0 < (view.search_seconds or 0) < 1 for view in views)
    assert run.out.count(" of them by Milvus's own clock") == 2
    assert sent == sum(run.reported["stats"].values())
    assert set(run.reported["stats"]) == {"sync search", "async search"}
    assert [(window["phase"]["concurrency"], window["phase"]["mode"]) for window in run.reported["windows"]] == [
        (users, mode) for users in (1, 4) for mode in ("sync", "async", "async", "sync")
    ]  # fmt: skip
    for window in run.reported["windows"]:
        assert window["seconds"] == pytest.approx(SECONDS)
        assert list(window["counts"]) == [f"{window['phase']['mode']} search"], "no other phase's operations"
        assert window["outcomes"][f"{window['phase']['mode']} search"] == {"ok": sum(window["counts"].values())}
    assert 0 < sum(run.counted.values()) < sent, "the warm-up is sent and not counted"
    assert run.reported["set_aside"] > 100_000, (
        "Python's search for garbage passes over what was loaded before the load"
    )
    assert "ratio (95 %)" in run.out
    assert "Async users run on" in run.err


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_one_mode_takes_locusts_own_users_rate_and_time(milvus: EmbeddedServer, tmp_path: Path, mode: str) -> None:
    before = searches(milvus)
    flags = ("--mode", mode, "-u", "6", "-r", "3", "-t", "4s")
    run = run_locust(tmp_path, "--host", milvus.uri, "--collection", SEARCHED, *SMALL, *flags)
    run.assert_good()
    assert searches(milvus) - before == run.reported["stats"][f"{mode} search"] == count_all(run.reported)
    assert 0 < run.counted[f"{mode} search"] < count_all(run.reported), "what came before all had started is outside"
    assert list(run.reported["stats"]) == [f"{mode} search"]
    assert "Ramping to 6 users at a rate of 3.00 per second" in run.err
    assert 0.5 < run.reported["windows"][0]["seconds"] < 4, "from when all six had started"


@pytest.mark.parametrize("arguments", [PHASES, ("--mode", "async", "-u", "4", "-r", "4", "-t", "7s")])
def test_two_forked_workers_lose_no_operation(
    milvus: EmbeddedServer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    before = searches(milvus) + (AGREEING if arguments is PHASES else 0)
    run = run_locust(
        tmp_path, "--host", milvus.uri, "--collection", SEARCHED, *SMALL, *arguments, "--processes", "2",
        fresh=arguments is PHASES,
    )  # fmt: skip
    run.assert_good()
    assert searches(milvus) - before == sum(run.reported["stats"].values())
    assert min(run.counted.values()) > 0


def test_a_master_and_two_workers_one_of_which_takes_the_locustfile_from_it(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    before = searches(milvus) + AGREEING
    port = str(free_port)
    waiting = ("--headless", "--only-summary", "--master", "--master-bind-port", port, "--expect-workers", "2")
    data = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL, *PHASES)
    master = start_locust(tmp_path / "master", *waiting, *data)
    workers = [
        start_locust(tmp_path / f"worker{number}", "--worker", "--master-port", port, files=files)
        for number, files in enumerate(("search.py", "-"))
    ]
    master.finish().assert_good()
    for worker in workers:
        worker.finish(30).assert_good()
    assert searches(milvus) - before == sum(master.reported["stats"].values())
    assert {tuple(window["counts"]) for window in master.reported["windows"]} == {("sync search",), ("async search",)}
    assert [window["seconds"] for window in master.reported["windows"]] == pytest.approx([SECONDS] * 8)


@pytest.mark.parametrize("layout", [(), ("--processes", "2")])
def test_ctrl_c_ends_soon_with_the_figures_and_no_traceback(
    milvus: EmbeddedServer, tmp_path: Path, layout: tuple[str, ...]
) -> None:
    before = searches(milvus) + AGREEING
    flags = ("--collection", SEARCHED, *SMALL, "--concurrency", "4", "--phase-seconds", "60", *layout)
    run = start_locust(tmp_path, "--headless", "--host", milvus.uri, *flags)
    assert run.process.stderr
    for line in run.process.stderr:
        if "Phase 1 of 8: sync, 4 users" in line:
            break
    time.sleep(2)
    run.interrupt()
    time.sleep(0.2)
    run.interrupt()  # an impatient second one costs nothing
    run.finish(ENDS_WITHIN).assert_good(130)
    assert searches(milvus) - before == sum(run.reported["stats"].values())
    assert "Variants, level by level" in run.out or not run.counted
    assert all(window["seconds"] < ENDS_WITHIN for window in run.reported["windows"]), "the phase is as long as it ran"


def test_a_second_run_uses_the_collection_again_and_fresh_loads_it_anew(milvus: EmbeddedServer, tmp_path: Path) -> None:
    assert milvus.metrics_uri
    flags = ("--host", milvus.uri, "--collection", "layout_again", *SMALL, "--mode", "sync", "-t", "1s")
    run_locust(tmp_path, *flags).assert_good()
    inserts = [requests_seen(milvus.metrics_uri)["Insert"]]
    for more in ((), ("--fresh",)):
        run_locust(tmp_path, *flags, *more).assert_good()
        inserts.append(requests_seen(milvus.metrics_uri)["Insert"])
    assert inserts[1] == inserts[0]
    assert inserts[2] == inserts[1] + 3, "300 rows in batches of 100"
