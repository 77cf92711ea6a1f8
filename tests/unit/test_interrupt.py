"""When Ctrl-C ends a process, and when it leaves that to the master."""

from collections.abc import Callable
from signal import SIGINT, SIGTERM

import pytest

from loadgen.locust_plugin.coordination import identity
from loadgen.locust_plugin.process import Interrupt

Scheduled = list[tuple[float, Callable[[], None]]]


@pytest.fixture
def scheduled() -> Scheduled:
    return []


@pytest.fixture
def interrupt(scheduled: Scheduled) -> Interrupt:
    return Interrupt(lambda seconds, act: scheduled.append((seconds, act)))


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_process_is_interrupted_immediately_and_once(interrupt: Interrupt, scheduled: Scheduled, number: int) -> None:
    assert not interrupt.came
    with pytest.raises(KeyboardInterrupt):
        interrupt(number)
    interrupt(SIGINT)
    assert (interrupt.number, interrupt.code, scheduled) == (number, 128 + number, [])


def test_a_forked_worker_lets_its_master_end_it_and_ends_itself_if_that_does_not(
    interrupt: Interrupt, scheduled: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "forked_by_master", True)
    interrupt(SIGINT)
    interrupt(SIGINT)
    assert interrupt.came
    [(seconds, act)] = scheduled
    assert seconds == Interrupt.MASTER_FIRST
    with pytest.raises(KeyboardInterrupt):
        act()


def test_after_a_while_a_second_signal_counts_again(interrupt: Interrupt, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("loadgen.locust_plugin.process.time.monotonic", lambda: now)
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    now += Interrupt.PATIENCE - 0.1
    interrupt()
    now += 0.2
    with pytest.raises(KeyboardInterrupt):
        interrupt()
