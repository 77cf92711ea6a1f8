"""Who won: one sentence per operation and pair of variants, as far as the intervals allow."""

import math
from collections.abc import Mapping, Sequence

from loadgen.results import comparison as comparing
from loadgen.results.comparison import MODES, Crossover, Pair, Verdict, find_crossover, name_winner
from loadgen.results.figures import LoadLevel
from loadgen.results.record import Comparison, Ratio
from loadgen.results.verdict.phrases import name_levels, show_certainty, show_interval, show_pair, show_times

Compared = Mapping[LoadLevel, Comparison]
"""The comparisons of one operation and one pair, by level, the lowest first."""


def say_winner(operation: str, compared: Compared) -> str:
    """One sentence: where the variant wins, where the baseline, where neither, and where there is no verdict."""
    crossover = _crossover(compared)
    clauses: list[str] = []
    for verdict in (Verdict.VARIANT, Verdict.BASELINE, Verdict.NO_DIFFERENCE, Verdict.INVALID):
        group = {level: one for level, one in compared.items() if one.verdict == verdict.value}
        if group:
            clauses.append(_say_group(verdict, group, crossover, first=not clauses))
    return f"{operation}: {'; '.join(clauses)}."


def _say_group(verdict: Verdict, group: Compared, crossover: Crossover | None, *, first: bool) -> str:
    where = name_levels(list(group))
    pair = pair_of(next(iter(group.values())))
    if verdict is Verdict.INVALID:
        about = "" if pair == MODES else f" on {pair.variant} against {pair.baseline}"
        return f"no verdict{about} at {where}" if first else f"no verdict at {where}"
    is_open = next(iter(group)).is_open
    ratios = [one.p99_ratio if is_open else one.throughput_ratio for one in group.values()]
    if verdict is Verdict.NO_DIFFERENCE:
        if not first:
            return f"no significant difference at {where}"
        return f"no significant difference at {where}{_say_bounds(ratios, pair, is_open=is_open)}"
    level, certainty = _say_level(verdict, group, crossover)
    decided = [reason for one in group.values() for reason in one.reasons]
    winner = name_winner(verdict, pair)
    if is_open and decided:
        return f"{winner} wins {level} ({'; '.join(decided)})"
    inverted = verdict is Verdict.BASELINE and not is_open
    interval = show_interval(ratios[0], inverted=inverted) if len(ratios) == 1 else ""
    figures = show_pair(ratios[0], baseline_first=inverted, is_open=is_open) if len(ratios) == 1 else ""
    extra = ", ".join(part for part in (figures, interval, certainty) if part)
    loser = pair.variant if verdict is Verdict.BASELINE else pair.baseline
    if is_open:
        tail = f"the p99 response time of {pair.variant} is {show_times(ratios)} that of {pair.baseline}"
        reported = f"{winner} is faster {level}: {tail}"
    else:
        reported = f"{winner} gives {show_times(ratios, inverted=inverted)} the throughput of {loser} {level}"
    return f"{reported} ({extra})" if extra else reported


def _say_bounds(ratios: Sequence[Ratio], pair: Pair, *, is_open: bool) -> str:
    lows = [ratio.low for ratio in ratios if ratio.low]
    highs = [ratio.high for ratio in ratios if ratio.high]
    if not lows or not highs:
        return ""
    low, high = f"{min(lows):.2f}", f"{max(highs):.2f}"
    if is_open:
        return f": the p99 response time of {pair.variant} is between {low} and {high} times that of {pair.baseline}"
    return f": {pair.variant} gives between {low} and {high} times the throughput of {pair.baseline}"


def _say_level(verdict: Verdict, group: Compared, crossover: Crossover | None) -> tuple[str, str]:
    """Where the verdict applies, and the certainty of the crossover; empty without one."""
    first, names = next(iter(group)), name_levels(list(group))
    if verdict is not Verdict.VARIANT or crossover is None or first.value != crossover.level:
        return f"at {names}", ""
    certainty = f"{show_certainty(crossover.certainty)} certain"
    return (f"at every level measured, {names}" if crossover.below is None else f"from {first} on"), certainty


def _crossover(compared: Compared) -> Crossover | None:
    """The level from which the variant wins; None if it does not, or if only one level was compared."""
    if len(compared) < 2:  # noqa: PLR2004 - a crossing needs two
        return None
    return find_crossover({level.value: _plain(one) for level, one in compared.items()})


def pair_of(one: Comparison) -> Pair:
    """The variants of a comparison."""
    return Pair(one.baseline, one.variant)


def _plain(one: Comparison) -> comparing.ComparisonResult:
    share = math.nan if one.share_ahead is None else one.share_ahead
    return comparing.ComparisonResult(pair_of(one), None, None, None, share, Verdict(one.verdict), one.reasons)
