"""Who won: one sentence for each operation, as its intervals allow."""

import math
from collections.abc import Mapping, Sequence

from loadgen.results import comparison as comparing
from loadgen.results.comparison import Crossover, Verdict, find_crossover
from loadgen.results.figures import LoadLevel
from loadgen.results.record import Comparison, Ratio
from loadgen.results.verdict.phrases import name_levels, show_certainty, show_interval, show_pair, show_times

Compared = Mapping[LoadLevel, Comparison]
"""The comparisons of one operation, by level, the lowest first."""


def say_winner(operation: str, compared: Compared) -> str:
    """One sentence: async, then sync, then where there is no difference, then where there is no verdict."""
    crossover = _crossover(compared)
    clauses: list[str] = []
    for verdict in (Verdict.ASYNC, Verdict.SYNC, Verdict.NO_DIFFERENCE, Verdict.INVALID):
        group = {level: one for level, one in compared.items() if one.verdict == verdict.value}
        if group:
            clauses.append(_say_group(verdict, group, crossover, first=not clauses))
    return f"{operation}: {'; '.join(clauses)}."


def _say_group(verdict: Verdict, group: Compared, crossover: Crossover | None, *, first: bool) -> str:
    where = name_levels(list(group))
    if verdict is Verdict.INVALID:
        return f"there is no verdict at {where}" if first else f"at {where} there is no verdict"
    is_open = next(iter(group)).is_open
    ratios = [one.p99_ratio if is_open else one.throughput_ratio for one in group.values()]
    if verdict is Verdict.NO_DIFFERENCE:
        if not first:
            return f"at {where} there is no difference that this run could show"
        return f"no difference that this run could show at {where}{_say_bounds(ratios, is_open=is_open)}"
    level, certainty = _say_level(verdict, group, crossover)
    decided = [reason for one in group.values() for reason in one.reasons]
    if is_open and decided:
        return f"{verdict} wins {level} ({'; '.join(decided)})"
    inverted = verdict is Verdict.SYNC and not is_open
    interval = show_interval(ratios[0], inverted=inverted) if len(ratios) == 1 else ""
    pair = show_pair(ratios[0], verdict, is_open=is_open) if len(ratios) == 1 else ""
    extra = ", ".join(part for part in (pair, interval, certainty) if part)
    loser = "async" if verdict is Verdict.SYNC else "sync"
    if is_open:
        told = f"{verdict} answers sooner {level}: the p99 response time of async is {show_times(ratios)} that of sync"
    else:
        told = f"{verdict} gives {show_times(ratios, inverted=inverted)} the throughput of {loser} {level}"
    return f"{told} ({extra})" if extra else told


def _say_bounds(ratios: Sequence[Ratio], *, is_open: bool) -> str:
    lows = [ratio.low for ratio in ratios if ratio.low]
    highs = [ratio.high for ratio in ratios if ratio.high]
    if not lows or not highs:
        return ""
    low, high = f"{min(lows):.2f}", f"{max(highs):.2f}"
    if is_open:
        return f": the p99 response time of async is between {low} and {high} times that of sync"
    return f": async gives between {low} and {high} times the throughput of sync"


def _say_level(verdict: Verdict, group: Compared, crossover: Crossover | None) -> tuple[str, str]:
    """Where it is so, and how certain it is that it is so from there on: empty where there is no crossing."""
    first, names = next(iter(group)), name_levels(list(group))
    if verdict is not Verdict.ASYNC or crossover is None or first.value != crossover.level:
        return f"at {names}", ""
    certainty = f"certain to {show_certainty(crossover.certainty)}"
    return (f"at every level measured, {names}" if crossover.below is None else f"from {first} on"), certainty


def _crossover(compared: Compared) -> Crossover | None:
    """The level from which async wins; None where it does not, or only one level was compared."""
    if len(compared) < 2:  # noqa: PLR2004 - a crossing needs two
        return None
    return find_crossover({level.value: _plain(one) for level, one in compared.items()})


def _plain(one: Comparison) -> comparing.Comparison:
    share = math.nan if one.async_share is None else one.async_share
    return comparing.Comparison(None, None, None, share, Verdict(one.verdict), one.reasons)
