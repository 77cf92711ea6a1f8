"""Whether a step of a rate search passes: its conditions, its backlog, and whether the load generator was the limit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loadgen.control.rate_search import Backlog, StepVerdict
from loadgen.measure.sample import count_answers
from loadgen.measure.window import Window
from loadgen.results.figures import throughput
from loadgen.results.phase_result import PhaseResult
from loadgen.results.record import OperationRecord, PhaseRecord, RateConditionRecord
from loadgen.results.requirements import CHECKED, Requirement, read_phase
from loadgen.results.requirements.parsing import TIMES
from loadgen.results.requirements.times import read_time
from loadgen.text.listing import count_of

LATE_SHARE = 0.5
"""Share of a time limit that the generator's own lateness (p99) may take before it is the limit."""
CHECKS_AT_LEAST = 10
"""Checked answers from which a recall, or a reciprocal rank, of a step is judged."""
DROPPED_AT_MOST = 0.01
"""Share of the arrivals that may be dropped before a step fails whatever its conditions say."""
REST_AT_MOST = 10.0
"""Seconds that a server may take to recover from a failed step."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step as judged."""

    verdict: StepVerdict
    values: tuple[float | None, ...]
    """The figure of each condition; None where it does not apply or nothing was measured."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a search, and the room that the load generator has for operations in flight."""

    every: tuple[Requirement, ...]
    slots: int
    """Concurrency slots of all processes."""

    def as_records(self) -> tuple[RateConditionRecord, ...]:
        """For the run record."""
        return tuple(
            RateConditionRecord(text=one.text, variant=one.variant, limit=one.limit, is_time=one.figure in TIMES)
            for one in self.every
        )

    def find_unchecked(self, variant: str, passed: Sequence[StepResult]) -> str:
        """A condition on checked answers by which no step of a variant that passed was judged; empty without one."""
        for place, one in enumerate(self.every):
            is_own = one.figure in CHECKED and one.variant in (None, variant)
            if is_own and passed and all(step.values[place] is None for step in passed):
                return f"{one.text}: fewer than {CHECKS_AT_LEAST} answers were checked in each step that passed"
        return ""

    def judge(self, result: PhaseResult, backlog: Backlog, grew: bool) -> StepResult:
        """How a step ended; `grew`: its backlog grew without bound."""
        record = result.record
        values: list[float | None] = []
        failed: list[tuple[Requirement, str]] = []
        for one in self.every:
            if one.variant not in (None, record.variant):
                values.append(None)
                continue
            reading, is_met = read_phase(record, one)
            if _is_unknown(record, one):
                values.append(None)
                continue
            values.append(reading.value)
            if not is_met:
                failed.append((one, f"{one.text}: {reading.shown}"))
        reasons = [text for _, text in failed] + list(_find_overload(record, backlog, grew))
        rate = sum(throughput(part.totals, record.seconds) for part in record.operations)
        if not reasons:
            return StepResult(StepVerdict(passes=True, throughput=rate), tuple(values), record.seconds)
        limit = self._find_limit(result, [one for one, _ in failed])
        verdict = StepVerdict(False, limit or reasons[0], bool(limit), rate)
        return StepResult(verdict, tuple(values), record.seconds)

    def _find_limit(self, result: PhaseResult, failed: Sequence[Requirement]) -> str:
        """Why the load generator was the limit of a failed step; empty if it was not."""
        if result.limits and not result.was_refused:
            return result.limits[0]
        state = result.record.generator
        lags = {"arrivals were started": state.pace_lag_p99_seconds, "the event loop was": state.loop_lag_p99_seconds}
        limits = [one.limit for one in failed if one.figure in TIMES and one.comparator.startswith("<")]
        for what, late in lags.items():
            if limits and late is not None and late >= LATE_SHARE * min(limits):
                return f"{what} {1_000 * late:.1f} ms late at p99: add workers, or give them dedicated cores"
        if state.in_flight_max >= self.slots and _would_pass(result.record, failed):
            return f"all {count_of(self.slots, 'concurrency slot')} were taken: raise --max-in-flight"
        return ""


def _is_unknown(record: PhaseRecord, wanted: Requirement) -> bool:
    """Whether answers came, but too few were checked to tell: as likely chance as the server."""
    own = _find_own(record, wanted)
    if wanted.figure not in CHECKED or own is None:
        return False
    return bool(count_answers(own.outcomes)) and own.recall_checks < CHECKS_AT_LEAST


def _find_own(record: PhaseRecord, wanted: Requirement) -> OperationRecord | None:
    return next((part for part in record.operations if part.operation == wanted.operation), None)


def _would_pass(record: PhaseRecord, failed: Sequence[Requirement]) -> bool:
    """Whether the service times meet all conditions on response times: then arrivals waited for slots only."""
    alike = [one for one in failed if one.figure in TIMES and not one.part]
    return bool(alike) and len(alike) == len(failed) and all(_is_served(record, one) for one in alike)


def _is_served(record: PhaseRecord, wanted: Requirement) -> bool:
    own = _find_own(record, wanted)
    if own is None:
        return False
    sent = record.model_copy(update={"dropped": 0})
    served = read_time("", sent, own, replace(wanted, part="service")).value
    return served is not None and served < wanted.limit


def _find_overload(record: PhaseRecord, backlog: Backlog, grew: bool) -> Iterable[str]:
    if grew:
        yield "the backlog grew without bound"
    due = record.dropped + sum(part.count for part in record.operations)
    share = max(backlog.share_dropped, record.dropped / due if due else 0.0)
    if share > DROPPED_AT_MOST:
        yield f"{100 * share:.3g} % of the arrivals were dropped"


def find_rest(record: PhaseRecord, *, passes: bool) -> float:
    """Seconds to wait after a step: all its operations have ended, but what was abandoned may still be in the server.

    As long as the longest of them had waited.
    """
    if passes:
        return 0.0
    longest = [part.response_seconds.max or 0.0 for part in record.operations]
    return min(max([record.longest_unfinished_seconds or 0.0, *longest]), REST_AT_MOST)


def mean_responses(window: Window | None, elapsed: float) -> list[tuple[float, float]]:
    """The mean response times of a phase so far, by complete slice, over all its operations; the moments in seconds."""
    result: dict[int, tuple[float, int]] = {}
    for pieces in window.slices.values() if window is not None else ():
        for number, piece in enumerate(pieces):
            if (number + 1) * piece.seconds <= elapsed and piece.buckets:
                total, count = result.get(number, (0.0, 0))
                total += sum(lowest * times for lowest, times in piece.buckets.items()) / 1e6
                result[number] = total, count + sum(piece.buckets.values())
    lengths = [pieces[0].seconds for pieces in window.slices.values()] if window is not None else []
    length = lengths[0] if lengths else math.nan
    return [((number + 1) * length, total / count) for number, (total, count) in sorted(result.items())]
