"""The load levels of a run: all rounds of one operation at a level, and how the variants compare there."""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from loadgen.measure.recall import Recalls, differ
from loadgen.measure.sample import EMPTY_AT_MOST, Outcome, count_answers, share_empty
from loadgen.results.comparison import MODES, ComparisonResult, Pair, compare_good, compare_phases, judge_arrivals
from loadgen.results.comparison_plan import BOTH_MODES, ComparisonPlan
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.phase_result import PhaseResult
from loadgen.results.record import PhaseRecord
from loadgen.results.series import Series
from loadgen.text.listing import count_of, name_phases

UNFINISHED_AT_MOST = 0.01
"""Share of operations that may be unfinished, after waiting longer than the p99, without putting it in doubt."""

NO_OBJECTIONS: Mapping[str, Sequence[str]] = MappingProxyType({})
REASONS_OF_A_KIND = 5
"""Phases that a comparison names per reason; there may be thousands."""


@dataclass(frozen=True, slots=True)
class LevelResult:
    """One operation at one load level, in all rounds."""

    level: LoadLevel
    operation: str
    results: tuple[PhaseResult, ...]
    comparison_plan: ComparisonPlan
    comparisons: Mapping[str, ComparisonResult]
    """By variant; variants that did not run at this level are omitted."""
    _series: dict[str, Series | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def variants(self) -> list[str]:
        """The variants with operations at this level, in the order of a round."""
        named = dict.fromkeys([*self.comparison_plan.variants, *(result.phase.variant for result in self.results)])
        return [name for name in named if self.series(name) is not None]

    def series(self, variant: str) -> Series | None:
        """All rounds of a variant; None if it did nothing. Cached, as a level does not change."""
        if variant not in self._series:
            self._series[variant] = self._make_series(variant)
        return self._series[variant]

    def _make_series(self, variant: str) -> Series | None:
        phases = tuple(result.record for result in self.of(variant))
        parts = tuple(result.operation(self.operation) for result in self.of(variant))
        return Series(self.operation, self.level, variant, phases, parts) if any(parts) else None

    def shown_throughput(self, variant: str) -> float:
        """The operations per second that the ratios divide; without a ratio, those of all rounds together."""
        series = self.series(variant)
        for one in self.comparisons.values():
            if one.throughput is not None and variant in one.pair:
                is_baseline = variant == one.pair.baseline
                return one.throughput.baseline_value if is_baseline else one.throughput.variant_value
        return series.throughput if series else 0.0

    @property
    def is_judged(self) -> bool:
        """True if its operations have an objective."""
        return any(part.good is not None for one in self.results if (part := one.operation(self.operation)))

    def shown_goodput(self, variant: str) -> float | None:
        """Good operations per second, those that the ratios divide as far as there are ratios; None: not judged."""
        series = self.series(variant)
        for one in self.comparisons.values():
            if one.goodput is not None and variant in one.pair:
                is_baseline = variant == one.pair.baseline
                return one.goodput.baseline_value if is_baseline else one.goodput.variant_value
        return series.goodput if series else None

    def of(self, variant: str) -> list[PhaseResult]:
        """The rounds of one variant."""
        return [result for result in self.results if result.phase.variant == variant]


class LevelResults:
    """The levels of a run so far. A level is compared again only if its results changed."""

    def __init__(
        self,
        seed: int,
        comparison_plan: ComparisonPlan = BOTH_MODES,
        objections: Mapping[str, Sequence[str]] = NO_OBJECTIONS,
        most_empty: float = EMPTY_AT_MOST,
    ) -> None:
        """`seed` seeds the bootstrap; `objections` apply to every comparison of a variant.

        `most_empty` is the share of answers that may contain no row.
        """
        self._seed = seed
        self._comparison_plan = comparison_plan
        self._objections = objections
        self._most_empty = most_empty
        self._made: dict[tuple[LoadLevel, str], LevelResult] = {}

    def take(self, results: Iterable[PhaseResult]) -> list[LevelResult]:
        """The levels of these phases, in their order; bursts have none."""
        by_level: dict[LoadLevel, list[PhaseResult]] = {}
        for result in results:
            if not result.phase.operations:
                level = load_level(result.record.concurrency, result.record.rate)
                by_level.setdefault(level, []).append(result)
        return [
            self._of(level, operation, tuple(some))
            for level, some in by_level.items()
            for operation in sorted({part.operation for result in some for part in result.record.operations})
        ]

    def _of(self, level: LoadLevel, operation: str, results: tuple[PhaseResult, ...]) -> LevelResult:
        known = self._made.get((level, operation))
        if known is None or not _are_same(known.results, results):
            known = LevelResult(
                level, operation, results, self._comparison_plan, self._compare(level, operation, results)
            )
            self._made[level, operation] = known
        return known

    def _compare(self, level: LoadLevel, operation: str, results: Sequence[PhaseResult]) -> dict[str, ComparisonResult]:
        ran = {result.phase.variant for result in results}
        pairs = [pair for pair in self._comparison_plan.pairs if set(pair) <= ran]
        return {pair.variant: self._compare_pair(f"{operation} at {level}", operation, results, pair) for pair in pairs}

    def _compare_pair(self, name: str, operation: str, results: Sequence[PhaseResult], pair: Pair) -> ComparisonResult:
        own = [result for result in results if result.phase.variant in pair]
        objections = [
            *_find_unanswered(own, operation),
            *(reason for side in pair for reason in self._objections.get(side, ())),
            *_find_empty(own, operation, self._most_empty, pair),
            *_find_unlike(own, pair, self._comparison_plan),
            *_find_troubles(own),
        ]
        name = name if pair == MODES else f"{name}, {pair.variant}"
        sliced = [result.sliced(operation) for result in results]
        phases = compare_phases(sliced, draws_of(name, self._seed), objections, pair=pair)
        if any(part.good is not None for result in own if (part := result.operation(operation))):
            phases = replace(phases, goodput=compare_good(sliced, draws_of(f"good {name}", self._seed), pair))
        caveats = _find_caveats(own, operation)
        if not results[0].phase.is_open:
            return replace(phases, reasons=(*phases.reasons, *caveats))
        return judge_arrivals(phases, {side: _share_dropped(own, side) for side in pair}, caveats)


def _find_troubles(results: Sequence[PhaseResult]) -> list[str]:
    """Faults in the load of these phases that invalidate their figures."""
    limits = [f"phase {r.number}: {limit}" for r in results if not r.was_refused for limit in r.limits]
    gaps = [f"phase {r.number}: {gap}" for r in results for gap in r.gaps]
    gone = [f"phase {r.number} lost {count_of(r.record.users_gone, 'user')}" for r in results if r.record.users_gone]
    lacking = [(r.number, r.record.workers_lost) for r in results if r.record.workers_lost]
    lost = [f"phase {number} lost {count_of(workers, 'worker')}" for number, workers in lacking]
    broken = [f"phase {r.number} was aborted" for r in results if r.was_broken_off]
    return [reason for some in (limits, gaps, gone, lost, broken) for reason in _first_of(some)]


def draws_of(name: str, seed: int) -> np.random.Generator:
    """The random generator of one level, independent of how often other levels were compared."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _are_same(known: Sequence[PhaseResult], results: Sequence[PhaseResult]) -> bool:
    return len(known) == len(results) and all(one is other for one, other in zip(known, results, strict=True))


def find_levels(
    results: Iterable[PhaseResult],
    seed: int,
    comparison_plan: ComparisonPlan = BOTH_MODES,
    objections: Mapping[str, Sequence[str]] = NO_OBJECTIONS,
    most_empty: float = EMPTY_AT_MOST,
) -> list[LevelResult]:
    """All levels, computed in one call."""
    return LevelResults(seed, comparison_plan, objections, most_empty).take(results)


def _find_unanswered(results: Sequence[PhaseResult], operation: str) -> list[str]:
    """Phases in which the operation was never answered, and those in which most operations were refused."""
    silent: list[PhaseResult] = []
    seen: list[str] = []
    for result in results:
        part = result.operation(operation)
        if part is None or part.failures == part.count:
            silent.append(result)
        elif result.was_refused and result.limits:
            reported = _show_failures(_sum_up(part.outcomes for part in result.record.operations))
            seen.append(f"most operations of phase {result.number} failed: {reported}")
    if silent:
        parts = [part for result in silent if (part := result.operation(operation)) is not None]
        reported = _show_failures(_sum_up(part.outcomes for part in parts)) if parts else "none ended"
        where = name_phases([result.number for result in silent])
        seen.insert(0, f"no {operation} was answered in {where}: {reported}")
    return _first_of(seen)


def _sum_up(outcomes: Iterable[Mapping[Outcome, int]]) -> Counter[Outcome]:
    total: Counter[Outcome] = Counter()
    for one in outcomes:
        total.update(one)
    return total


def _show_failures(outcomes: Mapping[Outcome, int]) -> str:
    """Such as `unavailable 12,345, timeout 8`, the most first."""
    kinds = sorted(((number, kind) for kind, number in outcomes.items() if kind.is_failure and number), reverse=True)
    return ", ".join(f"{kind} {number:,}" for number, kind in kinds)


def _first_of(reasons: list[str]) -> list[str]:
    """The first reasons, and the number omitted."""
    left_out = len(reasons) - REASONS_OF_A_KIND
    return reasons if left_out <= 0 else [*reasons[:-left_out], f"{count_of(left_out, 'more phase')} like these"]


def _find_empty(results: Sequence[PhaseResult], operation: str, most: float, pair: Pair) -> list[str]:
    """Sides with too many empty answers: an empty answer is fast without being comparable."""
    seen = []
    for side in pair:
        own = [result.operation(operation) for result in results if result.phase.variant == side]
        outcomes = _sum_up(part.outcomes for part in own if part is not None)
        if (share := share_empty(outcomes)) > most:
            empty, answers = outcomes[Outcome.EMPTY], count_answers(outcomes)
            reported = f"{empty:,} of {answers:,} answers ({100 * share:.6g} %, --max-empty is {100 * most:.6g} %)"
            seen.append(f"{side} returned nothing in {reported}: check filters and queries")
    return seen


def _share_dropped(results: Sequence[PhaseResult], side: str) -> float:
    """The share of its arrivals that a variant dropped."""
    own: list[PhaseRecord] = [result.record for result in results if result.phase.variant == side]
    dropped = sum(record.dropped for record in own)
    finished = sum(part.totals.total() for record in own for part in record.operations)
    return dropped / (dropped + finished) if dropped else 0.0


def _find_caveats(results: Sequence[PhaseResult], operation: str) -> list[str]:
    """Phases whose p99 is too low because it omits the many operations still waiting at the end."""
    seen: list[str] = []
    for result in results:
        part, left = result.operation(operation), result.unfinished.get(operation)
        if part is not None and left is not None and left.count > UNFINISHED_AT_MOST * part.count:
            reported = f"{count_of(left.count, 'operation')} had waited longer than its p99, up to {left.oldest:.2f} s"
            seen.append(f"when phase {result.number} ended, {reported}")
    return _first_of(seen)


def _find_unlike(results: Sequence[PhaseResult], pair: Pair, comparison_plan: ComparisonPlan) -> list[str]:
    """What differs between the sides but should not: recall, data, connections."""
    sides = {side: [result for result in results if result.phase.variant == side] for side in pair}
    unlike = []
    if comparison_plan.is_alike(pair):
        recalls = [_recalls(of_side) for of_side in sides.values()]
        if apart := differ(*recalls):
            unlike.append(f"recall differs: {pair.baseline} {apart[0]:.3f}, {pair.variant} {apart[1]:.3f}")
        if len({seen for result in results for seen in result.data}) > 1:
            unlike.append("data differs: " + ", ".join(f"{side} {_show_values(sides[side], 'data')}" for side in pair))
    processes = {
        result.connections / comparison_plan.connections.get(side, 1)
        for side, of_side in sides.items()
        for result in of_side
        if result.connections  # 0: aborted before anybody asked
    }
    if len(processes) > 1:
        unlike.append(
            "connections differ: " + ", ".join(f"{side} {_show_values(sides[side], 'connections')}" for side in pair)
        )
    return unlike


def _recalls(results: Iterable[PhaseResult]) -> Recalls:
    total = Recalls()
    for result in results:
        total.merge(result.recalls)
    return total


def _show_values(results: Iterable[PhaseResult], name: str) -> str:
    """The values of one side, each once: `2`, or `2 and 1`."""
    values = dict.fromkeys(getattr(result, name) for result in results)
    return " and ".join("/".join(value) if isinstance(value, tuple) else str(value) for value in values)
