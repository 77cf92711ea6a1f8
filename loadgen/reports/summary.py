"""The content of a report on one record, in any format: the verdict, and a row per variant and level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import mean
from loadgen.reports.style import PLOT_STYLES, PlotStyle, assign_plot_styles
from loadgen.results.bursts import Burst, find_bursts
from loadgen.results.estimates import REPLICATES, Estimates, Interval, estimate, estimate_good
from loadgen.results.figures import load_level, time_per_output_token
from loadgen.results.record import Comparison, RunRecord, VariantRecord
from loadgen.results.series import Series, find_series, percentile
from loadgen.results.verdict import Explanation, explain_series
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.text.plain_text import one_line

REPLICATES_AT_LEAST = 400
PHASES_IN_FULL = 400
"""Up to this number of phases, each interval has all replicates."""
PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
GENERATE, INTER_TOKEN, TOKENS_OUT = "generate", "inter_token", "tokens_out"
"""Stages and items of streamed answers."""
LONGEST_NAME = 60
"""Maximum characters of a variant's name in a chart."""


def label(variant: str) -> str:
    """The name of a variant in a chart: one line, without unprintable characters."""
    return one_line(variant, LONGEST_NAME)


class SummaryRow:
    """One operation of one variant at one level. Expensive figures are computed on first use and cached."""

    def __init__(self, series: Series, seed: Sequence[int], replicates: int) -> None:
        self.series = series
        self._seed = seed
        self._replicates = replicates

    @cached_property
    def times(self) -> HdrHistogram:
        """Response times in microseconds. Raises ValueError for a histogram that cannot be read."""
        return self.series.times()

    @cached_property
    def stages(self) -> dict[str, HdrHistogram]:
        """Times of each stage that was reported, in microseconds. Raises ValueError as `times`."""
        return self.series.stage_times()

    @cached_property
    def estimates(self) -> Estimates | None:
        """Intervals; None without slices to resample."""
        return estimate(self.series.sliced(), np.random.default_rng(self._seed), self._replicates)

    @cached_property
    def good_estimate(self) -> Interval | None:
        """The interval of good operations per second; None if they are not judged, or a phase has none."""
        if self.series.good is None:
            return None
        return estimate_good(self.series.sliced(), np.random.default_rng([*self._seed, 1]), self._replicates)

    @property
    def goodput(self) -> float | None:
        """Good operations per second, as `throughput` has all; None if they are not judged."""
        return self.good_estimate.estimate if self.good_estimate else self.series.goodput

    @property
    def time_per_output_token(self) -> float | None:
        """Seconds from one token of a streamed answer to the next, on average; None where nothing was streamed."""
        times, tokens = self.stages.get(GENERATE), self.series.items[TOKENS_OUT]
        if times is None or not tokens or INTER_TOKEN not in self.series.repeated_stages:
            return None
        answers = times.get_total_count()
        return time_per_output_token(mean(times) * answers, tokens, answers)

    @property
    def throughput(self) -> float:
        """Operations per second of a typical phase, as used by interval and ratio; without slices, of all phases."""
        return self.estimates.throughput.estimate if self.estimates else self.series.throughput

    def percentile(self, percent: float) -> float | None:
        """Seconds."""
        return percentile(self.times, percent)


@dataclass(frozen=True, slots=True)
class Summary:
    """One record, ready to be shown."""

    record: RunRecord
    explanation: Explanation
    rows: tuple[SummaryRow, ...]
    bursts: tuple[Burst, ...]
    variants: Mapping[str, VariantRecord | None]
    """By name, in the order of a round; None for one that is not in the manifest."""
    plot_styles: Mapping[str, PlotStyle]
    """The style of every variant with a phase, those of bursts last."""

    @property
    def operations(self) -> list[str]:
        """Names of the operations that have rows."""
        return list(dict.fromkeys(row.series.operation for row in self.rows))

    @property
    def is_open(self) -> bool:
        """True for the open model."""
        return any(row.series.level.is_open for row in self.rows)

    def is_judged(self, operation: str) -> bool:
        """True if an operation has an objective."""
        return any(row.series.good is not None for row in self.rows_of(operation))

    def rows_of(self, operation: str) -> list[SummaryRow]:
        """The rows of one operation, by level, then in the order of a round."""
        return [row for row in self.rows if row.series.operation == operation]

    def compared(self, operation: str) -> list[Comparison]:
        """The comparisons of one operation, the lowest level first, there in the order of a round."""
        order = {name: place for place, name in enumerate(self.plot_styles)}
        own = [one for one in self.record.comparisons if one.operation == operation]
        return sorted(own, key=lambda one: (load_level(one.concurrency, one.rate), order.get(one.variant, len(order))))

    @property
    def is_plain(self) -> bool:
        """True if the names are self-explanatory: modes of the run's client without other differences."""
        usual = self.record.manifest.settings.get("client", DEFAULT_CLIENT)
        return all(
            one is not None and one.name == one.mode.value and one.client == usual and not one.settings
            for one in self.variants.values()
        )

    @property
    def question(self) -> str:
        """The question of the run: the heading of its report."""
        names = list(self.variants)
        if self.record.rate_search is not None:
            return "What is the highest rate?"
        if self.is_plain and len(names) != 1:
            return "Sync or async?"
        return "Which variant?" if len(names) != 1 else f"How fast is {names[0]}?"


def summarize(record: RunRecord) -> Summary:
    """Compute the content once; the same record always gives the same figures.

    Intervals of a very long run use fewer replicates: they vary by some per cent of their width.
    """
    replicates = max(REPLICATES_AT_LEAST, REPLICATES * PHASES_IN_FULL // max(len(record.phases), PHASES_IN_FULL))
    every = find_series(record)
    rows = tuple(SummaryRow(series, (record.manifest.seed, number), replicates) for number, series in enumerate(every))
    plot_styles = {name: PLOT_STYLES[place] for name, place in assign_plot_styles(record.variant_names).items()}
    explanation = explain_series(record, every)
    return Summary(record, explanation, rows, tuple(find_bursts(record)), _find_variants(record), plot_styles)


def _find_variants(record: RunRecord) -> dict[str, VariantRecord | None]:
    """Variants of the manifest, then those named only by timed phases: bursts are named after their modes."""
    known = {one.name: one for one in record.manifest.variants}
    timed = [phase.variant for phase in record.phases if not phase.style]
    return {name: known.get(name) for name in dict.fromkeys([*known, *timed])}
