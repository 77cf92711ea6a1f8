"""Ends a run under which a production server suffers: conditions on the last seconds, over all agents."""

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from loadgen.measure.histograms import make_histogram, mean, percentile
from loadgen.measure.ledger import RunCounts
from loadgen.measure.objective import RELATIONS, TIME_UNITS
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Outcome, count_answers, count_failures
from loadgen.measure.window import Window
from loadgen.results.requirements.abort_conditions import EVERY
from loadgen.results.requirements.parsing import PER_CENT, TIMES, Requirement

SECONDS = 10.0
"""Length of the sliding window; workers report every 3 s."""
LEAST = 20
"""Operations in it below which no share and no time is judged."""
BEYOND = 1.0
"""Operations that must lie beyond a percentile for it to be judged: 100 for a p99, 1,000 for a p99.9."""

ROUNDED = 1_000
"""Numbers from here on are shown without decimals."""

Kind = tuple[str, str]
"""Variant and operation."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Counts at one moment, since the run began; those of the times since the phase began."""

    at: float
    phase: tuple[int, int]
    outcomes: Mapping[Kind, Counter[Outcome]]
    dropped: Mapping[str, int]
    times: Mapping[tuple[Kind, str], Counter[int]] = field(default_factory=dict)


class _Value(NamedTuple):
    value: float
    number: int
    what: str
    """What was counted, such as `61 of 496 operations`."""


class Guardrail:
    """Judges from counts only; `now` is of any monotonic clock.

    Failures and empty answers count from warm-ups too; times are those of the measured part of the current phase. An
    arrival without a slot is a failure, as in requirements.
    """

    def __init__(self, conditions: Sequence[Requirement], ledger: RunCounts) -> None:
        self._conditions = conditions
        self._ledger = ledger
        self._history: deque[_Snapshot] = deque()

    def judge(self, now: float, phase: Phase) -> str:
        """The condition that is met, with its value; empty if none is."""
        if not self._conditions:
            return ""
        latest = self._look(now, phase)
        while len(self._history) > 1 and self._history[1].at <= now - SECONDS:
            self._history.popleft()
        self._history.append(latest)
        reasons = (self._judge_one(one, latest, phase) for one in self._conditions)
        return next(filter(None, reasons), "")

    def _look(self, now: float, phase: Phase) -> _Snapshot:
        ledger = self._ledger
        outcomes: dict[Kind, Counter[Outcome]] = {kind: Counter(ends) for kind, ends in ledger.outside.items()}
        dropped = Counter(ledger.dropped_outside)
        for window in list(ledger.windows.values()):
            dropped[window.phase.variant] += window.flow.dropped
            for kind, stats in window.operation_stats.items():
                outcomes.setdefault(kind, Counter()).update(stats.totals)
        parts = {one.part for one in self._conditions if one.figure in TIMES}
        current = ledger.windows.get(phase.number)
        return _Snapshot(now, (phase.number, phase.attempt), outcomes, dropped, _find_times(current, parts))

    def _judge_one(self, one: Requirement, latest: _Snapshot, phase: Phase) -> str:
        is_level = one.concurrency in (None, phase.concurrency) and one.rate in (None, phase.rate)
        if not is_level or one.variant not in (None, phase.variant):
            return ""
        before = self._find_base(one, latest)
        read = _read_time if one.figure in TIMES else _read_share
        result = read(one, latest, before, phase.variant)
        if result is None or not RELATIONS[one.comparator](result.value, one.limit):
            return ""
        where = phase.variant if one.operation == EVERY else f"{phase.variant}, {one.operation}"
        return f'--abort-when "{_shorten(one)}": {_show(one, result.value)} ({where}: {result.what} in {SECONDS:g} s)'

    def _find_base(self, one: Requirement, latest: _Snapshot) -> _Snapshot | None:
        """What was counted before the last seconds; None if that is nothing."""
        same = [each for each in self._history if each.phase == latest.phase]
        if one.figure in TIMES:  # which count from the beginning of the phase
            return same[0] if same[0].at <= latest.at - SECONDS else None
        if one.concurrency is not None or one.rate is not None:
            return same[0]
        return self._history[0] if self._history[0].at <= latest.at - SECONDS else None


def _find_times(window: Window | None, parts: set[str]) -> dict[tuple[Kind, str], Counter[int]]:
    if window is None or not parts:
        return {}
    return {(kind, part): stats.find_times(part) for kind, stats in window.operation_stats.items() for part in parts}


def _kinds(one: Requirement, every: Mapping[Kind, object], variant: str) -> Iterator[Kind]:
    return (kind for kind in every if kind[0] == variant and one.operation in (EVERY, kind[1]))


def _read_share(one: Requirement, latest: _Snapshot, before: _Snapshot | None, variant: str) -> _Value | None:
    """Failures or empty answers of the last seconds: their share, or for failures also their number."""
    total: Counter[Outcome] = Counter()
    for kind in _kinds(one, latest.outcomes, variant):
        total += latest.outcomes[kind] - (before.outcomes.get(kind, Counter()) if before else Counter())
    dropped = latest.dropped.get(variant, 0) - (before.dropped.get(variant, 0) if before else 0)
    bad = total[Outcome.EMPTY] if one.figure == "empty" else count_failures(total) + dropped
    every = count_answers(total) if one.figure == "empty" else sum(total.values()) + dropped
    reported = f"{bad:,} of {every:,} operations"
    if one.is_total:
        return _Value(bad, every, reported)
    return _Value(bad / every, every, reported) if every >= LEAST else None


def _read_time(one: Requirement, latest: _Snapshot, before: _Snapshot | None, variant: str) -> _Value | None:
    """A figure of the times of the last seconds of this phase."""
    counts: Counter[int] = Counter()
    for kind, part in latest.times:
        if part == one.part and kind[0] == variant and one.operation in (EVERY, kind[1]):
            counts += latest.times[kind, part] - (before.times.get((kind, part), Counter()) if before else Counter())
    number = counts.total()
    share = float(one.figure[1:]) if one.figure.startswith("p") else 0.0
    if number < LEAST or number * (PER_CENT - share) < BEYOND * PER_CENT:
        return None
    histogram = make_histogram(counts)
    share = 100.0 if one.figure == "max" else share
    value = mean(histogram) if one.figure == "mean" else percentile(histogram, share)
    return None if math.isnan(value) else _Value(value, number, f"{number:,} operations")


def _shorten(one: Requirement) -> str:
    return one.text.removeprefix(f"{EVERY} ")


def _show(one: Requirement, value: float) -> str:
    if one.figure in TIMES:
        number = value * TIME_UNITS[one.unit]
        return f"{number:{',.0f' if number >= ROUNDED else '.4g'}} {one.unit}"
    return f"{value:,.0f}" if one.is_total else f"{PER_CENT * value:.3g} %"
