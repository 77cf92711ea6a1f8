"""What an agent reports of its own load: operations in flight, and the rate that it offers."""

from types import SimpleNamespace

import pytest

from loadgen.control import agent as agent_module
from loadgen.control import arrivals
from loadgen.control.messages import Reshare, ShareFrom
from tests.unit.test_agent import OPEN, Process
from tests.unit.virtual_time import VirtualTime


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Process:
    """A process that is prepared for a run."""
    time = VirtualTime()
    time.rule(monkeypatch, (agent_module, arrivals))
    made = Process(time)
    made.begin()
    return made


def test_operations_of_users_and_of_arrivals_are_in_flight_together(running: Process) -> None:
    users = [SimpleNamespace(args=(SimpleNamespace(sent=sent),)) for sent in (1, 2)]
    running.runner.user_greenlets = [*users, SimpleNamespace(args=())]
    running.arrivals.in_flight = 2
    running.arrivals.take_lag = lambda: 0.5
    assert running.agent.in_flight == 5
    assert running.agent.look() == (5, 0.5, {})
    assert running.agent.report().in_flight == 5


def test_a_process_offers_its_share_of_the_rate(running: Process) -> None:
    offered: list[tuple[str, float]] = []
    running.agent.exporter.offer = lambda variant, rate: offered.append((variant, rate))  # type: ignore[method-assign]
    running.open(OPEN, share=ShareFrom(0.0, 0, 4))
    running.tell(Reshare(ShareFrom(0.9, 0, 2), "one", running.number()))
    assert offered == [("async", 12.5), ("async", 25.0)]
