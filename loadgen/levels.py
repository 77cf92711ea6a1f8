"""The timed phases of a run, level by level: both modes at one concurrency or rate, and how they compare."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadgen.bootstrap import SlicedPhase
from loadgen.compare import Comparison, compare_phases, judge_arrivals
from loadgen.listing import name_phases
from loadgen.sample import EMPTY_AT_MOST, Mode, Outcome, count_answers, share_empty
from loadgen.tally import Tally, count_above, percentile
from loadgen.truth import Recalls, differ
from loadgen.window import Window

UNFINISHED_AT_MOST = 0.01
"""Share of its operations that a phase may leave behind beyond its p99 without that p99 being in doubt."""

REASONS_OF_A_KIND = 5
"""Phases that a comparison names with the same reason; there may be thousands."""

ROUNDING = 1e-6
"""Seconds: a window from 16,384.0 to 16,386.1 is a little shorter than 2.1."""


@dataclass(frozen=True, slots=True)
class Level:
    """One operation at one concurrency or rate, in all rounds; `comparison` is None where only one mode ran."""

    load: float
    """Users, or arrivals per second."""
    operation: str
    windows: tuple[Window, ...]
    comparison: Comparison | None

    def tally(self, mode: Mode) -> Tally | None:
        """What a mode did in all rounds; None where it did nothing."""
        found = [window.tallies[mode, self.operation] for window in self.of(mode) if self._has(window, mode)]
        if not found:
            return None
        total = Tally()
        for tally in found:
            total.merge(tally)
        return total

    @property
    def is_open(self) -> bool:
        """True where the load is a rate of arrivals."""
        return self.windows[0].phase.is_open

    @property
    def label(self) -> str:
        """The load as text: `8`, or `50/s`."""
        return f"{self.load:g}/s" if self.is_open else f"{self.load:,.0f}"

    def dropped(self, mode: Mode) -> int:
        """Arrivals that a mode dropped, over all rounds and operations."""
        return sum(window.flow.dropped for window in self.of(mode))

    def throughput(self, mode: Mode) -> float:
        """Answered operations per second, over all rounds of a mode; 0 where none was answered."""
        tally, seconds = self.tally(mode), sum(window.seconds for window in self.of(mode))
        return (tally.operations - tally.failures) / seconds if tally and seconds else 0.0

    def shown_throughput(self, mode: Mode) -> float:
        """The operations per second that the ratio is of; without a ratio those of all rounds together."""
        ratio = self.comparison.throughput if self.comparison else None
        return ratio.value(mode) if ratio else self.throughput(mode)

    def recall(self, mode: Mode) -> float | None:
        """Mean recall of the checked searches, over all rounds of a mode; None where there is none."""
        return _recalls(self.of(mode)).mean if self.operation == "search" else None

    def of(self, mode: Mode) -> list[Window]:
        """The rounds of one mode."""
        return [window for window in self.windows if window.phase.mode is mode]

    def _has(self, window: Window, mode: Mode) -> bool:
        return (mode, self.operation) in window.tallies


def find_levels(
    windows: Iterable[Window], seed: int, objections: Sequence[str] = (), most_empty: float = EMPTY_AT_MOST
) -> list[Level]:
    """All levels of the timed windows that were measured, in their order; the comparison draws from `seed`.

    `objections` are what is known against every comparison, `most_empty` is the share of answers that may hold no row.
    """
    rng = np.random.default_rng(seed)
    timed = [window for window in windows if not window.phase.operations and window.seconds > 0]
    timed.sort(key=lambda window: window.phase.number)
    by_load: dict[float, list[Window]] = {}
    for window in timed:
        by_load.setdefault(window.phase.level, []).append(window)
    levels: list[Level] = []
    for load, some in by_load.items():
        of_level = tuple(some)
        operations = sorted({operation for window in of_level for _, operation in window.tallies})
        for name in operations:
            against = [*objections, *_find_empty(of_level, name, most_empty)]
            levels.append(Level(load, name, of_level, _compare(of_level, name, rng, against)))
    return levels


def _compare(
    windows: Sequence[Window], operation: str, rng: np.random.Generator, objections: Sequence[str]
) -> Comparison | None:
    if {window.phase.mode for window in windows} != set(Mode):
        return None
    phases = [SlicedPhase(w.phase.mode, tuple(w.slices.get(operation) or w.new_slices())) for w in windows]
    limits = [f"phase {w.phase.number + 1}: {limit}" for w in windows for limit in find_limits(w)]
    gaps = [f"phase {w.phase.number + 1}: {gap}" for w in windows for gap in w.gaps()]
    gone = [f"phase {w.phase.number + 1} lost {w.users_gone} users" for w in windows if w.users_gone]
    lost = [f"phase {w.phase.number + 1} lost {w.workers_lost} workers" for w in windows if w.workers_lost]
    broken = [f"phase {w.phase.number + 1} was broken off" for w in windows if w.seconds < w.phase.seconds - ROUNDING]
    reasons = [reason for some in (limits, gaps, gone, lost, broken) for reason in _first_of(some)]
    unanswered = _find_unanswered(windows, operation)
    found = compare_phases(phases, rng, [*unanswered, *objections, *_find_unlike(windows), *reasons])
    doubts = _doubts(windows, operation)
    if not windows[0].phase.is_open:
        return replace(found, reasons=(*found.reasons, *doubts))
    return judge_arrivals(found, {mode: _dropped(windows, mode) for mode in Mode}, doubts)


def find_limits(window: Window) -> list[str]:
    """Why the generator was the limit of a phase, each with what to do; empty where it was not.

    A request that is refused at once costs CPU and is followed by the next: where most were, that is no limit.
    """
    return [] if _refused(window) else window.health.limits()


def _refused(window: Window) -> bool:
    """True where most operations failed at once. What timed out was waited for, and the generator may be the reason."""
    outcomes = _sum_up(window.tallies.values())
    failed = sum(number for kind, number in outcomes.items() if kind.is_failure and kind is not Outcome.TIMEOUT)
    return 2 * failed > outcomes.total()


def _find_unanswered(windows: Sequence[Window], operation: str) -> list[str]:
    """Phases in which the operation was not answered once, and those in which most that was sent was refused."""
    silent: list[Window] = []
    found: list[str] = []
    for window in windows:
        tally = window.tallies.get((window.phase.mode, operation))
        if tally is None or tally.failures == tally.operations:
            silent.append(window)
        elif _refused(window) and window.health.limits():
            told = _show_failures(_sum_up(window.tallies.values()))
            found.append(f"most operations of phase {window.phase.number + 1} failed: {told}")
    if silent:
        outcomes = _sum_up(w.tallies[key] for w in silent if (key := (w.phase.mode, operation)) in w.tallies)
        told = _show_failures(outcomes) if outcomes else "none ended"
        where = name_phases([window.phase.number + 1 for window in silent])
        found.insert(0, f"no {operation} was answered in {where}: {told}")
    return _first_of(found)


def _sum_up(tallies: Iterable[Tally]) -> Counter[Outcome]:
    total: Counter[Outcome] = Counter()
    for tally in tallies:
        total.update(tally.outcomes)
    return total


def _show_failures(outcomes: Mapping[Outcome, int]) -> str:
    """Such as `unavailable 12,345, timeout 8`, the most first."""
    kinds = sorted(((number, kind) for kind, number in outcomes.items() if kind.is_failure and number), reverse=True)
    return ", ".join(f"{kind} {number:,}" for number, kind in kinds)


def _first_of(reasons: list[str]) -> list[str]:
    """The first of many that are alike, and how many more there are."""
    left_out = len(reasons) - REASONS_OF_A_KIND
    return reasons if left_out <= 0 else [*reasons[:-left_out], f"{left_out:,} more phases like these"]


def _find_empty(windows: Sequence[Window], operation: str, most: float) -> list[str]:
    """Modes whose searches found nothing too often: what is found fast because there is nothing is no speed."""
    found = []
    for mode in Mode:
        key = (mode, operation)
        outcomes = _sum_up(window.tallies[key] for window in windows if key in window.tallies)
        if (share := share_empty(outcomes)) > most:
            empty, answers = outcomes[Outcome.EMPTY], count_answers(outcomes)
            told = f"in {empty:,} of {answers:,} answers ({100 * share:.6g} %, --max-empty is {100 * most:.6g} %)"
            found.append(f"{mode} found nothing {told}: look at filters and queries")
    return found


def _dropped(windows: Sequence[Window], mode: Mode) -> float:
    """The share of its arrivals that a mode dropped."""
    own = [window for window in windows if window.phase.mode is mode]
    dropped = sum(window.flow.dropped for window in own)
    finished = sum(tally.operations for window in own for tally in window.tallies.values())
    return dropped / (dropped + finished) if dropped else 0.0


def _doubts(windows: Sequence[Window], operation: str) -> list[str]:
    """Phases that ended while so many operations waited that their p99 is too low: those that waited are not in it."""
    found: list[str] = []
    for window in windows:
        kind = (window.phase.mode, operation)
        tally = window.tallies.get(kind)
        if tally is None or not window.flow.unfinished:
            continue
        left = window.flow.left_of(kind)
        waiting = count_above(left, tally.percentile(99))
        if waiting > UNFINISHED_AT_MOST * tally.operations:
            oldest = percentile(left, 100)
            told = f"{waiting} operations had waited longer than its p99, up to {oldest:.2f} s"
            found.append(f"when phase {window.phase.number + 1} ended, {told}")
    return _first_of(found)


def _find_unlike(windows: Sequence[Window]) -> list[str]:
    """What was not the same on both sides: recall, data, connections."""
    sides = {mode: [window for window in windows if window.phase.mode is mode] for mode in Mode}
    found = []
    recalls = {mode: _recalls(of_mode) for mode, of_mode in sides.items()}
    if apart := differ(recalls[Mode.SYNC], recalls[Mode.ASYNC]):
        found.append(f"recall differs: sync {apart[0]:.3f}, async {apart[1]:.3f}")
    if len({seen for window in windows for seen in window.data}) > 1:
        found.append("data differs: " + ", ".join(f"{mode} {_told(sides[mode], 'data')}" for mode in Mode))
    if len({window.connections for window in windows} - {0}) > 1:  # 0: broken off before anybody asked
        found.append("connections differ: " + ", ".join(f"{mode} {_told(sides[mode], 'connections')}" for mode in Mode))
    return found


def _recalls(windows: Iterable[Window]) -> Recalls:
    total = Recalls()
    for window in windows:
        total.merge(window.recalls)
    return total


def _told(windows: Iterable[Window], name: str) -> str:
    """The values of one side, each once: `2`, or `2 and 1`."""
    values = dict.fromkeys(getattr(window, name) for window in windows)
    return " and ".join("/".join(value) if isinstance(value, tuple) else str(value) for value in values)
