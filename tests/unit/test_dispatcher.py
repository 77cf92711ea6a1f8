"""Operations start when they are due, in both modes, whatever the earlier ones do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Any

import pytest
from locust import task

from loadgen.measure.phase import Curves, Phase
from loadgen.measure.sample import Mode, Outcome
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser
from loadgen.users.arrival_schedule import Share
from loadgen.users.dispatcher import Dispatcher, ShareChange
from tests.unit.stage import CountingStore, Stage, stage


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


BOTH = pytest.mark.parametrize("kind", [AsyncSearch, SyncSearch])


@contextmanager
def playing(
    on: Stage, *classes: type[Any], seconds: float = 0.5, rate: float = 100.0, curves: Curves = ()
) -> Iterator[Dispatcher]:
    """A phase of constant arrivals, in a window without a warm-up; all of it is counted at the end."""
    phase = Phase(0, classes[0].mode, 0, seconds=seconds, model="constant", rate=rate, curves=curves)
    made = Dispatcher(on.environment, on.process_state, phase, classes)
    made.prepare()
    on.wait_until(lambda: not made.missing, "all places")
    start = perf_counter()
    on.process_state.phase = phase
    on.process_state.ledger.open(phase, start, start + seconds)
    made.start(start, ShareChange(0.0, Share()))
    yield made
    on.wait_until(lambda: made.is_over, "the end of the schedule")
    assert perf_counter() >= start + seconds
    made.halt()
    on.wait_until(lambda: not made.in_flight, "the last operation")
    assert on.queue.flush()
    on.process_state.ledger(on.samples)
    on.process_state.ledger.offer(made.offered, made.lags)
    made.dismiss()
    on.wait_until(lambda: not made.leaving, "on_stop of all places")


def settings(**given: Any) -> Settings:
    return Settings(max_in_flight=given.pop("max_in_flight", 64), **given)


@BOTH
def test_every_arrival_is_an_operation_due_when_the_schedule_says(kind: type[Any]) -> None:
    with stage(kind) as on:
        on.process_state.settings = settings()
        with playing(on, kind):
            pass
        flow = on.process_state.ledger.windows[0].flow
        assert (flow.offered, len(on.samples)) == (50, 50)
        first = min(sample.scheduled for sample in on.samples)
        due = sorted(round((sample.scheduled - first) * 100, 6) for sample in on.samples)
        assert due == list(range(50))
        assert all(sample.scheduled <= sample.started < sample.finished for sample in on.samples)


@BOTH
def test_arrivals_go_on_while_the_server_stalls_and_the_wait_is_in_their_times(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        on.process_state.settings = settings()
        with playing(on, kind) as made:
            on.wait_until(lambda: store.calls >= 20, "20 operations sent to a server that answers none")
            assert made.in_flight >= 20
            assert not on.samples
            gate.set()
        window = on.process_state.ledger.windows[0]
        stats = window.operation_stats[kind.mode, "search"]
        assert stats.operations + window.flow.unfinished == window.flow.offered == 50
        assert stats.percentile(95) > 0.1, "the first ones waited for 20 others to come"
        assert window.flow.dropped == 0


@BOTH
def test_a_wait_for_a_place_is_in_the_response_time_and_not_in_the_service_time(kind: type[Any]) -> None:
    with stage(kind, store=CountingStore(seconds=0.02)) as on:
        on.process_state.settings = settings(max_in_flight=1, max_wait=10)
        with playing(on, kind, seconds=0.4, rate=100):
            pass
        one = max(on.samples, key=lambda sample: sample.scheduled)
        assert one.response_seconds > one.service_seconds + 0.1
        stats = on.process_state.ledger.windows[0].operation_stats[kind.mode, "search"]
        assert stats.response.get_mean_value() > 2 * stats.service.get_mean_value()


@BOTH
def test_without_a_place_arrivals_are_dropped_and_every_one_is_accounted_for(kind: type[Any]) -> None:
    gate = threading.Event()
    with stage(kind, store=CountingStore(gate=gate)) as on:
        on.process_state.settings = settings(max_in_flight=2, max_wait=0.1)
        reported: list[int] = []
        on.process_state.on_drop = lambda _mode, number: reported.append(number)
        with playing(on, kind):
            on.wait_until(lambda: on.process_state.ledger.windows[0].flow.dropped >= 20, "20 dropped arrivals")
            gate.set()
        window = on.process_state.ledger.windows[0]
        operations = sum(stats.operations for stats in window.operation_stats.values())
        assert window.flow.offered == 50
        assert operations + window.flow.dropped + window.flow.unfinished == 50
        assert sum(reported) == window.flow.dropped
        assert max(sample.started - sample.scheduled for sample in on.samples) < 0.4, "never silently late"


@BOTH
def test_what_the_end_finds_waiting_or_in_flight_is_told_with_its_age(kind: type[Any]) -> None:
    gate = threading.Event()
    with stage(kind, store=CountingStore(gate=gate)) as on:
        on.process_state.settings = settings(max_in_flight=4, max_wait=10)
        reported: list[int] = []
        on.process_state.on_drop = lambda _mode, number: reported.append(number)
        with playing(on, kind, seconds=0.3) as made:
            on.wait_until(lambda: made.offered == 30, "all arrivals")
            threading.Timer(0.1, gate.set).start()
        window = on.process_state.ledger.windows[0]
        assert (window.flow.offered, window.flow.unfinished, window.flow.dropped) == (30, 30, 0)
        assert reported == [], "the metrics count as dropped what the record does"
        assert window.operation_stats == {}
        assert window.flow.left.get_max_value() == pytest.approx(300_000, rel=0.01), "the first was due at the start"
        assert len(on.samples) == 4, "those that waited for a place were never sent"


@BOTH
def test_operations_that_never_come_back_are_counted_as_failed(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        on.process_state.settings = settings(max_in_flight=4, max_wait=10)
        phase = Phase(0, kind.mode, 0, seconds=60, model="constant", rate=100.0)
        made = Dispatcher(on.environment, on.process_state, phase, [kind])
        made.prepare()
        on.wait_until(lambda: not made.missing, "all places")
        made.start(perf_counter(), ShareChange(0.0, Share()))
        on.wait_until(lambda: store.calls == 4, "4 operations in flight")
        made.halt()
        made.abandon()
        on.wait_until(lambda: len(on.samples) == 4, "4 samples")
        gate.set()
        assert {sample.outcome for sample in on.samples} == {Outcome.FAILED}


def test_another_share_in_mid_phase_neither_loses_nor_doubles_an_arrival() -> None:
    with stage(SyncSearch) as on:
        on.process_state.settings = settings()
        with playing(on, SyncSearch, seconds=0.6) as made:
            on.wait_until(lambda: made.offered >= 10, "some arrivals")
            made.reshare(ShareChange(0.3, Share(1, 2)))
        first = min(sample.scheduled for sample in on.samples)
        due = sorted(round((sample.scheduled - first) * 100) for sample in on.samples)
        assert due == [*range(30), *range(31, 60, 2)]
        assert {sample.variant for sample in on.samples} == {Mode.SYNC}


@BOTH
def test_what_a_late_schedule_never_handed_over_is_offered_and_left_over(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage(kind) as on:
        on.process_state.settings = settings()
        hand_over = Dispatcher._dispatch

        def slowly(self: Dispatcher, arrival: Any, now: float) -> None:
            hand_over(self, arrival, now)
            sleep(0.05)

        monkeypatch.setattr(Dispatcher, "_dispatch", slowly)
        with playing(on, kind) as made:
            start = perf_counter()
            on.wait_until(lambda: perf_counter() > start + 0.6, "the end of the phase")
            made.halt()
            assert made.latest > 0.1
        window = on.process_state.ledger.windows[0]
        done = window.operation_stats[kind.mode, "search"].operations
        assert window.flow.offered == 50
        assert done < 20
        assert done + window.flow.dropped + window.flow.unfinished == 50
        assert made.lags.get_total_count() == 50
