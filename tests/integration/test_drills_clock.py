"""Drill: somebody sets the clock of the machine in the middle of a run. Nothing that is measured hears of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.milvus.server import EmbeddedServer
from tests.integration.drill_support import SHORT, assert_all_counted, drill, one_record
from tests.integration.faulty_server import faulty_server
from tests.integration.locust_command import AGREEING

SECONDS = 1.2
PLAN = ("--concurrency", "2", "--phase-seconds", str(SECONDS), *SHORT)
HOUR = 3600
STEPPING = """
from time import time as right

step = 0.0


def wrong():
    return right() + step


time.time = wrong
for module in list(sys.modules.values()):  # those that had taken the function by its name
    if getattr(module, "time", None) is right and module is not sys.modules["__main__"]:
        module.time = wrong


def watch(environment):
    global step
    while 1 not in (environment.loadgen.counted or environment.loadgen.ledger).windows:
        threading.Event().wait(0.01)
    threading.Event().wait(0.5)
    step = float(os.environ["STEP"])
    print("the clock was set", file=sys.stderr, flush=True)


@events.init.add_listener
def _watch(environment, **_):
    threading.Thread(target=watch, args=(environment,), daemon=True).start()
"""
"""In every process of the run the wall clock jumps in the middle of phase 2; no other clock does."""


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("layout", [(), ("--processes", "2")], ids=["one process", "two workers"])
def test_a_clock_that_is_set_changes_no_figure(
    lite: EmbeddedServer, tmp_path: Path, step: int, layout: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP", str(step))
    before = datetime.now(UTC)
    with faulty_server(lite.uri) as server:
        with drill(tmp_path, "--host", server.uri, *PLAN, *layout, text=STEPPING) as run:
            code = run.finish()
        sent = server.asked - AGREEING
    after = datetime.now(UTC)
    assert run.run.err.count("the clock was set") == (3 if layout else 1), run.run.err
    assert code == 0, run.run.err
    assert assert_all_counted(run, tmp_path).total() == sent
    record = one_record(tmp_path)
    assert [phase.seconds for phase in record.phases] == pytest.approx([SECONDS] * 4)
    for phase in record.phases:
        assert phase.workers_lost == 0
        [operation] = phase.operations
        assert operation.throughput == pytest.approx(operation.count / SECONDS)
        assert operation.service_seconds.max is not None
        assert 0 < operation.service_seconds.max < 30
        assert phase.started_at is not None
        assert any(before <= phase.started_at - timedelta(seconds=one) <= after for one in (0, step))
    first, last = record.phases[0].started_at, record.phases[3].started_at
    assert first is not None
    assert last is not None
    assert before <= record.started_at <= first <= after
    assert before <= last - timedelta(seconds=step) <= after, "by the clock as it is set then"
    rows = [line.split("|") for line in run.run.err.splitlines() if line.startswith(("sync ", "async "))]
    rates = [float(row[2].split()[0]) for row in rows if len(row) == 3]
    assert rates
    assert min(rates) > 1, f"Locust's own table is of the same seconds\n{run.run.err}"
    [path] = (tmp_path / "runs").glob("*.json")
    assert main(["report", str(path), "--format", "markdown"]) == 0
