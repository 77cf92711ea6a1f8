"""Numbers and lists formatted for a sentence."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from loadgen.results.comparison import Pair
from loadgen.results.figures import LoadLevel
from loadgen.results.record import Ratio
from loadgen.text.listing import join_some

MILLISECONDS = 1_000
SENTENCES = 20
"""Maximum sentences of one kind."""
NONE = "-"
"""Shown for a figure that was not measured."""


class Estimated(Protocol):
    """A ratio with its 95 % interval, of a comparison, a record or two runs; None if unknown."""

    @property
    def estimate(self) -> float | None:
        """The ratio itself."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""


def first_of(sentences: Iterable[str], more: str) -> Iterator[str]:
    """The first sentences, then one with the number omitted, followed by `more`."""
    result = list(sentences)
    yield from result[:SENTENCES]
    if len(result) > SENTENCES:
        yield f"{len(result) - SENTENCES:,} more {more}"


def name_levels(levels: Sequence[LoadLevel]) -> str:
    """Such as `1, 8 and 32 users` or `50/s and 100/s`."""
    if len(levels) == 1 or levels[0].is_open:
        return join_some([str(level) for level in levels])
    return f"{join_some([f'{level.value:,.0f}' for level in levels])} users"


def show_ratio(ratio: float) -> str:
    """Three digits, but at least one after the point: 1.07, 12.3, 308.8."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"  # noqa: PLR2004 - said above


def show_estimate(ratio: Estimated | None, *, narrow: bool = False) -> str:
    """A ratio in a table: `1.30 (1.20 to 1.40)`, narrow `1.30 (1.20-1.40)`; without an unknown interval."""
    if ratio is None or ratio.estimate is None:
        return NONE
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate:.2f}"
    return f"{ratio.estimate:.2f} ({ratio.low:.2f}{'-' if narrow else ' to '}{ratio.high:.2f})"


def name_pairs(pairs: Collection[Pair]) -> str:
    """What ratios compare: `async to sync`, for several variants `each variant to sync`."""
    each = set(pairs)
    if len(each) == 1:
        (pair,) = each
        return f"{pair.variant} to {pair.baseline}"
    baselines = {pair.baseline for pair in each}
    return f"each variant to {baselines.pop() if len(baselines) == 1 else 'the baseline'}"


def show_rate(rate: float) -> str:
    """Operations per second with at least four digits, enough to recompute a ratio: 9.876, 98.76, 1,234.5."""
    known = float(f"{rate:.4g}")  # 99.999999 is 100
    digits = 1 if known >= 100 else 2 if known >= 10 else 3  # noqa: PLR2004 - said above
    return f"{rate:,.{digits}f}" if known >= 1 or not known else f"{known:g}"


def show_seconds(seconds: float) -> str:
    """Seconds with three decimals; below 1, four digits."""
    return f"{seconds:,.3f}" if seconds >= 1 else f"{seconds:.4g}"


def show_times(ratios: Sequence[Ratio], *, inverted: bool = False) -> str:
    """Such as `1.30 times` or, of several, `1.2 to 1.4 times`; inverted, the ratio of the baseline to the variant."""
    known = sorted(1 / ratio.estimate if inverted else ratio.estimate for ratio in ratios if ratio.estimate)
    low, high = show_ratio(known[0]), show_ratio(known[-1])
    return f"{low} times" if low == high else f"{low} to {high} times"


def show_pair(ratio: Ratio, *, baseline_first: bool, is_open: bool) -> str:
    """The two figures that a ratio divides, such as `120.4/s against 98.76/s`; empty if not recorded.

    Times of arrivals are of the variant first, as their ratio is.
    """
    if not ratio.baseline_value or not ratio.variant_value:
        return ""
    if is_open:
        return f"{show_time(ratio.variant_value)} against {show_time(ratio.baseline_value)}"
    pair = (ratio.baseline_value, ratio.variant_value)
    ahead, behind = pair if baseline_first else pair[::-1]
    return f"{show_rate(ahead)}/s against {show_rate(behind)}/s"


def show_interval(ratio: Ratio, *, inverted: bool = False) -> str:
    """Such as `95 % interval 1.20 to 1.40`; empty where there is none."""
    if not ratio.low or not ratio.high:
        return ""
    low, high = (1 / ratio.high, 1 / ratio.low) if inverted else (ratio.low, ratio.high)
    return f"95 % interval {show_ratio(low)} to {show_ratio(high)}"


def show_time(seconds: float | None) -> str:
    """Milliseconds with at most four digits, seconds from 10 s on."""
    if seconds is None:
        return "nothing measured"
    if seconds >= 10:  # noqa: PLR2004 - said above
        return f"{seconds:,.1f} s"
    return f"{seconds * MILLISECONDS:,.0f} ms" if seconds >= 1 else f"{seconds * MILLISECONDS:.3g} ms"


def show_certainty(share: float) -> str:
    """Such as `99.5 %`; never a full hundred."""
    return f"{min(share, 0.999):.1%}".replace("%", " %")


def show_share(share: float) -> str:
    """Such as `1.25 %`."""
    return f"{100 * share:.3g} %"
