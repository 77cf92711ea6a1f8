"""Requirements checked against a run record: each is met or missed, with the deciding value.

Times are response times, from the scheduled start: what a user experiences. Every phase in scope must meet it by
itself, in each round, and the worst is reported; only a count of failures is summed. `max_failures` counts all that
was sent, including outside the phases, and each task exception as a failed operation. A phase in which no operation
ended meets nothing: a hanging server shows neither times nor failures. A ratio meets a limit only with its whole
interval, a rate with its lower end. A dropped arrival is a failure; which operation it would have been is unknown, so
it counts for each operation of its phase. For an upper limit on a time, what failed or was dropped is later than any
limit: where 2 % failed, no p99 is met. Timeouts are among the times themselves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from loadgen.measure.objective import RELATIONS, TIME_UNITS
from loadgen.measure.sample import Outcome, count_answers, count_failures, share_empty
from loadgen.results.cost import find_cost
from loadgen.results.figures import per_second
from loadgen.results.record import Comparison, OperationRecord, Outside, PhaseRecord, RunRecord
from loadgen.results.requirements.faults import read_recoveries
from loadgen.results.requirements.found_rates import read_rates
from loadgen.results.requirements.parsing import (
    BYTES,
    CHECKED,
    ITEMS,
    PER_CENT,
    RATE,
    RECOVERY,
    TIMES,
    FailureLimit,
    Requirement,
)
from loadgen.results.requirements.reading import NOTHING, Judgement, Reading, level_of, place_of
from loadgen.results.requirements.times import read_time
from loadgen.text.listing import count_of

PER_SECOND = ("throughput", "goodput", ITEMS)
"""Figures that are 0 where nothing ended."""


def judge(
    record: RunRecord, requirements: Iterable[Requirement], max_failures: FailureLimit | None = None
) -> list[Judgement]:
    """Judge all in order, the failures of the whole run last."""
    judgements = [_judge_one(record, requirement) for requirement in requirements]
    if max_failures is not None:
        judgements.append(_judge_failures(record, max_failures))
    return judgements


def _judge_one(record: RunRecord, wanted: Requirement) -> Judgement:
    if wanted.figure == RECOVERY:
        readings = [
            one for phase in record.phases if _is_sought(phase, wanted) for one in read_recoveries(phase, wanted)
        ]
    elif wanted.figure == RATE:
        readings = read_rates(record, wanted)
    else:
        readings = _compared(record, wanted) if wanted.figure == "ratio" else _measured(record, wanted)
    if not readings:
        return Judgement(wanted.text, met=False, measured=NOTHING, where=_sought(wanted))
    worst = _pick_worst(readings, wanted.comparator)
    met = worst.value is not None and RELATIONS[wanted.comparator](worst.value, wanted.limit)
    return Judgement(wanted.text, met, worst.shown, worst.where)


def _pick_worst(readings: Sequence[Reading], comparator: str) -> Reading:
    """A reading without a value, else the one farthest from meeting the requirement."""
    choose = max if comparator.startswith("<") else min
    without = (reading for reading in readings if reading.value is None)
    return next(without, None) or choose(readings, key=lambda reading: reading.value or 0.0)


def _measured(record: RunRecord, wanted: Requirement) -> list[Reading]:
    phases = [phase for phase in record.phases if _is_sought(phase, wanted)]
    pairs = [(phase, each) for phase in phases for each in phase.operations if each.operation == wanted.operation]
    covered = {place_of(phase) for phase, _ in pairs}
    gaps = [place_of(phase) for phase in phases if not phase.operations or place_of(phase) not in covered]
    missing = [Reading(place, None) for place in dict.fromkeys(gaps)]
    if pairs and wanted.is_total and not missing:
        return [_total(pairs)]
    return missing + _find_idle(phases, pairs, wanted) + [_read(phase, each, wanted) for phase, each in pairs]


def _find_idle(
    phases: Iterable[PhaseRecord], pairs: Iterable[tuple[PhaseRecord, OperationRecord]], wanted: Requirement
) -> list[Reading]:
    """Rates of the rounds in which the operation never ended, although others did; a burst is of one operation."""
    measured = {id(phase) for phase, _ in pairs}
    if wanted.figure not in PER_SECOND or not measured:
        return []
    idle = (one for one in phases if id(one) not in measured and one.operations and not one.style)
    return [Reading(place_of(one) + _troubles(one), 0.0, "0/s") for one in idle]


def read_phase(phase: PhaseRecord, wanted: Requirement) -> tuple[Reading, bool]:
    """What one phase shows of a requirement, whatever its variant and level, and whether it meets it."""
    own = next((each for each in phase.operations if each.operation == wanted.operation), None)
    reading = Reading(place_of(phase), None) if own is None else _read(phase, own, wanted)
    return reading, reading.value is not None and RELATIONS[wanted.comparator](reading.value, wanted.limit)


def _total(pairs: Sequence[tuple[PhaseRecord, OperationRecord]]) -> Reading:
    dropped = sum(phase.dropped for phase, _ in pairs)
    failures = sum(result.failures for _, result in pairs) + dropped
    where = place_of(pairs[0][0]) if len(pairs) == 1 else f"over {len(pairs)} phases"
    return Reading(where, failures, f"{failures:,}{_dropped(dropped)}")


def _read(phase: PhaseRecord, operation: OperationRecord, wanted: Requirement) -> Reading:
    where = place_of(phase) + _troubles(phase)
    if wanted.figure in TIMES:
        return read_time(where, phase, operation, wanted)
    if wanted.figure in PER_SECOND:
        rate = _find_rate(phase, operation, wanted)
        return Reading(where, rate, NOTHING if rate is None else f"{rate:.6g}/s")
    if wanted.figure in CHECKED:
        share = operation.recall if wanted.figure == "recall" else operation.mrr
        return Reading(where, share, _shown_recall(share, wanted.unit))
    if wanted.figure == "empty":
        return _read_empty(where, operation)
    if wanted.figure in ("cpu", "memory"):
        return _read_cost(where, phase, wanted)
    return _share(where, operation.failures, operation.count, phase.dropped)


def _find_rate(phase: PhaseRecord, operation: OperationRecord, wanted: Requirement) -> float | None:
    """Per second: answered operations, good ones, or items; None if there is no such figure."""
    if wanted.figure == ITEMS:
        number = operation.items.get(wanted.part)
        return None if number is None else per_second(number, phase.seconds)
    return operation.goodput if wanted.figure == "goodput" else operation.throughput


def _read_empty(where: str, operation: OperationRecord) -> Reading:
    answers = count_answers(operation.outcomes)
    if not answers:
        return Reading(where, None)
    share = share_empty(operation.outcomes)
    return Reading(where, share, f"{_show_share(share)} ({operation.outcomes.get(Outcome.EMPTY, 0):,} of {answers:,})")


def _read_cost(where: str, phase: PhaseRecord, wanted: Requirement) -> Reading:
    """CPU time for one operation of any kind, or memory of all processes."""
    cost = find_cost([phase])
    value, scale = (cost.cpu_seconds, TIME_UNITS) if wanted.figure == "cpu" else (cost.memory_bytes, BYTES)
    if value is None:
        return Reading(where, None)
    shown = value * TIME_UNITS[wanted.unit] if scale is TIME_UNITS else value / BYTES[wanted.unit]
    return Reading(where, value, f"{shown:.6g} {wanted.unit}")


def _share(where: str, failures: int, count: int, dropped: int, raised: int = 0) -> Reading:
    """The share of all operations that failed, dropped arrivals included in both; `raised` is only shown."""
    failed, asked = failures + dropped, count + dropped
    if not asked:
        return Reading(where, None)
    reported = f"{failed:,} of {asked:,}{_dropped(dropped)}{_raised(raised)}"
    return Reading(where, failed / asked, f"{PER_CENT * failed / asked:.6g} % ({reported})")


def _shown_recall(recall: float | None, unit: str) -> str:
    if recall is None:
        return NOTHING
    return f"{recall * PER_CENT:.6g} %" if unit else f"{recall:.6g}"


def _dropped(count: int) -> str:
    return f", {count:,} of them dropped" if count else ""


def _raised(count: int) -> str:
    return f", {count:,} of them task exceptions" if count else ""


def _compared(record: RunRecord, wanted: Requirement) -> list[Reading]:
    result = [
        comparison
        for comparison in record.comparisons
        if comparison.operation == wanted.operation
        and _is_level(comparison, wanted)
        and wanted.variant in (None, comparison.variant)
    ]
    others = [one for one in record.variant_names if one != record.manifest.baseline]
    asked = [wanted.variant] if wanted.variant else others
    levels = dict.fromkeys(level_of(phase) for phase in record.phases if _is_level(phase, wanted))
    every = [_name_place(variant, level, others) for level in levels for variant in asked]
    missing = [
        Reading(place, None, "not compared")
        for place in every
        if place not in {_show_pair(one, others) for one in result}
    ]
    return missing + [_read_ratio(comparison, wanted, _show_pair(comparison, others)) for comparison in result]


def _show_pair(one: Comparison, others: Sequence[str]) -> str:
    return _name_place(one.variant, level_of(one), others)


def _name_place(variant: str, level: str, others: Sequence[str]) -> str:
    """Where a ratio was measured: the level, and the variant if there are several."""
    return level if len(others) <= 1 else f"{variant}, {level}"


def _read_ratio(comparison: Comparison, wanted: Requirement, where: str) -> Reading:
    """The interval's end that is farther from the limit: a ratio that may be chance meets nothing."""
    ratio = comparison.throughput_ratio
    if comparison.verdict == "invalid" or ratio.estimate is None:
        reasons = "; ".join(comparison.reasons)
        return Reading(where, None, f"invalid: {reasons}" if reasons else "invalid")
    if ratio.low is None or ratio.high is None:
        return Reading(where, None, f"{ratio.estimate:.6g} without an interval")
    shown = f"{ratio.estimate:.6g} [{ratio.low:.6g} to {ratio.high:.6g}]"
    meets = RELATIONS[wanted.comparator]
    low, high = meets(ratio.low, wanted.limit), meets(ratio.high, wanted.limit)
    if low != high:
        shown += ", not significant: the interval crosses the limit"
    return Reading(where, ratio.low if wanted.comparator.startswith(">") else ratio.high, shown)


def _most(limit: FailureLimit) -> str:
    return f"at most {limit.text} failure{'' if limit.text == '1' else 's'}"


def _judge_failures(record: RunRecord, most: FailureLimit) -> Judgement:
    operations: list[Outside | OperationRecord] = [
        *record.outside,
        *(each for phase in record.phases for each in phase.operations),
    ]
    idle = [phase for phase in record.phases if not phase.operations and not phase.dropped]
    if idle:  # stalled operations end, if at all, after their phase
        return Judgement(_most(most), met=False, measured=NOTHING, where=place_of(idle[0]))
    dropped = sum(phase.dropped for phase in record.phases) + sum(record.dropped_outside.values())
    raised = record.task_errors
    totals: Counter[Outcome] = sum((each.totals for each in operations), Counter())
    failures = count_failures(totals) + raised
    reading = _share("the whole run", failures, totals.total() + raised, dropped, raised)
    value = reading.value if most.is_share or reading.value is None else failures + dropped
    met = value is not None and value <= most.limit
    return Judgement(_most(most), met, reading.shown, reading.where)


def judge_empty(record: RunRecord, most: float) -> list[Judgement]:
    """A missed requirement if more than a share `most` (0 to 1) of the answers were empty; else none.

    The rounds of a variant at a level are taken together, as for comparisons. The worst is reported.
    """
    result: dict[tuple[str, str], Counter[Outcome]] = {}
    for phase in record.phases:
        for part in phase.operations:
            where = phase.style and f"{phase.style}, {part.count:,} operations"
            result.setdefault((part.operation, where or place_of(phase)), Counter()).update(part.outcomes)
    over = [(share, key) for key, outcomes in result.items() if (share := share_empty(outcomes)) > most]
    if not over:
        return []
    share, key = max(over)
    reported = (
        f"{_show_share(share)} ({result[key][Outcome.EMPTY]:,} of {count_answers(result[key]):,} answers were empty)"
    )
    others = f", {len(over) - 1} more with too many" if len(over) > 1 else ""
    return [Judgement(f"at most {_show_share(most)} empty answers", False, reported, f"{' '.join(key)}{others}")]


def _show_share(share: float) -> str:
    return f"{PER_CENT * share:.6g} %"


def _is_sought(phase: PhaseRecord, wanted: Requirement) -> bool:
    return wanted.variant in (None, phase.variant) and _is_level(phase, wanted)


def _is_level(part: PhaseRecord | Comparison, wanted: Requirement) -> bool:
    return wanted.concurrency in (None, part.concurrency) and wanted.rate in (None, part.rate)


def _troubles(phase: PhaseRecord) -> str:
    lost = f", lost {count_of(phase.workers_lost, 'worker')}" if phase.workers_lost else ""
    blind = ", generator not monitored" if phase.generator.is_unwatched else ""
    return lost + (", generator saturated" if phase.generator.saturated else "") + blind


def _sought(wanted: Requirement) -> str:
    level = (
        f"{wanted.rate:g}/s"
        if wanted.rate
        else count_of(wanted.concurrency, "user")
        if wanted.concurrency
        else "any load"
    )
    return f"no {wanted.operation or wanted.figure} of {wanted.variant or 'any variant'} at {level}"
