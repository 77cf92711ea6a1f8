"""What the tab of the web page shows: every phase with its figures, and how the modes compare where they can be."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

from loadgen.locust_plugin.progress import Progress
from loadgen.measure.ledger import Counted
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome
from loadgen.measure.window import Window
from loadgen.results.comparison import PHASES_AT_LEAST
from loadgen.results.figures import load_level, throughput
from loadgen.results.levels import LevelResult
from loadgen.results.series import percentile
from loadgen.results.verdict.phrases import show_rate

MEASURE_SECONDS = 1.0
"""A phase under way is measured once in so many seconds, however many pages ask."""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one mode in one phase. Times are seconds, throughput is answered operations a second."""

    phase: int
    label: str
    mode: str
    users: str
    operation: str
    throughput: float
    p50: float
    p99: float
    failures: int
    empty: int
    """Answers without a row."""
    live: bool
    """The phase is under way."""


class TabData:
    """Figures of the current or the last run as plain values; used on the hub alone."""

    def __init__(self, ledger: Counted, progress: Progress, clock: Callable[[], float] = perf_counter) -> None:
        self._ledger = ledger
        self._progress = progress
        self._clock = clock
        self._over: dict[int, tuple[int, list[Row]]] = {}
        self._measured: tuple[float, list[Row]] = (-math.inf, [])
        self.levels: list[dict[str, Any]] = []
        """As `level_rows` makes them."""
        self._words: list[str] = []
        self.is_ending = False
        """A run has stopped, and is still compared and written: another would mix with it."""

    def reset(self) -> None:
        """Another run begins."""
        self._over, self._measured = {}, (-math.inf, [])
        self.levels, self._words = [], []

    def take(self, levels: Sequence[LevelResult], words: Sequence[str]) -> None:
        """Show these levels and words from now on. Takes some milliseconds; may be called on any thread."""
        self.levels, self._words = level_rows(levels), list(words)

    @property
    def is_busy(self) -> bool:
        """A run is being prepared, or under way."""
        return self._progress.look() is not None

    def as_json(self) -> dict[str, Any]:
        """All of it; what is not known is null."""
        now = self._progress.look()
        doing = None
        if now is not None:
            figures = str(now.figures) if now.figures else ""
            doing = {"doing": now.doing, "figures": figures, "share": now.share, "left": now.left}
        rows = [asdict(row) for row in self.rows()]
        shown = {"now": doing, "phases": rows, "levels": self.levels, "words": self._words}
        known: dict[str, Any] = _known(shown)
        return known

    def rows(self) -> list[Row]:
        """Phase by phase, in the order of time."""
        at, rows = self._measured
        if self._clock() - at >= MEASURE_SECONDS:
            rows = [row for number in sorted(self._ledger.windows) for row in self._of(self._ledger.windows[number])]
            self._measured = (self._clock(), rows)
        return rows

    def _of(self, window: Window) -> list[Row]:
        """A phase that is over is measured once more only where operations have come in late."""
        seconds = self._progress.counted_seconds(window)
        if seconds is not None:
            return _measure(window, seconds, live=True)
        operations = sum(stats.operations for stats in window.operation_stats.values())
        counted, rows = self._over.get(window.phase.number, (-1, []))
        if counted != operations:
            rows = _measure(window, window.seconds, live=False)
            self._over[window.phase.number] = (operations, rows)
        return rows


def _measure(window: Window, seconds: float, live: bool) -> list[Row]:
    phase = window.phase
    return [
        Row(
            phase=phase.number + 1,
            label=phase.label,
            mode=str(mode),
            users=load_level(phase.concurrency, phase.rate).short,
            operation=operation,
            throughput=throughput(stats.outcomes, seconds) if seconds > 0 else math.nan,
            p50=stats.percentile(50),
            p99=stats.percentile(99),
            failures=stats.failures,
            empty=stats.outcomes[Outcome.EMPTY],
            live=live,
        )
        for (mode, operation), stats in sorted(window.operation_stats.items())
    ]


def is_comparable(phase: Phase, plan: Sequence[Phase]) -> bool:
    """True where a round is complete with this phase: both modes have run equally often, and often enough."""
    if phase.operations or phase.number >= len(plan):
        return False
    of_level = [one for one in plan[: phase.number + 1] if _level(one) == _level(phase)]
    counts = Counter(one.mode for one in of_level)
    often = set(counts.values())
    return len(counts) == len(Mode) and len(often) == 1 and often.pop() % PHASES_AT_LEAST == 0


def _level(phase: Phase) -> Phase:
    """What all phases of a level have in common."""
    return replace(phase, number=0, mode=Mode.SYNC)


def level_rows(levels: Sequence[LevelResult]) -> list[dict[str, Any]]:
    """Level by level: both modes' figures (seconds), the ratios async to sync, the verdict and why there is none."""
    rows: list[dict[str, Any]] = []
    for number, level in enumerate(levels):
        row: dict[str, Any] = {"name": f"{number:04}", "users": level.level.short, "operation": level.operation}
        found = level.comparison
        for mode in Mode:
            row |= {f"{mode}_{name}": value for name, value in _figures(level, mode).items()}
        ratios = {"throughput": found.throughput, "p50": found.p50, "p99": found.p99} if found else {}
        row |= {f"ratio_{name}": asdict(ratio) if ratio else None for name, ratio in ratios.items()}
        row |= {"verdict": str(found.verdict) if found else "", "reasons": list(found.reasons) if found else []}
        rows.append(row)
    return rows


def _figures(level: LevelResult, mode: Mode) -> dict[str, float]:
    """The figures of one mode; nan where it did nothing."""
    series, found = level.series(mode), level.comparison
    if series is None:
        return dict.fromkeys(("throughput", "empty", "p50", "p99"), math.nan)
    times = series.times()
    p50, p99 = (math.nan if (value := percentile(times, one)) is None else value for one in (50, 99))
    return {
        "throughput": level.shown_throughput(mode),
        "empty": float(series.outcomes[Outcome.EMPTY]),
        "p50": p50,
        "p99": found.p99.value(mode) if found and found.p99 else p99,
    }


def table_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`level_rows` as Locust's own table takes them: texts and rounded milliseconds, sorted by `name`."""
    shown = []
    for row in rows:
        figures = {name: _shown(name, row[name]) for name in row if name.startswith(("sync_", "async_"))}
        named = {name: row[name] for name in ("name", "users", "operation")}
        named["verdict"] = f"{row['verdict']} wins" if row["verdict"] in set(Mode) else row["verdict"]
        ratios = {name: _show_ratio(row.get(name)) for name in ("ratio_throughput", "ratio_p99")}
        shown.append(named | figures | ratios)
    return shown


def _show_ratio(ratio: Mapping[str, float] | None) -> str:
    return f"{ratio['estimate']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" if ratio else "-"


def _shown(name: str, value: float) -> object:
    if math.isnan(value):
        return "-"
    if name.endswith("empty"):
        return int(value)
    if name.endswith("throughput"):
        return float(show_rate(value).replace(",", ""))
    return round(value * 1000, 2)


def _known(value: Any) -> Any:
    """The same with None for nan and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
