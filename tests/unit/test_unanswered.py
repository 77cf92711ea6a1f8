"""Where the server answered nothing, the reasons name that first, and do not blame a generator that failed fast."""

from collections.abc import Mapping

import pytest

from loadgen.locust_plugin.recording import Recorder
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.results.comparison import ComparisonResult, Verdict
from loadgen.results.levels import REASONS_OF_A_KIND, find_levels
from loadgen.results.record import RunRecord
from loadgen.results.verdict import explain
from loadgen.settings.model import Settings
from tests.unit.beats import watch
from tests.unit.result_support import results_of

ROUND = (Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)
FINE = {Outcome.OK: 100}
DEAD = {Outcome.UNAVAILABLE: 12_345}
BUSY = Beat(1.0, 9.9e8, 1e9, 0.0, 0.0, 8)
"""A look at a process that used 99 % of its core."""


def run(*phases: Mapping[Outcome, int], busy: tuple[int, ...] = ()) -> Ledger:
    """A round or more whose searches ended so; the generator was busy in the phases of these numbers."""
    ledger = Ledger()
    for number, outcomes in enumerate(phases):
        mode, start = ROUND[number % 4], 100.0 * (number + 1)
        ledger.open(Phase(number, mode, 8, seconds=10), start, start + 10)
        watch(ledger, start, 10)
        for outcome, count in outcomes.items():
            ends = [start + 10 * (place + 0.5) / count for place in range(count)]
            ledger([Sample(mode, "search", end, end, end, outcome, int(outcome is Outcome.OK)) for end in ends])
        if number in busy:
            ledger.windows[number].health.add(BUSY)
    return ledger


def compared(ledger: Ledger) -> ComparisonResult:
    (level,) = find_levels(results_of(ledger), seed=1)
    return level.comparisons["async"]


def recorded(ledger: Ledger) -> RunRecord:
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger, find_levels(results_of(ledger), seed=1))
    return recorder.record


def test_a_dead_server_is_named_first_and_the_generator_is_not_blamed() -> None:
    ledger = run(FINE, FINE, DEAD, FINE, busy=(2,))
    result = compared(ledger)
    assert result.verdict is Verdict.INVALID
    assert result.reasons == (
        "no search was answered in phase 3: unavailable 12,345",
        "the throughput of async was zero in a phase",
    )
    record = recorded(ledger)
    assert [phase.generator.saturated for phase in record.phases] == [False] * 4, "failing fast is no limit"
    assert record.phases[2].generator.cpu_ratio == pytest.approx(0.99), "its figures stay"
    warnings = explain(record).warnings
    assert warnings[0].startswith("No verdict for search at 8 users: no search was answered in phase 3: unavailable")
    assert not [line for line in warnings if "generator" in line]


def test_several_dead_phases_are_one_reason() -> None:
    result = compared(run(FINE, FINE, DEAD, {Outcome.UNAVAILABLE: 5, Outcome.TIMEOUT: 8}))
    assert result.reasons[0] == "no search was answered in phases 3 and 4: unavailable 12,350, timeout 8"


def test_a_phase_in_which_nothing_ended_is_named_too() -> None:
    assert compared(run(FINE, FINE, {}, FINE)).reasons[0] == "no search was answered in phase 3: none ended"


def test_a_phase_in_which_the_server_died_is_no_proof_against_the_generator() -> None:
    ledger = run(FINE, FINE, {Outcome.OK: 40, Outcome.UNAVAILABLE: 900}, FINE, busy=(2,))
    result = compared(ledger)
    assert result.verdict is Verdict.INVALID, "what it was nobody knows"
    assert result.reasons == ("most operations of phase 3 failed: unavailable 900",)


@pytest.mark.parametrize("outcomes", [FINE, {Outcome.OK: 100, Outcome.UNAVAILABLE: 90}, {Outcome.TIMEOUT: 100}, {}])
def test_a_busy_generator_is_blamed_where_it_may_be_the_reason(outcomes: Mapping[Outcome, int]) -> None:
    ledger = run(FINE, FINE, outcomes, FINE, busy=(2,))
    assert "phase 3: the load generator used 99% of its core: add workers" in compared(ledger).reasons
    assert [phase.generator.saturated for phase in recorded(ledger).phases] == [False, False, True, False]


def test_reasons_of_thousands_of_phases_stay_few() -> None:
    ledger = run(*[FINE] * 40, busy=tuple(range(40)))
    reasons = compared(ledger).reasons
    assert len(reasons) == REASONS_OF_A_KIND + 1
    assert reasons[-1] == "35 more phases like these"
    one_more = compared(run(*[FINE] * (REASONS_OF_A_KIND + 1), busy=tuple(range(REASONS_OF_A_KIND + 1)))).reasons
    assert one_more[-1] == "1 more phase like these"
