"""The delaying server keeps its delays, and the real command reports no less than them."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from loadgen.calibrate.commands import CalibrationError
from loadgen.calibrate.driver import Driver
from loadgen.calibrate.plan import ORDER, DelayProfile, Drive
from loadgen.cli.main import main
from loadgen.datasets import open_dataset
from loadgen.locust_plugin.wrapping import Instead
from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer
from loadgen.milvus.server.delaying import DelayingServer
from loadgen.milvus.server.delays import Delays
from loadgen.milvus.store import close_stores, open_stores, to_query, warm_sync_stores
from loadgen.settings.model import Settings
from tests.integration.forked import ForkedCommand
from tests.integration.locust_command import LOADGEN, LOCUST

BASE = 0.02
SETTINGS = Settings.parse({"collection": "calibrate_test", "rows": 50, "dim": 8, "index_type": "FLAT", "top_k": 1})


class Forked(ForkedCommand):
    """A command of the driver, whose `python -m locust` is forked; any other starts as everywhere."""

    def __init__(self, command: list[str], **given: Any) -> None:
        self.is_locust = command[1:3] == ["-m", "locust"]
        super().__init__([LOCUST, *command[3:]] if self.is_locust else command, **given)

    def _execute_child(self, arguments: list[str], *given: Any) -> None:
        start: Any = super() if self.is_locust else super(ForkedCommand, self)
        start._execute_child(arguments, *given)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's commands need not import everything."""
    monkeypatch.setattr("loadgen.calibrate.commands.subprocess", Instead(subprocess, Popen=Forked))


@pytest.fixture
def server(lite: EmbeddedServer) -> Iterator[DelayingServer]:
    with DelayingServer(lite.uri) as made:
        yield made


@pytest.mark.usefixtures("forked")
def test_bare_loops_and_both_models_report_at_least_the_delay_that_the_server_kept(
    lite: EmbeddedServer, server: DelayingServer, tmp_path: Path
) -> None:
    driver = Driver(SETTINGS, server, tmp_path)
    driver.prepare(lite.uri)
    kinds = tuple(
        DelayProfile(name, Delays(base=base)) for name, base in (("20", BASE), ("40", 2 * BASE)) for _ in range(2)
    )
    paced = Drive("paced", kinds, 0.5, rate=40)
    for drive in (paced, Drive("closed", kinds, 0.5), Drive("open", kinds, 0.5, rate=40)):
        result = driver.run(drive)
        assert [one.mode for one in result] == list(ORDER)
        for one in result:
            delay = one.kind.delays.base
            assert one.operations > 0
            assert one.dropped == 0
            assert one.service[0] >= 0.999 * delay, "a histogram of three digits"
            assert one.response[0] >= one.service[0]
            assert one.service[0] < delay + 0.5
            assert one.kept.answers >= one.operations
            assert one.kept.delays[0] >= delay
            assert one.kept.late[0] >= 0


def test_a_stop_holds_every_answer_back_until_its_end(server: DelayingServer) -> None:
    settings = SETTINGS.model_copy(update={"host": server.uri})
    stores = open_stores(settings, Mode.SYNC)
    try:
        warm_sync_stores(stores)
        query = to_query(open_dataset(settings).queries()[0], settings)
        stores[0].query(query)
        server.begin(Delays(stop=0.5, every=1.0))
        began = perf_counter()
        times = []
        while perf_counter() < began + 1.0:
            started = perf_counter()
            stores[0].query(query)
            times.append(perf_counter() - started)
        kept = server.begin(Delays())
    finally:
        close_stores(stores)
    assert kept.answers == len(times)
    assert max(times) > 0.4, "one waited from about the begin of the stop to its end"
    assert kept.delays[3] > 0.4
    assert min(times) < 0.4


@pytest.mark.usefixtures("forked")
def test_a_command_that_fails_says_why(server: DelayingServer, tmp_path: Path) -> None:
    driver = Driver(SETTINGS, server, tmp_path)
    broken = Drive("open", (DelayProfile("none", Delays()),) * 4, 0.5, rate=-1.0)
    with pytest.raises(CalibrationError, match=r"open failed \(2\)") as caught:
        driver.run(broken)
    assert "--rate" in str(caught.value)


def test_an_answer_is_never_given_before_it_is_due() -> None:
    from loadgen.milvus.server.delaying import Clock

    async def run() -> None:
        loop = asyncio.get_running_loop()
        clock = Clock(loop)
        clock.begin(Delays(base=0.003))
        await asyncio.gather(*(clock.wait(loop.time()) for _ in range(50)))
        reported = clock.tell()
        assert reported["answers"] == 50
        assert min(reported["late"]) >= 0
        assert min(reported["delays"]) >= 0.003

    asyncio.run(run())


@pytest.mark.usefixtures("forked")
def test_the_a_a_test_compares_a_variant_with_itself_in_real_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [LOADGEN, "calibrate", "--aa", "--runs", "2", "--seconds", "0.5", "--json"])
    monkeypatch.setattr("loadgen.calibrate.command.signal", Instead(signal, signal=lambda *_: None))
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    done = capsys.readouterr()
    assert ended.value.code == 0, done.err
    assert '2 of 2: --variants "async; async", 8 x 0.5 s' in done.err
    loaded = json.loads(done.out)
    assert loaded["variants"] == "async; async"
    assert [one["runs"] for one in loaded["counts"]] == [2, 2]
    assert loaded["invalid"] == sum(bool(run["invalid"]) for run in loaded["runs"])
    for run in loaded["runs"]:
        for figure in ("throughput", "p99"):
            ratio = run[figure]
            assert 0 < ratio["low"] <= ratio["estimate"] <= ratio["high"]
            assert run["contains_one"][figure] is (not run["invalid"] and ratio["low"] <= 1 <= ratio["high"])
    one, other = (run["p99"]["estimate"] for run in loaded["runs"])
    assert one != other, "each run has delays of its own"
