"""The targets of the RAG path, and whether they were met."""

from collections.abc import Iterator

from loadgen.calibrate.rag.driver import FIGURES, Outcomes, Result, SidePair
from loadgen.calibrate.rag.plan import BARE
from loadgen.calibrate.rag.scatter import scatter_of_rates, scatter_of_times
from loadgen.calibrate.target import Target
from loadgen.measure.histograms import percentile
from loadgen.measure.sample import Outcome

NEAR_SECONDS, NEAR_SHARE = 0.002, 0.03
"""A time is near another one within 2 ms, or within 3 %."""
RATE_AT_LEAST = 0.97
MOST_JUDGED = 8
"""Users up to which times are judged: with more, all cores are busy, and a time is mostly a wait for one."""
PERCENTS = (50.0, 99.0)


def find_targets(result: Result) -> list[Target]:
    """All targets."""
    bare = [pair for pair in result.pairs if pair.subject == BARE]
    times = [one for pair in bare if pair.users <= MOST_JUDGED for one in _times(pair)]
    others = [_rate(pair, "without stages") for pair in result.pairs if pair.subject != BARE]
    return [*times, *(_rate(pair, "a bare loop") for pair in bare), *others, *_outcomes(result.outcomes)]


def _times(pair: SidePair) -> Iterator[Target]:
    for figure in FIGURES:
        for percent in PERCENTS:
            mine, limit = (percentile(side.times[figure], percent) for side in (pair.tool, pair.other))
            allowed = max(NEAR_SECONDS, NEAR_SHARE * limit)
            wanted = f"{limit * 1000:.2f} ms, within {allowed * 1000:.2f}"
            measured = f"{mine * 1000:.2f} ms ({(mine - limit) * 1000:+.2f})"  # nan, which is near nothing, for none
            name = f"{_name(pair)}: {figure} p{percent:g} against a bare loop"
            off = abs(mine - limit)
            chance = allowed + scatter_of_times(pair.tool.times[figure], pair.other.times[figure], percent)
            yield Target(name, wanted, measured, off <= allowed, pair.late, allowed < off <= chance)


def _rate(pair: SidePair, other: str) -> Target:
    mine, limit = pair.tool.rate, pair.other.rate
    wanted = f"{limit:.1f}/s, at least {RATE_AT_LEAST:g} of it"
    measured = f"{mine:.1f}/s ({mine / limit:.3f})" if limit else f"{mine:.1f}/s"
    name = f"{_name(pair)}: asks/s against {other}"
    chance = RATE_AT_LEAST / (1 + scatter_of_rates(pair.tool.rates, pair.other.rates))
    met, possible = (limit > 0 and mine >= share * limit for share in (RATE_AT_LEAST, chance))
    return Target(name, wanted, measured, met, pair.late, possible and not met)


def _name(pair: SidePair) -> str:
    return f"{pair.mode} {pair.users} user{'s' * (pair.users > 1)}"


def _outcomes(outcomes: Outcomes) -> Iterator[Target]:
    names = {
        Outcome.OK: "whole answers are ok",
        Outcome.THROTTLED: "429 is throttled",
        Outcome.UNAVAILABLE: "503 is unavailable",
        Outcome.FAILED: "a broken stream is failed",
    }
    for outcome in Outcome:
        mine, limit = outcomes.reported.get(outcome, 0), outcomes.counted.get(outcome, 0)
        if outcome in names or mine or limit:
            met = mine == limit and (outcome not in names or mine > 0)
            yield Target(names.get(outcome, f"no ask is {outcome}"), f"{limit:,} by the server", f"{mine:,}", met)
