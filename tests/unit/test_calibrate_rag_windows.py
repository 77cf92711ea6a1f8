"""The windows of `loadgen calibrate --rag`: bare loops beside the phases, and phases without stages."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index_instrumentation import get_dispatcher

from loadgen.calibrate.commands import CalibrationError
from loadgen.calibrate.loops import Load, Loops
from loadgen.calibrate.rag.driver import _collect
from loadgen.calibrate.rag.plan import BARE, STAGES, RagDrive, has_stages, make_plan
from loadgen.calibrate.rag.windows import aask, ask, describe, switch_stages
from loadgen.calibrate.turns import Turns
from loadgen.clients.rag.stages import StageSpans
from loadgen.locust_plugin.coordination.shapes import PhaseShape
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record.operations import OperationRecord
from tests.unit.rag_engine_support import QUESTION, Scripted, make_clients, make_engine
from tests.unit.record_support import phase, record, timed


def asks_of(number: int) -> OperationRecord:
    return timed([number], name="ask")


def test_windows_of_a_mode_are_added_and_those_without_stages_are_the_other_side() -> None:
    drive = RagDrive(STAGES, "", make_plan(1.0)[1].behaviour, (8,), 4, 1.0)
    phases = [
        phase(mode, 8, asks_of(10 + number)) for number, mode in enumerate(["sync", "async", "async", "sync"] * 4)
    ]
    sides = _collect(drive, record(*phases), [])
    tool, other = sides[Mode.SYNC, 8]
    assert [number for number in range(16) if has_stages(number)] == [0, 1, 2, 3, 12, 13, 14, 15]
    assert (tool.asks, other.asks) == (10 + 13 + 22 + 25, 14 + 17 + 18 + 21)
    assert tool.times["total"].get_total_count() == tool.asks


def test_a_run_whose_bare_windows_are_missing_is_an_error() -> None:
    drive = RagDrive(BARE, "", make_plan(1.0)[0].behaviour, (8,), 1, 1.0)
    phases = [phase(mode, 8, asks_of(10)) for mode in ("sync", "async", "async", "sync")]
    with pytest.raises(CalibrationError, match="expected 4 bare windows, the run had 0"):
        _collect(drive, record(*phases), [])


@pytest.mark.parametrize("mode", Mode)
def test_a_bare_ask_is_that_of_the_query_engine_and_has_its_times(mode: Mode) -> None:
    engine = make_engine(Scripted(), stream=True)
    parts = ask(engine, QUESTION) if mode is Mode.SYNC else asyncio.run(aask(engine, QUESTION))
    assert {name: len(times) for name, times in parts.items()} == {"first_token": 1, "inter_token": 2}
    assert min(parts["first_token"]) > 0


def ticking() -> Callable[[], float]:
    """A clock that goes on by 1 ms whenever it is read."""
    readings = count()
    return lambda: next(readings) / 1_000


def test_bare_loops_count_what_ends_in_their_window_and_raise_what_a_call_raises() -> None:
    calls: list[int] = []

    def call(query: int) -> dict[str, list[float]]:
        calls.append(query)
        return {"first_token": [0.001 * query]}

    load = Load(2, 0.0, 0.02)
    loops = Loops(call, [1, 2, 3], load, ticking())
    loops.run_sync()
    assert len(loops.times) > 0
    assert set(calls) == {1, 2, 3}
    assert len(loops.parts["first_token"]) == len(loops.times)
    reported = describe(Phase(0, Mode.SYNC, 2, seconds=0.02), loops)
    assert (reported["mode"], reported["users"], reported["asks"]) == ("sync", 2, len(loops.times))
    assert set(reported["times"]) == {"total", "first_token"}

    async def fail(_query: int) -> dict[str, list[float]]:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        asyncio.run(Loops(fail, [1], load, ticking()).run_async())
    with pytest.raises(ZeroDivisionError):
        Loops(lambda query: 1 // (query - 1), [1], load, ticking()).run_sync()


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("stream", [False, True])
def test_without_stages_an_ask_has_none_and_holds_no_loop(mode: Mode, stream: bool) -> None:
    blocking, awaited, samples = make_clients(make_engine(Scripted(), stream=stream))
    question: Any = partial(blocking.ask, QUESTION) if mode is Mode.SYNC else lambda: asyncio.run(awaited.ask(QUESTION))
    switch_stages(on=False)
    try:
        assert not any(isinstance(one, StageSpans) for one in get_dispatcher().span_handlers)
        question()
    finally:
        switch_stages(on=True)
    assert (samples[0].outcome, samples[0].stages, awaited.loop_holds.take()) == (Outcome.OK, {}, {})
    question()
    assert "generate" in samples[1].stages


class Steps:
    """A conductor that notes its steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def begin_plan(self) -> None:
        self.steps.append("plan")

    def begin(self, phase: Phase) -> list[Any]:
        self.steps.append(f"begin {phase.number}")
        return []

    def measure(self, phase: Phase) -> None:
        self.steps.append(f"measure {phase.number}")

    def finish(self, phase: Phase) -> None:
        self.steps.append(f"finish {phase.number}")

    def next_attempt(self, phase: Phase) -> Phase | None:
        self.steps.append(f"again? {phase.number}")
        return None

    def next_phase(self) -> Phase | None:
        return None

    def break_off(self, reason: str) -> None:
        self.steps.append(reason)


def test_windows_beside_the_phases_come_before_even_and_after_odd_ones() -> None:
    class Noting(Turns):
        def run_beside(self, phase: Phase) -> None:
            inner.steps.append(f"beside {phase.number}")

    inner, state = Steps(), SimpleNamespace()
    shape = PhaseShape([Phase(0, Mode.SYNC, 1), Phase(1, Mode.ASYNC, 1)], inner)
    shape.surround(lambda conductor: Noting(conductor, state))  # type: ignore[arg-type]
    while shape.tick() is not None:
        pass
    of_0 = ["beside 0", "begin 0", "measure 0", "finish 0", "again? 0"]
    assert inner.steps == ["plan", *of_0, "begin 1", "measure 1", "finish 1", "beside 1", "again? 1"]
