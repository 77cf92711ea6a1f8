"""The contents of the web page's tab: every phase with its figures, and the comparison of the variants."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from loadgen.locust_plugin.display.progress import Progress
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Outcome
from loadgen.measure.window import Window
from loadgen.reports.style import assign_plot_styles
from loadgen.results.comparison import PHASES_AT_LEAST, ComparisonResult, RatioEstimate, Verdict
from loadgen.results.figures import load_level, throughput
from loadgen.results.levels import LevelResult
from loadgen.results.series import Series, percentile
from loadgen.results.verdict.phrases import NONE, show_estimate, show_rate

MEASURE_SECONDS = 1.0
"""Seconds between two updates of the current phase, however many pages are open."""


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation of one variant in one phase. Times are seconds, throughput is answered operations per second."""

    phase: int
    label: str
    variant: str
    users: str
    operation: str
    throughput: float
    p50: float
    p99: float
    failures: int
    empty: int
    """Answers without a row."""
    goodput: float
    """Good operations per second; nan if they are not judged."""
    live: bool
    """The phase is running."""


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One operation of one variant at one level, in all rounds; nan if unknown."""

    name: str
    """Unique sort key: Locust sorts the rows by it."""
    users: str
    operation: str
    variant: str
    is_baseline: bool
    """True if others are compared with it."""
    throughput: float
    """Answered operations per second; if compared, the figure that the ratio divides."""
    p50: float
    """Seconds."""
    p99: float
    """Seconds; if compared, the figure that the ratio divides."""
    empty: int
    goodput: float
    """As in `OperationRow`; if compared, the figure that its ratio divides."""
    recall: float
    mrr: float
    ratio_throughput: RatioEstimate | None
    """To the baseline, as are the others; none in the row of the baseline."""
    ratio_p50: RatioEstimate | None
    ratio_p99: RatioEstimate | None
    verdict: str
    """Name of the winner, `no difference` or `invalid`; empty without a comparison."""
    is_won: bool
    """The verdict is a name."""
    reasons: tuple[str, ...]


class TabData:
    """Figures of the current or last run as plain values; used only on the hub."""

    def __init__(self, ledger: RunCounts, progress: Progress, clock: Callable[[], float] = perf_counter) -> None:
        self._ledger = ledger
        self._progress = progress
        self._clock = clock
        self._over: dict[int, tuple[int, list[OperationRow]]] = {}
        self._measured: tuple[float, list[OperationRow]] = (-math.inf, [])
        self.levels: list[LevelRow] = []
        """The rows of `level_rows`."""
        self._words: list[str] = []
        self.is_ending = False
        """A run has stopped and is still being compared and written: a new one would mix with it."""

    def reset(self) -> None:
        """Another run begins."""
        self._over, self._measured = {}, (-math.inf, [])
        self.levels, self._words = [], []

    def take(self, levels: Sequence[LevelResult], words: Sequence[str]) -> None:
        """Show these levels and this verdict from now on. Takes some milliseconds; from any thread."""
        self.levels, self._words = level_rows(levels), list(words)

    @property
    def is_busy(self) -> bool:
        """A run is being prepared, or is running."""
        return self._progress.look() is not None

    def now_as_json(self) -> dict[str, Any]:
        """The current activity, null if there is none, and whether a run has begun before."""
        now = self._progress.look()
        doing = None
        if now is not None:
            figures = str(now.figures) if now.figures else ""
            doing = {"doing": now.doing, "figures": figures, "share": now.share, "left": now.left}
        known: dict[str, Any] = _known({"now": doing, "ran": bool(self._ledger.windows)})
        return known

    def as_json(self) -> dict[str, Any]:
        """All values; unknown ones are null."""
        rows = self.rows()
        plot_styles = assign_plot_styles(row.variant for row in rows)
        phases = [asdict(row) | {"look": plot_styles[row.variant]} for row in rows]
        levels = [asdict(row) for row in self.levels]
        shown = {"now": self.now_as_json()["now"], "phases": phases, "levels": levels, "words": self._words}
        known: dict[str, Any] = _known(shown)
        return known

    def rows(self) -> list[OperationRow]:
        """Phase by phase, in the order of time."""
        at, rows = self._measured
        if self._clock() - at >= MEASURE_SECONDS:
            rows = [row for number in sorted(self._ledger.windows) for row in self._of(self._ledger.windows[number])]
            self._measured = (self._clock(), rows)
        return rows

    def _of(self, window: Window) -> list[OperationRow]:
        """A finished phase is recomputed only if operations arrived late."""
        seconds = self._progress.counted_seconds(window)
        if seconds is not None:
            return _measure(window, seconds, live=True)
        operations = sum(stats.operations for stats in window.operation_stats.values())
        counted, rows = self._over.get(window.phase.number, (-1, []))
        if counted != operations:
            rows = _measure(window, window.seconds, live=False)
            self._over[window.phase.number] = (operations, rows)
        return rows


def _measure(window: Window, seconds: float, live: bool) -> list[OperationRow]:
    phase = window.phase
    return [
        OperationRow(
            phase=phase.number + 1,
            label=phase.label,
            variant=variant,
            users=load_level(phase.concurrency, phase.rate).short,
            operation=operation,
            throughput=throughput(stats.outcomes, seconds) if seconds > 0 else math.nan,
            p50=stats.percentile(50),
            p99=stats.percentile(99),
            failures=stats.failures,
            empty=stats.outcomes[Outcome.EMPTY],
            goodput=math.nan if stats.good is None or seconds <= 0 else stats.good / seconds,
            live=live,
        )
        for (variant, operation), stats in sorted(window.operation_stats.items())
    ]


def is_comparable(phase: Phase, plan: Sequence[Phase]) -> bool:
    """True if this phase completes a round: all variants have run equally often, and often enough."""
    if phase.operations or phase.number >= len(plan):
        return False
    of_level = [one for one in plan if not one.operations and (one.model, one.level) == (phase.model, phase.level)]
    names = {one.variant for one in of_level}
    counts = Counter(one.variant for one in of_level if one.number <= phase.number)
    often = {counts[name] for name in names}
    return len(names) > 1 and len(often) == 1 and often.pop() % PHASES_AT_LEAST == 0


def level_rows(levels: Sequence[LevelResult]) -> list[LevelRow]:
    """Level by level, a row per variant with operations there, in the order of a round."""
    known = [(level, series) for level in levels for name in level.variants if (series := level.series(name))]
    return [_level_row(f"{number:05}", level, series) for number, (level, series) in enumerate(known)]


def _level_row(name: str, level: LevelResult, series: Series) -> LevelRow:
    result = level.comparisons.get(series.variant)
    times = series.times()
    return LevelRow(
        name=name,
        users=level.level.short,
        operation=level.operation,
        variant=series.variant,
        is_baseline=bool(level.comparisons) and series.variant == level.comparison_plan.baseline,
        throughput=level.shown_throughput(series.variant),
        p50=_figure(percentile(times, 50)),
        p99=_shown_p99(level.comparisons.values(), series.variant, _figure(percentile(times, 99))),
        empty=series.outcomes[Outcome.EMPTY],
        goodput=_figure(level.shown_goodput(series.variant)),
        recall=_figure(series.recall),
        mrr=_figure(series.mrr),
        ratio_throughput=result.throughput if result else None,
        ratio_p50=result.p50 if result else None,
        ratio_p99=result.p99 if result else None,
        verdict=result.winner if result else "",
        is_won=result is not None and result.verdict in (Verdict.VARIANT, Verdict.BASELINE),
        reasons=result.reasons if result else (),
    )


def _figure(value: float | None) -> float:
    return math.nan if value is None else value


def _shown_p99(comparisons: Iterable[ComparisonResult], variant: str, otherwise: float) -> float:
    """The seconds that the ratio of p99 divides."""
    for one in comparisons:
        if one.p99 is not None and variant in one.pair:
            return one.p99.baseline_value if variant == one.pair.baseline else one.p99.variant_value
    return otherwise


def table_rows(rows: Sequence[LevelRow]) -> list[dict[str, Any]]:
    """`level_rows` for Locust's own table: texts and rounded milliseconds, sorted by `name`."""
    return [_table_row(row) for row in rows]


def _table_row(row: LevelRow) -> dict[str, Any]:
    ratios = {} if row.is_baseline else {"ratio_throughput": row.ratio_throughput, "ratio_p99": row.ratio_p99}
    return {
        "name": row.name,
        "users": row.users,
        "operation": row.operation,
        "variant": f"{row.variant} (baseline)" if row.is_baseline else row.variant,
        "verdict": f"{row.verdict} wins" if row.is_won else row.verdict,
        "ratio_throughput": "",
        "ratio_p99": "",
        **{name: show_estimate(ratio, narrow=True) for name, ratio in ratios.items()},
        "throughput": NONE if math.isnan(row.throughput) else float(show_rate(row.throughput).replace(",", "")),
        "p50": NONE if math.isnan(row.p50) else round(row.p50 * 1000, 2),
        "p99": NONE if math.isnan(row.p99) else round(row.p99 * 1000, 2),
        "goodput": NONE if math.isnan(row.goodput) else float(show_rate(row.goodput).replace(",", "")),
        "empty": row.empty,
        "recall": NONE if math.isnan(row.recall) else f"{row.recall:.3f}",
        "mrr": NONE if math.isnan(row.mrr) else f"{row.mrr:.3f}",
    }


def _known(value: Any) -> Any:
    """The same with None for nan and infinity, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
