"""What an operation costs the load generator: computed, required, and shown."""

from typing import Any

import pytest

from loadgen.measure.sample import Outcome
from loadgen.reports.cost import cost_table
from loadgen.reports.data_formats import to_json
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.cost import find_cost
from loadgen.results.record import PhaseRecord
from loadgen.results.requirements import judge, parse_requirement, parse_requirements
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import operation, phase, record

USED = {"cores_used": 0.5, "memory_bytes": 300 * 2**20, "sent_bytes_per_second": 4_000.0}
KNOWN = USED | {"received_bytes_per_second": 36_000.0}


def ran(number: int, mode: str = "async", seconds: float = 10.0, **state: Any) -> PhaseRecord:
    part = operation("search", outcomes={Outcome.OK: number - 5, Outcome.TIMEOUT: 5})
    return phase(mode, 8, part, seconds=seconds, generator=KNOWN | state)


def test_rates_of_all_rounds_are_divided_by_their_operations() -> None:
    cost = find_cost([ran(1_000), ran(3_000, seconds=20.0, memory_bytes=100.0)])
    assert cost.operations == 4_000
    assert cost.cpu_seconds == pytest.approx((0.5 * 10 + 0.5 * 20) / 4_000)
    assert cost.operations_per_core_second == pytest.approx(4_000 / 15)
    assert cost.sent_bytes == pytest.approx(30.0)
    assert cost.received_bytes == pytest.approx(270.0)
    assert cost.memory_bytes == 300 * 2**20


def test_what_a_round_does_not_know_is_unknown() -> None:
    cost = find_cost([ran(1_000), ran(1_000, sent_bytes_per_second=None, cores_used=None)])
    assert (cost.cpu_seconds, cost.operations_per_core_second, cost.sent_bytes) == (None, None, None)
    assert cost.received_bytes == pytest.approx(360.0)
    assert find_cost([]).cpu_seconds is None
    assert find_cost([phase("sync", 8, operation("search", outcomes={}), generator=KNOWN)]).cpu_seconds is None


def test_nested_operations_cost_nothing_of_their_own() -> None:
    inner = operation("search", outcomes={Outcome.OK: 500}, nested={Outcome.OK: 500})
    both = phase("async", 8, operation("ask", outcomes={Outcome.OK: 500}), inner, generator=KNOWN)
    assert find_cost([both]).operations == 500


@pytest.mark.parametrize(
    ("text", "met", "measured"),
    [
        ("search async cpu < 6 ms", True, "5 ms"),
        ("search cpu < 4000 us", False, "5000 us"),
        ("search async memory <= 300 MiB", True, "300 MiB"),
        ("search async memory < 0.3 gb", False, "0.314573 GB"),
        ("search sync cpu < 1 s", False, "nothing measured"),
    ],
)
def test_requirements_on_the_cost(text: str, met: bool, measured: str) -> None:
    unknown: dict[str, Any] = dict.fromkeys(KNOWN)
    phases = (ran(1_000), ran(1_000, "sync", **unknown)) if " sync " in text else (ran(1_000),)
    (judgement,) = judge(record(*phases), parse_requirements([text]))
    assert (judgement.met, judgement.measured) == (met, measured)


@pytest.mark.parametrize(
    "text", ["search cpu < 5", "search memory < 5", "search memory < 5 ms", "search first cpu < 1 ms"]
)
def test_units_and_parts_that_the_cost_does_not_have(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_requirement(text)
    assert "cpu" in str(caught.value) or "memory" in str(caught.value)


def test_the_report_has_a_row_for_each_variant_and_level() -> None:
    summary = summarize(record(ran(1_000, "sync"), ran(2_000), ran(2_000), ran(1_000, "sync")))
    table = cost_table(summary)
    assert table.rows == (
        ("8 users", "sync", "2,000", "200", "5.000", "0.04", "0.35", "300"),
        ("8 users", "async", "4,000", "400", "2.500", "0.02", "0.18", "300"),
    )
    assert "| 8 users | async | 4,000 | 400 | 2.500 | 0.02 | 0.18 | 300 |" in to_markdown([summary])
    assert '"cpu_seconds_per_operation": 0.0025' in to_json([summary])
    assert cost_table(summarize(record(phase("sync"), phase("async")))).rows == ()
