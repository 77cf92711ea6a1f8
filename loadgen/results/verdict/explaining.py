"""A run record put into words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from loadgen.results.bursts import Burst, find_bursts
from loadgen.results.comparison import Pair
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.record import Comparison, RateSearchRecord, RunRecord
from loadgen.results.series import Series, find_series, percentile
from loadgen.results.sweeps import say_sweep
from loadgen.results.verdict.comparing import pair_of, say_winner
from loadgen.results.verdict.faults import say_recoveries
from loadgen.results.verdict.phrases import first_of, name_levels, show_interval, show_ratio, show_time
from loadgen.results.verdict.rates import say_rates
from loadgen.results.verdict.server import say_server_work
from loadgen.results.verdict.warnings import find_lacking, find_warnings, say_answers, say_selectivity, say_unknown
from loadgen.text.listing import join

IN_THE_REPORT = "like these: `loadgen report` has them all."


@dataclass(frozen=True, slots=True)
class Explanation:
    """Sentences, the most important first."""

    headlines: tuple[str, ...]
    """Who won, one per operation."""
    findings: tuple[str, ...]
    """Other observations."""
    warnings: tuple[str, ...]
    """Reasons to doubt it."""

    def lines(self) -> list[str]:
        """All of it, for a terminal."""
        return [*self.headlines, *self.findings, *(f"Warning: {warning}" for warning in self.warnings)]


def explain(record: RunRecord) -> Explanation:
    """What the run showed, other observations, and reasons to doubt them."""
    return explain_series(record, find_series(record))


def explain_series(record: RunRecord, series: Sequence[Series]) -> Explanation:
    """`explain` with the series of the record."""
    if record.rate_search is not None:
        return _explain_search(record, record.rate_search, series)
    headlines: list[str] = []
    findings: list[str] = []
    for operation, group in groupby(series, key=lambda one: one.operation):  # series are sorted by operation
        own = list(group)
        pairs = _compared(record, operation)
        for pair, compared in pairs.items():
            headlines.append(say_winner(operation, compared))
            findings += _say_tail(own, pair, compared)
        levels = {level for compared in pairs.values() for level in compared}
        alone = first_of(_say_alone([one for one in own if one.level not in levels]), IN_THE_REPORT)
        (findings if pairs else headlines).extend(alone)
    headlines = [*filter(None, map(say_sweep, record.sweeps)), *headlines]
    bursts = find_bursts(record)
    headlines += first_of(map(_say_burst, bursts), IN_THE_REPORT)
    if not headlines:
        headlines = ["Nothing was measured: no operation ended within a phase."]
    variants = {one.variant for one in series}
    if not bursts and len(variants) == 1:
        findings.append(f"Only {next(iter(variants))} was measured, so there is nothing to compare it with.")
    findings += _say_nested(series)
    findings += [*first_of(say_recoveries(record), IN_THE_REPORT), *say_server_work(record, series)]
    findings += [*say_selectivity(record), *say_answers(record, series), *say_unknown(record)]
    return Explanation(tuple(headlines), tuple(findings), tuple(find_warnings(record, series)))


def _explain_search(record: RunRecord, search: RateSearchRecord, series: Sequence[Series]) -> Explanation:
    """A run that searched for a rate has steps instead of comparisons; a limit of the generator is expected there."""
    headlines = tuple(say_rates(search, is_over=record.incomplete is not None))
    findings = [*say_server_work(record, series), *say_selectivity(record), *say_unknown(record)]
    lacking = find_lacking(record)
    return Explanation(headlines or ("The search has no result yet.",), tuple(findings), tuple(lacking))


def _say_nested(series: Sequence[Series]) -> Iterator[str]:
    """Nested operations: they have their own figures, and no total counts them."""
    names = dict.fromkeys(one.operation for one in series if any(part.nested for part in one.parts))
    for name in names:
        parts = [part for one in series if one.operation == name for part in one.parts]
        inner, every = sum(sum(part.nested.values()) for part in parts), sum(part.count for part in parts)
        share = "All" if inner == every else f"{inner:,} of {every:,}"
        yield f"{share} {name} operations were part of other operations, so totals do not count them."


def _compared(record: RunRecord, operation: str) -> dict[Pair, dict[LoadLevel, Comparison]]:
    """By pair, in the order of a round, and by level."""
    result: dict[Pair, dict[LoadLevel, Comparison]] = {}
    order = {name: place for place, name in enumerate(record.variant_names)}
    own = (one for one in record.comparisons if one.operation == operation)
    for one in sorted(own, key=lambda one: (order.get(one.variant, len(order)), load_level(one.concurrency, one.rate))):
        result.setdefault(pair_of(one), {})[load_level(one.concurrency, one.rate)] = one
    return result


def _say_tail(own: list[Series], pair: Pair, compared: dict[LoadLevel, Comparison]) -> Iterator[str]:
    """The p99 of both sides at the highest level with a verdict and a complete p99."""
    valid = [level for level, one in compared.items() if one.verdict != "invalid" and not one.reasons]
    if not valid:
        return
    level, one = valid[-1], compared[valid[-1]]
    ratio = one.p99_ratio
    times = {pair.baseline: ratio.baseline_value, pair.variant: ratio.variant_value}
    if None in times.values():  # a record of an earlier version
        every = [series for series in own if series.level == level and series.variant in pair]
        times = {series.variant: percentile(series.times(), 99) for series in every}
    if set(times) != set(pair) or not ratio.estimate or not ratio.low or not ratio.high:
        return
    shown = join([f"{show_time(times[side])} with {side}" for side in pair])
    faster = pair.variant if ratio.high < 1 else pair.baseline
    word = "no difference shown" if ratio.low <= 1 <= ratio.high else f"{faster} is faster"
    yield (
        f"At {level} 99 of 100 {own[0].operation} operations of a typical phase were answered within {shown} "
        f"(ratio {show_ratio(ratio.estimate)}, {show_interval(ratio)}: {word})."
    )


def _say_alone(own: list[Series]) -> Iterator[str]:
    """Figures without a comparison."""
    for one in own:
        rate = f"{one.throughput:,.1f} operations/s"
        tail = show_time(percentile(one.times(), 99))
        yield f"{one.operation}: {rate} with {one.variant} at {name_levels([one.level])}, p99 {tail}."


def _say_burst(burst: Burst) -> str:
    """All styles, and the like-for-like comparison: threads against gather."""
    known = {"threads": "on threads", "async": "with async gather", "sync": "one after another"}
    shown = [f"{burst.seconds[style]:.3g} s {words}" for style, words in known.items() if style in burst.seconds]
    reported = f"{burst.operations:,} {burst.operation} operations: {join(shown)}."
    quotient = burst.quotient
    if burst.failures:
        return f"{reported} {burst.failures:,} failed. Failures may be fast, so there is no comparison."
    if not burst.is_work:
        return f"{reported} {burst.empty:,} were empty. Empty answers are fast, so there is no comparison."
    if quotient is None:
        return reported
    winner, times = ("Async gather is", quotient) if quotient >= 1 else ("Threads are", 1 / quotient)
    return f"{reported} {winner} {show_ratio(times)} times as fast here (one measurement, no interval)."
