"""Each operation of a run has its own rate."""

from collections import Counter
from typing import Any

import pytest
from locust import task
from locust.exception import RescheduleTaskImmediately

from tests.unit.stage import stage
from tests.unit.test_dispatcher import AsyncSearch, SyncSearch, playing, settings


class AsyncMixed(AsyncSearch):
    @task
    async def lookup(self) -> None:
        async with self.measure("lookup"):
            pass

    @task
    async def never(self) -> None:
        raise RescheduleTaskImmediately


class SyncMixed(SyncSearch):
    @task
    def lookup(self) -> None:
        with self.measure("lookup"):
            pass

    @task
    def never(self) -> None:
        raise RescheduleTaskImmediately


@pytest.mark.parametrize("kind", [AsyncMixed, SyncMixed])
def test_each_operation_has_its_own_rate_and_no_other_task_takes_its_place(kind: type[Any]) -> None:
    curves = (("search", ((0.0, 80.0),)), ("lookup", ((0.0, 0.0), (0.5, 80.0))), ("never", ((0.0, 10.0),)))
    with stage(kind) as on:
        on.process_state.settings = settings()
        with playing(on, kind, rate=130.0, curves=curves):
            pass
        counts = Counter(sample.operation for sample in on.samples)
        assert counts == {"search": 40, "lookup": 20}
        window = on.process_state.ledger.windows[0]
        inside, flow = sum(stats.operations for stats in window.operation_stats.values()), window.flow
        assert (flow.offered, inside + flow.dropped + flow.unfinished) == (65, 65)
        assert flow.dropped + flow.unfinished >= 5, (
            "those of `never`, and on a busy machine the last ones of the others"
        )
