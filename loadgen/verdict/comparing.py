"""Who won: one sentence for each operation, as its intervals allow."""

import math
from collections.abc import Mapping, Sequence

from loadgen import compare
from loadgen.compare import Crossover, Verdict, find_crossover
from loadgen.record import Comparison, Ratio
from loadgen.results.series import Place
from loadgen.verdict.phrases import name_places, show_certainty, show_interval, show_times

Compared = Mapping[Place, Comparison]
"""The comparisons of one operation, by level, the lowest first."""


def say_winner(operation: str, compared: Compared) -> str:
    """One sentence: async, then sync, then where there is no difference, then where there is no verdict."""
    crossover = _crossover(compared)
    clauses: list[str] = []
    for verdict in (Verdict.ASYNC, Verdict.SYNC, Verdict.NO_DIFFERENCE, Verdict.INVALID):
        group = {place: one for place, one in compared.items() if one.verdict == verdict.value}
        if group:
            clauses.append(_say_group(verdict, group, crossover, first=not clauses))
    return f"{operation}: {'; '.join(clauses)}."


def _say_group(verdict: Verdict, group: Compared, crossover: Crossover | None, *, first: bool) -> str:
    where = name_places(list(group))
    if verdict is Verdict.INVALID:
        return f"there is no verdict at {where}" if first else f"at {where} there is no verdict"
    is_open = next(iter(group)).is_open
    ratios = [one.p99_ratio if is_open else one.throughput_ratio for one in group.values()]
    if verdict is Verdict.NO_DIFFERENCE:
        if not first:
            return f"at {where} there is no difference that this run could show"
        return f"no difference that this run could show at {where}{_say_bounds(ratios, is_open=is_open)}"
    place = _say_place(verdict, group, crossover)
    if not is_open:
        return _say_closed(verdict, ratios, place)
    decided = [reason for one in group.values() for reason in one.reasons]
    return f"{verdict} wins {place} ({'; '.join(decided)})" if decided else _say_open(verdict, ratios, place)


def _say_closed(verdict: Verdict, ratios: Sequence[Ratio], place: str) -> str:
    inverted = verdict is Verdict.SYNC
    loser = "async" if inverted else "sync"
    interval = show_interval(ratios[0], inverted=inverted) if len(ratios) == 1 else ""
    told = f" ({interval})" if interval else ""
    return f"{verdict} gives {show_times(ratios, inverted=inverted)} the throughput of {loser} {place}{told}"


def _say_open(verdict: Verdict, ratios: Sequence[Ratio], place: str) -> str:
    if not any(ratio.estimate for ratio in ratios):
        return f"{verdict} answers sooner {place}"
    interval = show_interval(ratios[0]) if len(ratios) == 1 else ""
    told = f" ({interval})" if interval else ""
    return (
        f"{verdict} answers sooner {place}: the p99 response time of async is {show_times(ratios)} that of sync{told}"
    )


def _say_bounds(ratios: Sequence[Ratio], *, is_open: bool) -> str:
    lows = [ratio.low for ratio in ratios if ratio.low]
    highs = [ratio.high for ratio in ratios if ratio.high]
    if not lows or not highs:
        return ""
    low, high = f"{min(lows):.2f}", f"{max(highs):.2f}"
    if is_open:
        return f": the p99 response time of async is between {low} and {high} times that of sync"
    return f": async gives between {low} and {high} times the throughput of sync"


def _say_place(verdict: Verdict, group: Compared, crossover: Crossover | None) -> str:
    if verdict is Verdict.ASYNC and crossover is not None and next(iter(group)).level == crossover.level:
        noun = str(next(iter(group)))
        certainty = f"certainty {show_certainty(crossover.certainty)}"
        if crossover.below is None:
            return f"at every level measured, {name_places(list(group))} ({certainty})"
        return f"from {noun} on ({certainty})"
    return f"at {name_places(list(group))}"


def _crossover(compared: Compared) -> Crossover | None:
    """The level from which async wins; None where it does not, or only one level was compared."""
    if len(compared) < 2:  # noqa: PLR2004 - a crossing needs two
        return None
    return find_crossover({place.level: _plain(one) for place, one in compared.items()})


def _plain(one: Comparison) -> compare.Comparison:
    share = math.nan if one.async_share is None else one.async_share
    return compare.Comparison(None, None, None, share, Verdict(one.verdict), one.reasons)
