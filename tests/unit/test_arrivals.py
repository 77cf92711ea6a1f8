"""The open model in one process: slots are made once per phase, and a schedule ends with nobody in flight."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loadgen.control import arrivals as module
from loadgen.control.arrivals import Arrivals
from loadgen.control.messages import ShareFrom
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.users.arrival_schedule import Share
from loadgen.users.dispatcher import ShareChange
from tests.unit.virtual_time import VirtualTime

FIRST = Phase(0, Mode.ASYNC, 0, seconds=60.0, model="constant", rate=50.0)
SECOND = Phase(1, Mode.ASYNC, 0, seconds=60.0, model="constant", rate=50.0)


@dataclass
class Slots:
    """A fake dispatcher that records its calls."""

    environment: Any
    process_state: Any
    phase: Phase
    classes: list[Any]
    missing: int = 4
    operations: int = 0
    in_flight: int = 0
    leaving: int = 0
    latest: float = 0.0
    is_over: bool = True
    offered: int = 7
    lags: tuple[float, ...] = (0.1,)
    noted: list[Any] = field(default_factory=list)

    def prepare(self) -> None:
        self.noted.append("prepare")

    def halt(self) -> None:
        self.noted.append("halt")

    def dismiss(self) -> None:
        self.noted.append("dismiss")

    def abandon(self) -> None:
        self.noted.append("abandon")
        self.in_flight = 0

    def start(self, start: float, change: ShareChange) -> None:
        self.noted.append((start, change))

    def reshare(self, change: ShareChange) -> None:
        self.noted.append(change)


class Open:
    """Arrivals of a process that runs, with such slots."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.time = VirtualTime()
        self.time.rule(patch, (module,))
        self.made: list[Slots] = []
        self.is_running = True
        self.waits = 3.0
        """Seconds that operations in flight are waited for."""
        self.offers: list[Any] = []

        def make(*given: Any) -> Slots:
            self.made.append(Slots(*given))
            return self.made[-1]

        patch.setattr(module, "Dispatcher", make)
        kinds = [
            SimpleNamespace(name="blocking", mode=Mode.SYNC, style="", weight=1),
            SimpleNamespace(name="mine", mode=Mode.ASYNC, style="", weight=1),
            SimpleNamespace(name="burst", mode=Mode.ASYNC, style="gather", weight=1),
            SimpleNamespace(name="unused", mode=Mode.ASYNC, style="", weight=0),
        ]
        self.state: Any = SimpleNamespace(
            closed=False,
            phase=None,
            settings_for=lambda _variant: SimpleNamespace(max_in_flight=64),
            outlast=lambda wait: wait(self.waits),
            ledger=SimpleNamespace(offer=lambda *given: self.offers.append(given)),
        )
        self.arrivals = Arrivals(SimpleNamespace(user_classes=kinds), cast("Any", self.state), lambda: self.is_running)

    def count_missing(self, phase: Phase) -> int:
        return self.time.run(lambda: self.arrivals.count_missing(phase))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    return Open(monkeypatch)


def test_slots_are_made_once_for_each_attempt_at_a_phase_of_the_users_of_its_mode(opened: Open) -> None:
    assert [opened.count_missing(FIRST) for _ in range(2)] == [4, 4]
    (slots,) = opened.made
    assert [kind.name for kind in slots.classes] == ["mine"]
    assert (slots.phase, opened.state.phase) == (FIRST, FIRST)
    opened.count_missing(SECOND)
    assert slots.noted == ["prepare", "halt", "dismiss"], "those of the phase before are not used again"
    assert [made.phase for made in opened.made] == [FIRST, SECOND]


@pytest.mark.parametrize(("is_running", "closed"), [(False, False), (True, True), (False, True)])
def test_all_slots_are_missing_where_the_process_does_not_run(opened: Open, is_running: bool, closed: bool) -> None:
    opened.is_running, opened.state.closed = is_running, closed
    assert opened.count_missing(FIRST) == 64
    assert opened.made == []


def test_a_share_is_that_of_this_process(opened: Open) -> None:
    opened.arrivals.begin(5.0, ShareFrom(0.0, 1, 2))  # no slots, no arrivals
    opened.count_missing(FIRST)
    opened.arrivals.begin(5.0, ShareFrom(0.0, 1, 2))
    opened.arrivals.reshare(ShareFrom(0.4, 0, 3))
    assert opened.made[0].noted[1:] == [(5.0, ShareChange(0.0, Share(1, 2))), ShareChange(0.4, Share(0, 3))]


def test_lateness_is_reported_once(opened: Open) -> None:
    assert (opened.arrivals.take_lag(), opened.arrivals.in_flight) == (0.0, 0)
    opened.count_missing(FIRST)
    opened.made[0].latest, opened.made[0].operations = 0.25, 3
    assert opened.arrivals.in_flight == 3
    assert [opened.arrivals.take_lag() for _ in range(2)] == [0.25, 0.0]


def test_an_end_waits_for_the_schedule_and_for_those_in_flight_and_counts_what_was_offered(opened: Open) -> None:
    opened.count_missing(FIRST)
    (slots,) = opened.made
    slots.is_over, slots.in_flight = False, 2
    opened.time.after(1.0, lambda: setattr(slots, "is_over", True))
    opened.time.after(2.5, lambda: setattr(slots, "in_flight", 0))
    began = opened.time()
    opened.time.run(opened.arrivals.complete)
    assert opened.time() - began == pytest.approx(2.5, abs=0.05)
    assert slots.noted == ["prepare", "halt", "dismiss"]
    assert opened.offers == [(7, (0.1,))]
    opened.time.run(opened.arrivals.finish)
    assert len(opened.offers) == 1, "a second end counts nothing"


def test_a_schedule_that_does_not_end_and_operations_that_never_do_are_given_up(opened: Open) -> None:
    opened.count_missing(FIRST)
    (slots,) = opened.made
    slots.is_over, slots.in_flight = False, 2
    began = opened.time()
    opened.time.run(opened.arrivals.complete)
    assert opened.time() - began == pytest.approx(2.0 + 3.0, abs=0.05)
    assert slots.noted == ["prepare", "halt", "abandon", "dismiss"]
