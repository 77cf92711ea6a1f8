"""Reasons to doubt a figure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from loadgen.measure.flow import hangs
from loadgen.measure.sample import Outcome, count_answers, count_failures, share_empty
from loadgen.results.drift import say_drifts
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.record import Comparison, RunRecord
from loadgen.results.series import Series, mean_rank, mean_recall, most_empty
from loadgen.results.verdict.faults import warn_of_faults
from loadgen.results.verdict.generator import describe_peak_lags, say_crowded, say_held, say_late
from loadgen.results.verdict.phrases import first_of, show_share, show_time
from loadgen.settings.answers import OF_ANSWERS, OF_NEIGHBOURS
from loadgen.settings.data_settings import EXISTING
from loadgen.settings.values import DENSE
from loadgen.text.listing import count_of, join, join_some, name_phases

SATURATED = "so the results reflect the load generator, not the server. Give it dedicated cores, or add workers"
IN_THE_RECORD = "like these: the run record has them all."
SAME_RECALL = 0.01
"""Difference in recall up to which variants count as equal."""
RECALL_DIFFERS = "recall differs"
"""Prefix of the reason for a comparison with different recall, beyond chance, query by query."""


def find_warnings(record: RunRecord, all_series: Sequence[Series]) -> Iterator[str]:
    """One sentence for each: no verdict and why, failures, drops, lost workers, a generator at its limit.

    `all_series` are those of the record.
    """
    if record.incomplete:
        yield f"The run is incomplete: {record.incomplete}."
    yield from _resumed(record)
    yield from first_of(_invalid(record), IN_THE_RECORD)
    yield from first_of(_doubtful_p99(record), IN_THE_RECORD)
    yield from first_of(_failures(record), IN_THE_RECORD)
    yield from _task_errors(record)
    yield from first_of(_empty(record), IN_THE_RECORD)
    yield from _dropped(record)
    yield from first_of(_stalls(record), IN_THE_RECORD)
    yield from _failures_outside(record)
    yield from _shared(record)
    idle = [number for number, phase in enumerate(record.phases, 1) if not phase.operations]
    if idle:
        reported = "stalled operations lower the throughput but appear in no percentile"
        yield f"No operation ended in {name_phases(idle)}: {reported}."
    yield from _lost(record)
    saturated = [number for number, phase in enumerate(record.phases, 1) if phase.generator.saturated]
    if saturated:
        worst = describe_peak_lags([record.phases[number - 1] for number in saturated])
        yield f"The load generator was at its limit in {name_phases(saturated)} ({worst}), {SATURATED}."
    yield from _blind(record)
    yield from first_of(warn_of_faults(record), IN_THE_RECORD)
    yield from first_of(say_drifts(record, all_series), IN_THE_RECORD)
    yield from say_late(record)
    yield from say_held(record)
    yield from say_crowded(record)


def find_lacking(record: RunRecord) -> Iterator[str]:
    """The reasons that remain for a search: its steps fail, drop arrivals and reach limits on purpose."""
    yield from _task_errors(record)
    yield from first_of(_empty(record), IN_THE_RECORD)
    yield from _shared(record)
    yield from _lost(record)
    yield from _blind(record)


def _shared(record: RunRecord) -> Iterator[str]:
    if shared := record.manifest.shared_with:
        runs = f"run {shared[0]}" if len(shared) == 1 else f"runs {join(list(shared))}"
        yield f"The collection was also searched by {runs}, which shared the server."


def _resumed(record: RunRecord) -> Iterator[str]:
    if record.resumed:
        which = join([f"{one.phase} ({one.at:%Y-%m-%d %H:%M} UTC)" for one in record.resumed])
        reported = "other processes measured the phases before, and machine or server may have changed meanwhile"
        yield f"The run was interrupted and continued with phase {which}: {reported}."


def _lost(record: RunRecord) -> Iterator[str]:
    lost = [number for number, phase in enumerate(record.phases, 1) if phase.workers_lost]
    if lost:
        yield f"Workers were lost in {name_phases(lost)}: the load was lower than requested."


def _blind(record: RunRecord) -> Iterator[str]:
    blind = [number for number, phase in enumerate(record.phases, 1) if phase.generator.is_unwatched]
    if blind:
        yield (
            f"The load generator's CPU and lags were not sampled for most of {name_phases(blind)}: it may have been "
            "the limit instead of the server. See the log for the cause."
        )


def _invalid(record: RunRecord) -> Iterator[str]:
    """One sentence per load and reason: operations and variants that ran together mostly share it."""
    invalid = [one for one in record.comparisons if one.verdict == "invalid"]
    for which, reasons in _by_reasons(record, invalid):
        yield f"No verdict for {which}: {'; '.join(reasons) or 'no reason was recorded'}."


def _doubtful_p99(record: RunRecord) -> Iterator[str]:
    """Objections to a p99 next to a verdict on operations/s; for arrivals they are part of the verdict."""
    closed = [one for one in record.comparisons if one.verdict != "invalid" and one.reasons and one.rate is None]
    for which, reasons in _by_reasons(record, closed):
        yield f"The p99 of {which} is too low: {'; '.join(reasons)}. The verdict is on operations/s."


def _by_reasons(record: RunRecord, comparisons: Iterable[Comparison]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Comparisons with the same reasons at one level, in words; variants are named if more than two ran."""
    operations: dict[tuple[LoadLevel, tuple[str, ...]], list[str]] = {}
    variants: dict[tuple[LoadLevel, tuple[str, ...]], list[str]] = {}
    for one in comparisons:
        key = (load_level(one.concurrency, one.rate), one.reasons)
        operations.setdefault(key, []).append(one.operation)
        variants.setdefault(key, []).append(one.variant)
    several = len({one.variant for one in record.comparisons}) > 1
    for key, names in operations.items():
        whose = f" of {join_some(list(dict.fromkeys(variants[key])))}" if several else ""
        yield f"{join_some(list(dict.fromkeys(names)))}{whose} at {key[0]}", key[1]


def _failures(record: RunRecord) -> Iterator[str]:
    result: dict[str, dict[str, Counter[Outcome]]] = {}
    for phase in record.phases:
        for part in phase.operations:
            result.setdefault(part.operation, {}).setdefault(phase.variant, Counter()).update(part.outcomes)
    order = record.variant_names
    for operation, variants in result.items():
        reported = []
        for variant, outcomes in sorted(variants.items(), key=lambda one: order.index(one[0])):
            failures = sum(number for kind, number in outcomes.items() if kind.is_failure)
            if failures:
                kinds = [(kind, outcomes[kind]) for kind in Outcome if kind.is_failure and outcomes[kind]]
                by_kind = ", ".join(f"{kind} {number:,}" for kind, number in kinds)
                share = show_share(failures / outcomes.total())
                reported.append(f"{failures:,} of {outcomes.total():,} with {variant} ({share}: {by_kind})")
        if reported:
            yield f"{operation} operations failed: {join(reported)}."


def _task_errors(record: RunRecord) -> Iterator[str]:
    """Task exceptions over the whole run, with the most frequent kind."""
    counts: Counter[tuple[str, str]] = Counter()
    numbers: list[int] = []
    for number, phase in enumerate(record.phases, 1):
        counts.update({(part.error, part.place): part.count for part in phase.task_errors})
        numbers += [number] if phase.task_errors else []
    for part in record.task_errors_outside:
        counts[part.error, part.place] += part.count
    if not counts:
        return
    [((name, place), most)] = counts.most_common(1)
    kind = f"{name} at {place}" if place else name
    others = f", mostly {kind} ({most:,})" if len(counts) > 1 else f", {kind}"
    where = f" in {name_phases(numbers)}" if numbers else ""
    outside = sum(part.count for part in record.task_errors_outside)
    where += f"{' and' if where else ''} outside the phases ({outside:,})" if outside else ""
    total = counts.total()
    yield (
        f"Tasks raised {count_of(total, 'exception')}{others}{where}: the rest of these tasks was skipped, and their "
        "users paused or ended. The log has the first traceback of each kind."
    )


def _empty(record: RunRecord) -> Iterator[str]:
    """For operations without a comparison; otherwise the comparison reports it."""
    most, compared = most_empty(record), {one.operation for one in record.comparisons}
    result: dict[tuple[str, str], Counter[Outcome]] = {}
    for phase in record.phases:
        for part in phase.operations:
            if part.operation not in compared:
                result.setdefault((part.operation, phase.style or phase.variant), Counter()).update(part.outcomes)
    for (operation, who), outcomes in result.items():
        if (share := share_empty(outcomes)) > most:
            reported = (
                f"{outcomes[Outcome.EMPTY]:,} of {count_answers(outcomes):,} answers with {who} ({show_share(share)})"
            )
            narrowed = any(one.selectivity for one in record.manifest.variants)
            why = "under their filters" if narrowed else "although every query has neighbours"
            yield f"{operation} operations returned nothing: {reported}, {why}."


def _dropped(record: RunRecord) -> Iterator[str]:
    names = record.variant_names
    result = {name: sum(phase.dropped for phase in record.phases if phase.variant == name) for name in names}
    reported = [f"{number:,} with {name}" for name, number in result.items() if number]
    if reported:
        yield (
            f"Arrivals got no concurrency slot in time and were never sent: {join(reported)}. True waiting times are "
            "longer than the response times shown; lower the rate or raise --max-in-flight."
        )


def _stalls(record: RunRecord) -> Iterator[str]:
    """A stall at the end of a phase: stalled operations are in no percentile."""
    for number, phase in enumerate(record.phases, 1):
        oldest = phase.longest_unfinished_seconds
        longest = max((part.response_seconds.max or 0.0 for part in phase.operations), default=0.0)
        if oldest is not None and hangs(oldest, longest):
            yield (
                f"When phase {number} ended, {count_of(phase.unfinished, 'operation')} waited or were in flight, one "
                f"for {show_time(oldest)}. The longest that ended took {show_time(longest)}: no figure shows the stall."
            )


def _failures_outside(record: RunRecord) -> Iterator[str]:
    totals: Counter[Outcome] = sum((part.totals for part in record.outside), Counter())
    failures, count = count_failures(totals), totals.total()
    if failures:
        yield (
            f"Outside the phases (in warm-ups, or after a phase ended) {failures:,} of {count:,} operations failed, "
            "including those that the end of the run cut off."
        )


def say_selectivity(record: RunRecord) -> Iterator[str]:
    """What share of the rows the searches of each variant may find under its filter or in its partition."""
    for one in record.manifest.variants:
        result = one.selectivity
        if result is None or result.mean is None or result.least is None or result.most is None:
            continue
        between = f" ({_percent(result.least)} to {_percent(result.most)})" if result.least < result.most else ""
        yield f"Searches of {one.name} may find {_percent(result.mean)} of the rows{between}, by filter or partition."
        if result.without_match:
            checked = "" if record.manifest.dataset == EXISTING else ", and not in recall"
            yield (
                f"{result.without_match:,} of {result.queries:,} queries of {one.name} match no row: "
                f"their answers are counted as empty{checked}."
            )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def say_unknown(record: RunRecord) -> Iterator[str]:
    """Whether answers of an existing collection, or of searches of other kinds than dense, went unchecked."""
    is_known = any(part.recall is not None for phase in record.phases for part in phase.operations)
    if record.manifest.dataset == EXISTING and not is_known:
        collection = record.manifest.settings.get("collection")
        yield f"Recall was not measured: the exact neighbours in {collection}, an existing collection, are unknown."
    if record.manifest.dataset == EXISTING:
        return
    run = str(record.manifest.settings.get("search_kind", DENSE))
    kinds = {one.name: str(one.settings.get("search_kind", run)) for one in record.manifest.variants}
    others = {name: kind for name, kind in kinds.items() if kind != DENSE}
    if any(part.operation == "search" for phase in record.phases for part in phase.operations) and others:
        what = join_some(sorted(set(others.values())))
        whose = f" ({join_some(list(others))})" if len(others) < len(kinds) else ""
        yield f"Recall of {what} searches{whose} was not measured: they do not look for the nearest vectors alone."


def say_answers(record: RunRecord, all_series: Sequence[Series]) -> Iterator[str]:
    """Whether all variants had the same recall; nothing if recall was not measured."""
    known: dict[str, list[Series]] = {}
    for series in all_series:
        if series.recall is not None:
            known.setdefault(series.operation, []).append(series)
    for operation, some in known.items():
        means = {}
        for name in dict.fromkeys(one.variant for one in some):
            mean = mean_recall(part for series in some if series.variant == name for part in series.parts)
            if mean is not None:
                means[name] = mean
        shown = join([f"{mean:.3f} with {name}" for name, mean in means.items()])
        if len(means) == 1:
            yield f"Recall of {operation}: {shown}."
        elif max(means.values()) - min(means.values()) <= SAME_RECALL:
            yield _say_equal(record, operation, list(means), shown)
        elif any(reason.startswith(RECALL_DIFFERS) for reason in _reasons(record, operation)):
            yield f"The variants did not find the same neighbours (recall {shown}), so their speed cannot be compared."
        elif any(set(OF_ANSWERS) & set(one.settings) for one in record.manifest.variants):
            yield f"Recall of {operation}: {shown}: part of what was compared."
        else:
            yield f"Recall of {operation}: {shown}: may be chance, as different queries were checked."
        yield from _say_ranks(operation, some)


def _say_ranks(operation: str, some: Sequence[Series]) -> Iterator[str]:
    """The mean reciprocal rank of each variant, where expected documents are known."""
    names = dict.fromkeys(one.variant for one in some)
    means = {name: mean_rank(one for one in some if one.variant == name) for name in names}
    if known := [f"{mean:.3f} with {name}" for name, mean in means.items() if mean is not None]:
        yield f"Mean reciprocal rank of {operation}: {join(known)}."


def _say_equal(record: RunRecord, operation: str, variants: list[str], shown: str) -> str:
    if any(set(OF_NEIGHBOURS) & set(one.settings) for one in record.manifest.variants if one.name in variants):
        return f"Recall of {operation}: {shown}: each of the neighbours that its searches look for."
    return f"{'Both' if len(variants) == 2 else 'All'} returned the same neighbours: recall {shown}."  # noqa: PLR2004


def _reasons(record: RunRecord, operation: str) -> Iterator[str]:
    for one in record.comparisons:
        yield from one.reasons if one.operation == operation else ()
