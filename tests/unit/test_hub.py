"""What a listener on the hub raises, and what it waits for, costs nobody else anything."""

import logging
import threading
from asyncio import CancelledError
from collections.abc import Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event
from locust.exception import RescheduleTask, StopUser

from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.runtime.hub import HubQueue

RAISED = (
    ValueError, StopUser, RescheduleTask, SystemExit, KeyboardInterrupt, GeneratorExit, gevent.GreenletExit,
    gevent.Timeout, CancelledError, BaseException,
)  # fmt: skip


def sample(number: int) -> Sample:
    return Sample(Mode.SYNC, "search", 0.0, 0.0, float(number), Outcome.OK, 1)


def wait(event: Event) -> None:
    with gevent.Timeout(20, AssertionError("waited 20 s")):
        event.wait()


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_a_delivery_or_a_call_raises_what_comes_after_it_arrives(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    arrived: list[int] = []

    def deliver(samples: Sequence[Sample]) -> None:
        arrived.extend(int(one.finished) for one in samples)
        raise kind

    def fail() -> None:
        raise kind

    queue = HubQueue(deliver)
    for number in range(3):
        queue.put(sample(number))
        queue.put(fail)
    assert queue.flush()
    queue.put(sample(3))
    assert queue.flush()
    queue.close()
    assert arrived == [0, 1, 2, 3]
    reported = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(reported) == 2, "one for each place, however often it raised"
    assert all(kind.__name__ in record.getMessage() for record in reported)


def test_a_listener_that_flushes_the_queue_that_calls_it_does_not_wait_for_itself() -> None:
    arrived: list[str] = []
    queue = HubQueue(lambda samples: arrived.extend(str(int(one.finished)) for one in samples))
    done: list[bool] = []
    finished = Event()

    def flush() -> None:
        done.append(queue.flush())
        arrived.append("flushed")
        finished.set()

    queue.put(flush)
    queue.put(sample(1))
    wait(finished)
    assert done == [True]
    assert arrived == ["1", "flushed"]
    assert queue.flush()
    queue.close()


def test_a_listener_may_wait_for_what_is_behind_it_in_the_queue() -> None:
    arrived: list[str] = []
    queue = HubQueue(lambda samples: arrived.extend(str(int(one.finished)) for one in samples))
    gate, over = Event(), Event()
    main = threading.get_ident()

    def wait_for_gate() -> None:
        wait(gate)
        arrived.append(f"over, on the hub: {threading.get_ident() == main}")
        over.set()

    queue.put(wait_for_gate)
    queue.put(sample(1))
    queue.put(gate.set)
    queue.put(sample(2))
    wait(over)
    assert queue.flush()
    assert arrived[0] == "1"
    assert sorted(arrived) == ["1", "2", "over, on the hub: True"]
    queue.put(sample(3))
    assert queue.flush()
    queue.close()
    assert arrived[-1] == "3", "one greenlet delivers, and only one"


def test_a_call_behind_a_batch_does_not_wait_for_the_listener_of_a_sample_in_it() -> None:
    gate = Event()
    seen: list[str] = []

    def deliver(samples: Sequence[Sample]) -> None:
        if samples and not gate.is_set():
            wait(gate)
        seen.extend(str(int(one.finished)) for one in samples)

    queue = HubQueue(deliver)
    for item in (sample(0), sample(1), gate.set):
        queue.put(item)
    assert queue.flush()
    queue.close()
    assert seen == ["0", "1"]


def test_others_who_flush_wait_for_a_listener_that_waits() -> None:
    queue = HubQueue(lambda _samples: None)
    gate = Event()
    order: list[str] = []

    def slow() -> None:
        wait(gate)
        order.append("listener")

    queue.put(slow)
    assert queue.flush(within=0.2) is False, "it has not been delivered"
    gevent.spawn_later(0.05, gate.set)
    assert queue.flush()
    order.append("flushed")
    assert order == ["listener", "flushed"]
    queue.close()


def test_listeners_that_never_come_back_hold_a_bounded_number_of_greenlets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.runtime.hub.WAITING_AT_MOST", 3)
    queue = HubQueue(lambda _samples: None)
    begun: list[int] = []
    gate = Event()

    def hang(number: int) -> None:
        begun.append(number)
        wait(gate)

    items: list[Any] = [lambda number=number: hang(number) for number in range(10)]
    for item in items:
        queue.put(item)
    assert queue.flush(within=0.5) is False
    assert begun == [0, 1, 2, 3]
    gate.set()
    assert queue.flush()
    assert begun == list(range(10))
    queue.close()


def test_a_queue_that_is_closed_leaves_a_listener_that_waits_behind_without_a_word(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = HubQueue(lambda _samples: None)
    begun = Event()

    def hang() -> None:
        begun.set()
        gevent.sleep(60)

    queue.put(hang)
    wait(begun)
    monkeypatch.setattr(queue, "flush", lambda: False)  # it would wait 5 s for the listener
    queue.close()
    assert not caplog.records
