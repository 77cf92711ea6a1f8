"""Faults happen at their seconds, on a clock of the test's own, and suspend what a dead server would end."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from gevent import GreenletExit

from loadgen.control.fault_schedule import ENDED_BEFORE, Effect, FaultSchedule, Runtime
from loadgen.settings.fault_grammar import Action, PlannedFault, parse_fault, read_faults
from loadgen.settings.model import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Recording:
    """An injector that notes what it is asked when; a restart takes 3 s, a command 2."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asked: list[tuple[float, str, str]] = []
        self.fails = ""

    def describe(self, fault: PlannedFault) -> str:
        return fault.name

    def begin(self, fault: PlannedFault) -> Effect:
        self._note("begin", fault.name)
        if self.fails:
            raise OSError(self.fails)
        if fault.action is Action.COMMAND:
            self._clock.sleep(2)
            return Effect(3, ("done",))
        return Effect()

    def end(self, fault: PlannedFault) -> None:
        self._note("end", fault.name)
        self._clock.sleep(3 if fault.action is Action.KILL else 0)

    def restore(self) -> None:
        self._note("restore", "")

    def _note(self, what: str, name: str) -> None:
        self.asked.append((round(self._clock.now - 100, 3), what, name))


class Greenlet:
    def kill(self, *, block: bool) -> None:
        assert not block


def schedule(text: str, recovery_within: float = 30.0) -> tuple[FaultSchedule, Recording, Clock]:
    clock = Clock()
    injector = Recording(clock)

    def run_now(function: Callable[..., object], *arguments: Any) -> Greenlet:
        function(*arguments)
        return Greenlet()

    runtime = Runtime(lambda: clock.now, clock.sleep, lambda function: function(), run_now)
    planned = read_faults(Settings.parse({"fault": text, "phase_seconds": 120}))
    return FaultSchedule(planned, injector, recovery_within, runtime), injector, clock


@pytest.mark.parametrize(
    ("text", "asked", "span"),
    [
        ("20s pause server 5s", [(22, "begin"), (27, "end")], (20, 25)),
        ("20s kill server 5s", [(22, "begin"), (27, "end")], (20, 28)),
        ("20s cut", [(22, "begin")], (20, 20)),
        ("20s command: x", [(22, "begin")], (20, 22)),
    ],
)
def test_seconds_count_from_the_end_of_the_warm_up(
    text: str, asked: list[tuple[float, str]], span: tuple[float, float]
) -> None:
    faults, injector, _ = schedule(text)
    faults.begin(2.0, 1)
    assert [(at, what) for at, what, _ in injector.asked] == asked
    [event] = faults.events
    assert (event.began, event.ended) == pytest.approx(span)
    assert event.text == f"20s {parse_fault(text).name}"
    faults.end()
    assert injector.asked[-1][1] == "restore"
    faults.end()
    assert [what for _, what, _ in injector.asked].count("restore") == 1


def test_a_command_leaves_its_exit_code_and_output() -> None:
    faults, _, _ = schedule("20s command: x")
    faults.begin(0.0, 1)
    assert (faults.events[0].exit_code, faults.events[0].output) == (3, ("done",))


def test_a_fault_that_fails_is_noted_and_the_run_goes_on() -> None:
    faults, injector, _ = schedule("20s pause server 5s")
    injector.fails = "no such process"
    faults.begin(0.0, 1)
    [event] = faults.events
    assert ("no such process" in event.error, event.ended) == (True, None)


def test_a_fault_suspends_the_watch_until_its_recovery_limit_and_not_before() -> None:
    faults, _, clock = schedule("20s kill server 5s", recovery_within=10.0)
    assert not faults.suspends(), "no phase has begun"
    faults.begin(2.0, 1)
    result = []
    for second in (19.9, 20.0, 37.9, 38.1):  # it is back at 28
        clock.now = 102 + second
        result.append(faults.suspends())
    assert result == [False, True, True, False]
    clock.now = 102 + 21
    faults.end()
    assert not faults.suspends()


def test_a_killed_server_is_no_surprise_until_its_restart_however_late() -> None:
    faults, injector, clock = schedule("10s kill server; 60s restart server", recovery_within=20.0)
    faults.begin(0.0, 1)
    assert [(at, name) for at, _, name in injector.asked] == [(10, "kill server"), (60, "restart server")]
    result = []
    for second in (9.9, 10.0, 31.0, 59.9, 79.9, 80.1):
        clock.now = 100 + second
        result.append(faults.suspends())
    assert result == [False, True, True, True, True, False]


def test_the_next_phase_has_its_own_events() -> None:
    faults, _, _ = schedule("20s cut")
    for number in (1, 2):
        faults.begin(0.0, number)
        assert [round(one.began) for one in faults.events] == [20]
        faults.end()


@pytest.mark.parametrize(
    ("text", "fails", "reported"),
    [
        ("20s pause server 5s", "", [(22, 1), (27, -1)]),
        ("20s command: x", "", [(22, 1), (24, -1)]),
        ("20s pause server 5s", "no such process", [(22, 1), (22, -1)]),
    ],
)
def test_a_fault_is_active_until_it_ends_or_fails(text: str, fails: str, reported: list[tuple[int, int]]) -> None:
    faults, injector, clock = schedule(text)
    injector.fails = fails
    heard: list[tuple[Action, float, int]] = []
    faults.tell = lambda action, change: heard.append((action, round(clock.now - 100), change))
    faults.begin(2.0, 1)
    faults.end()
    assert heard == [(parse_fault(text).action, *one) for one in reported]


def test_a_fault_in_effect_ends_with_its_phase() -> None:
    faults, _, clock = schedule("20s pause server 5s")
    heard: list[int] = []
    faults.tell = lambda _, change: heard.append(change)

    def interrupt(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 100 + 23:
            raise GreenletExit

    faults._runtime = replace(faults._runtime, sleep=interrupt)
    with pytest.raises(GreenletExit):
        faults.begin(2.0, 1)
    assert heard == [1]
    faults.end()
    assert heard == [1, -1]


def test_faults_that_a_phase_has_not_seen_are_noted_with_it() -> None:
    """One waits for the server to be back, one was due when the phase ended; a restart is running."""
    faults, injector, clock = schedule("20s kill server; 22s restart server; 30s latency 5ms 1s; 40s cut")

    def hang(function: Callable[..., object]) -> object:
        if clock.now >= 122:
            raise GreenletExit
        return function()

    def run_until(function: Callable[..., object], place: int, fault: PlannedFault) -> Greenlet:
        if place < 3:
            with suppress(GreenletExit):
                function(place, fault)
        return Greenlet()

    faults._runtime = replace(faults._runtime, call=hang, spawn=run_until)
    faults.begin(0.0, 1)
    faults._runtime = replace(faults._runtime, call=lambda function: function())
    faults.end()
    assert [(one.text, one.began, one.error) for one in faults.events] == [
        ("20s kill server", 20.0, ""),
        ("22s restart server", 22.0, ""),
        ("30s latency 5ms 1s", 30.0, ENDED_BEFORE),
        ("40s cut", 40.0, ENDED_BEFORE),
    ]
    assert faults.events[0].ended == 22.0, "the server is down until then"
    assert injector.asked[-1][1] == "restore"


def test_a_kill_without_a_time_lasts_until_its_restart() -> None:
    faults, _, _ = schedule("10s kill server; 60s restart server")
    faults.begin(0.0, 1)
    assert [(one.began, one.ended) for one in faults.events] == [(10, 60), (60, 60)]
