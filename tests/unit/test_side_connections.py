"""Connections of both sides are compared by process, and records keep shares and counts within what they can be."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from loadgen.measure.sample import Mode
from loadgen.results.comparison_plan import ComparisonPlan
from loadgen.results.levels import find_levels
from loadgen.results.record.part import Count, Share
from tests.unit.result_support import results_of
from tests.unit.test_sides import ROUND, run


@pytest.mark.parametrize(("of_async", "reported"), [(8, ()), (4, ("connections differ: sync 4, async 4",))])
def test_a_variant_with_more_connections_has_as_many_more_in_each_process(
    of_async: int, reported: tuple[str, ...]
) -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    for number, mode in enumerate(ROUND):
        ledger.windows[number].connections = of_async if mode is Mode.ASYNC else 4
    comparison_plan = ComparisonPlan(("sync", "async"), "sync", connections={"sync": 1, "async": 2})
    (level,) = find_levels(results_of(ledger), 1, comparison_plan=comparison_plan)
    comparison = level.comparisons["async"]
    assert comparison is not None
    assert comparison.reasons == reported


@pytest.mark.parametrize(
    ("kind", "least", "most", "beyond"), [(Count, 0, 2**53, 2**53 + 1), (Share, 0.0, 1.0, 1.01), (Count, 0, 1, -1)]
)
def test_a_record_has_counts_that_json_can_hold_and_shares_of_at_most_all(
    kind: Any, least: float, most: float, beyond: float
) -> None:
    adapter: TypeAdapter[float] = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in (least, most)] == [least, most]
    with pytest.raises(ValidationError):
        adapter.validate_python(beyond)
