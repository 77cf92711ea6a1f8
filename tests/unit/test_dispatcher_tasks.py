"""Which task an arrival of the open model becomes."""

from collections import Counter
from typing import Any, ClassVar

import pytest
from locust import task
from locust.exception import RescheduleTaskImmediately

from loadgen.users import AsyncUser, SyncUser
from tests.unit.stage import stage
from tests.unit.test_dispatcher import playing, settings


class AsyncMix(AsyncUser):
    done: ClassVar[Counter[str]] = Counter()
    lives: ClassVar[Counter[str]] = Counter()

    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        self.lives["start"] += 1

    async def on_stop(self) -> None:
        self.lives["stop"] += 1

    @task(3)
    async def often(self) -> None:
        self.done["often"] += 1
        await self.client.search(self.next_query())

    @task(1)
    async def other(self) -> None:
        self.done["other"] += 1
        raise RescheduleTaskImmediately


class SyncMix(SyncUser):
    done: ClassVar[Counter[str]] = Counter()
    lives: ClassVar[Counter[str]] = Counter()

    def on_start(self) -> None:
        self.lives["start"] += 1

    def on_stop(self) -> None:
        self.lives["stop"] += 1

    @task(3)
    def often(self) -> None:
        self.done["often"] += 1
        self.client.search(self.next_query())

    @task(1)
    def other(self) -> None:
        self.done["other"] += 1
        raise RescheduleTaskImmediately


@pytest.mark.parametrize("kind", [AsyncMix, SyncMix])
def test_tasks_are_drawn_by_weight_and_one_that_passes_is_replaced_by_another(kind: type[Any]) -> None:
    kind.done.clear()
    kind.lives.clear()
    with stage(kind) as on:
        on.process_state.settings = settings(max_in_flight=200)
        with playing(on, kind, rate=400):
            pass
        assert kind.done["often"] == len(on.samples) == on.process_state.ledger.windows[0].flow.offered == 200
        assert 30 < kind.done["other"] < 110, "a third of 200, four standard deviations to each side"
        assert kind.lives == {"start": 200, "stop": 200}


class AsyncFaulty(AsyncUser):
    @task
    async def work(self) -> None:
        raise ValueError("a fault of the task")


class SyncFaulty(SyncUser):
    @task
    def work(self) -> None:
        raise ValueError("a fault of the task")


@pytest.mark.parametrize("kind", [AsyncFaulty, SyncFaulty])
def test_an_arrival_whose_task_sends_nothing_is_a_dropped_one(kind: type[Any]) -> None:
    with stage(kind) as on:
        on.process_state.settings = settings(max_in_flight=20)
        with playing(on, kind, seconds=0.2):
            pass
        flow = on.process_state.ledger.windows[0].flow
        assert (flow.offered, flow.dropped + flow.unfinished, len(on.samples)) == (20, 20, 0)
        assert [row["count"] for row in on.runner.exceptions.values()] == [20]
