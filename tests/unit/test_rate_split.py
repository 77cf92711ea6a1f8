"""The rate of an open phase is split over the workers that are present, and split again as they leave and join."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from loadgen.control import rate_split
from loadgen.control.errors import PlanBrokenError
from loadgen.control.messages import Command, CountMissingSlots, OpenWindow, Reshare, ShareFrom
from loadgen.control.rate_split import SHARE_AHEAD, Splitting
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from tests.unit.virtual_time import VirtualTime

OPEN = Phase(3, Mode.ASYNC, 0, seconds=6.0, model="constant", rate=50.0)


@dataclass
class Answers:
    values: dict[str, Any]


class Workers:
    """Agents that answer immediately; `there` is who is present, `missing` how many slots each lacks."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.missing: dict[str, int] = {}
        self.asked: list[tuple[str, Command]] = []

    def present(self) -> set[str]:
        return set(self.there)

    def ask(self, commands: Mapping[str, Command], within: float = 15.0) -> Answers:
        del within
        self.asked += commands.items()
        slots = isinstance(next(iter(commands.values()), None), CountMissingSlots)
        return Answers({name: self.missing.get(name, 0) if slots else None for name in commands if name in self.there})

    def kinds(self, name: str) -> list[str]:
        return [command.kind for who, command in self.asked if who == name and command.kind != "count_missing_slots"]

    def shares(self, name: str) -> list[ShareFrom]:
        """Which share of how many a worker was given, in order."""
        given = [command for who, command in self.asked if who == name and isinstance(command, OpenWindow | Reshare)]
        return [command.share for command in given if command.share is not None]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    made = VirtualTime()
    made.rule(monkeypatch, [rate_split])
    return made


def parts(workers: Workers, name: str) -> list[tuple[int, int]]:
    return [(share.index, share.parts) for share in workers.shares(name)]


def test_the_rate_is_split_again_when_a_worker_leaves_joins_and_comes_back(time: VirtualTime) -> None:
    workers = Workers("a", "b")
    time.after(1.0, lambda: workers.there.discard("b"))
    time.after(2.0, lambda: workers.there.add("c"))
    time.after(3.0, lambda: workers.there.add("b"))
    began = time()
    time.run(Splitting(workers, OPEN, {"run_id": "r"}).measure)
    assert time() - began == pytest.approx(6.0, abs=0.3)
    assert parts(workers, "a") == [(0, 2), (0, 1), (0, 2), (0, 3)]
    assert parts(workers, "b") == [(1, 2), (1, 3)]
    assert parts(workers, "c") == [(1, 2), (2, 3)]
    assert workers.kinds("c")[:2] == ["enter", "open_window"], "a newcomer's metrics know the phase before it counts"


def test_those_who_stay_know_of_a_new_split_before_those_who_join_and_both_of_one_moment(time: VirtualTime) -> None:
    workers = Workers("a")
    time.after(1.0, lambda: workers.there.add("b"))
    time.run(Splitting(workers, OPEN, {}).measure)
    split = [
        (name, command)
        for name, command in workers.asked
        if isinstance(command, OpenWindow | Reshare) and command.share is not None and command.share.parts == 2
    ]
    assert [(name, command.kind) for name, command in split] == [("a", "reshare"), ("b", "open_window")]
    moments = [command.share.after for _, command in split if command.share]
    assert moments[0] == moments[1] == pytest.approx(1.2 + SHARE_AHEAD, abs=0.3), "in time for both to know of it"
    (opened,) = [command for _, command in split if isinstance(command, OpenWindow)]
    assert opened.elapsed == pytest.approx(moments[0] - SHARE_AHEAD)


def test_a_newcomer_has_no_share_before_its_slots_are_ready(time: VirtualTime) -> None:
    workers = Workers("a")
    workers.missing["b"] = 3
    time.after(1.0, lambda: workers.there.add("b"))
    time.after(4.0, workers.missing.clear)
    time.run(Splitting(workers, OPEN, {}).measure)
    (share,) = workers.shares("b")
    assert 4.0 < share.after < 5.0


def test_a_newcomer_that_is_not_ready_at_the_end_of_the_phase_is_not_asked_any_longer(time: VirtualTime) -> None:
    workers = Workers("a")
    workers.missing["b"] = 3
    time.after(1.0, lambda: workers.there.add("b"))
    time.run(Splitting(workers, OPEN, {}).measure)
    asked = len(workers.asked)
    time.run(lambda: time.pause(5.0))
    assert (workers.shares("b"), len(workers.asked)) == ([], asked)


@pytest.mark.parametrize("number", [3, 4])
def test_the_log_counts_phases_from_1_as_all_that_people_read_does(
    number: int, time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "loadgen")
    workers = Workers("a")
    time.after(1.0, lambda: workers.there.add("b"))
    time.run(Splitting(workers, replace(OPEN, number=number), {}).measure)
    assert caplog.messages == [f"The rate of phase {number + 1} is split over 2 workers now"]


def test_the_phase_begins_when_all_slots_are_ready(time: VirtualTime) -> None:
    workers = Workers("a", "b")
    opened: list[tuple[int, float]] = []
    workers.missing = {"a": 1, "b": 7}
    time.after(2.0, lambda: workers.missing.update(a=0))
    time.after(5.0, lambda: workers.missing.update(b=0))
    began = time()
    time.run(lambda: Splitting(workers, OPEN, {}).measure(lambda phase: opened.append((phase.number, time() - began))))
    ((number, after),) = opened
    assert number == 3
    assert after == pytest.approx(5.0, abs=0.1)


def test_slots_that_do_not_get_ready_end_the_plan(time: VirtualTime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_split, "SLOTS_WITHIN", 12.0)
    workers = Workers("a", "b")
    workers.missing = {"a": 1, "b": 7}
    with pytest.raises(PlanBrokenError, match="8 concurrency slots not ready within 12 s"):
        time.run(Splitting(workers, OPEN, {}).measure)
    assert workers.shares("a") == []


def test_a_phase_without_workers_ends_early(time: VirtualTime) -> None:
    workers = Workers("a")
    time.after(1.0, workers.there.clear)
    began = time()
    time.run(Splitting(workers, OPEN, {}).measure)
    assert time() - began < 1.5
