"""The search of one variant: rates that double until a step fails, then steps where the edge is expected."""

import math
from dataclasses import dataclass
from enum import StrEnum

from loadgen.control.rate_search.belief import Belief

FACTOR = 2.0
"""Between two rough steps."""
HIGHEST = 1_000_000.0
"""Arrivals per second beyond which no rate is tried, as for --rate."""
PRECISION = 0.04
"""Width of the interval, as a share of the rate, with which a search is over."""
GRID = 0.005
"""Rates are multiples of each other by a power of 1 + this, so that steps near the edge repeat rates."""
NEAR = 0.1
"""How close to the edge, as a share of the rate, a step is one near the edge."""
CLOSE = 1.2
"""Ratio of the interval's ends below which steps are long: the p99 of a short one is too low more often than not."""
REPEATS = 2
"""Steps near the edge that must pass, and that must fail, before a search is over."""
EXCUSED = 4
"""Steps whose failure is not counted since the generator was at its limit; each rate has one, in case it was chance."""
CERTAIN = 0.9
"""Probability with which the edge is below the lowest rate when a search ends there."""
AT_LOWEST = 2
"""Steps at the lowest rate that must fail before nothing lower is tried."""


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """How a step ended."""

    passes: bool
    reason: str = ""
    """The condition that failed, with its value, or why the step ended early; empty if it passes."""
    is_generator: bool = False
    """It failed, and the load generator was at its limit: it says nothing about the server."""
    throughput: float = 0.0
    """Answered operations per second."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A step that is over."""

    rate: float
    verdict: StepVerdict


class RateSearchOutcome(StrEnum):
    """What a search has shown."""

    LIMIT = "found"
    """A rate with an interval."""
    GENERATOR = "generator"
    """The load generator was at its limit just above the rate."""
    AT_LEAST = "at least"
    """Every step passed."""
    NONE = "none"
    """Even the lowest rate failed."""
    UNFINISHED = "unfinished"
    """It was interrupted: no result is claimed."""


@dataclass(frozen=True, slots=True)
class RateFinding:
    """The result of a search; rates are arrivals per second."""

    outcome: RateSearchOutcome
    rate: float = math.nan
    """The highest that meets the conditions; of `at least` the highest that was tried, of `none` the lowest."""
    low: float = math.nan
    high: float = math.nan
    """The edge is between these with a probability of 95 %; nan unless there is one."""
    reason: str = ""
    """What failed just above the rate."""


class RateSearch:
    """Takes the result of each step and chooses the next rate. Knows neither clock nor server."""

    def __init__(self, first: float, lowest: float) -> None:
        """Begin at the rate `first`, and try none below `lowest`."""
        self._lowest = lowest
        self._rough = first
        self._belief: Belief | None = None
        self.trials: list[Trial] = []
        self._excused: dict[float, str] = {}
        """Rates of steps that are not counted, with the limit of the generator."""
        self.is_over = False

    @property
    def is_rough(self) -> bool:
        """True while the rates double: such a step may be short."""
        return self._belief is None and not self._failed

    @property
    def is_close(self) -> bool:
        """True once the edge is known well: such a step should be long."""
        if self._belief is None:
            return False
        low, high = self._belief.interval()
        return high <= low * CLOSE

    @property
    def rate(self) -> float:
        """The rate of the next step, unless the search is over."""
        if self._belief is None:
            return self._rough
        return min(max(_snap(self._belief.quantiles(0.5)[0]), self._lowest), HIGHEST)

    @property
    def _passed(self) -> list[float]:
        return [one.rate for one in self.trials if one.verdict.passes]

    @property
    def _failed(self) -> list[float]:
        return [one.rate for one in self.trials if not one.verdict.passes]

    def observe(self, rate: float, verdict: StepVerdict) -> None:
        """A step at this rate is over."""
        if verdict.is_generator and rate not in self._excused and len(self._excused) < EXCUSED:
            self._excused[rate] = verdict.reason
            return
        self.trials.append(Trial(rate, verdict))
        if self._belief is not None:
            self._belief.learn(rate, passes=verdict.passes)
            self.is_over = self._is_precise() or self._is_below_lowest()
        elif self._passed and self._failed:
            self._belief = Belief(max(self._passed), max(min(self._failed), max(self._passed) * (1 + NEAR)))
            for one in self.trials:
                self._belief.learn(one.rate, passes=one.verdict.passes)
        elif verdict.passes:
            self.is_over = rate >= HIGHEST
            self._rough = min(rate * FACTOR, HIGHEST)
        else:
            self.is_over = self._failed.count(self._lowest) >= AT_LOWEST
            self._rough = max(rate / FACTOR, self._lowest)

    def _is_precise(self) -> bool:
        assert self._belief is not None  # noqa: S101 - of a search that narrows
        low, high = self._belief.interval()
        if high > low * (1 + PRECISION):
            return False
        near = [one.verdict.passes for one in self.trials if low / (1 + NEAR) <= one.rate <= high * (1 + NEAR)]
        return min(near.count(True), near.count(False)) >= REPEATS

    def _is_below_lowest(self) -> bool:
        """The edge is where no rate is tried, although a step at the lowest rate has passed by chance."""
        return self._belief is not None and self._belief.quantiles(CERTAIN)[0] < self._lowest

    def find(self, *, interrupted: bool = False) -> RateFinding:
        """The result so far; of an interrupted search there is none."""
        if interrupted and not self.is_over:
            return RateFinding(RateSearchOutcome.UNFINISHED)
        if not self.trials:
            return self._find_excused()
        if not self._failed:
            highest = max(self._passed)
            limits = [reason for rate, reason in self._excused.items() if rate > highest]
            return RateFinding(RateSearchOutcome.AT_LEAST, highest, reason=limits[0] if limits else "")
        if not self._passed or self._belief is None:
            return self._find_none()
        rate = _snap(self._belief.quantiles(0.5)[0])
        if rate < self._lowest:
            return self._find_none()
        low, high = self._belief.interval()
        above = self._just_above(rate)
        outcome = RateSearchOutcome.GENERATOR if _is_mostly_generator(above) else RateSearchOutcome.LIMIT
        of_outcome = [one for one in above if one.verdict.is_generator is (outcome is RateSearchOutcome.GENERATOR)]
        return RateFinding(outcome, rate, min(low, rate), max(high, rate), of_outcome[0].verdict.reason)

    def _find_excused(self) -> RateFinding:
        """Not one step counts: the generator was at its limit in the only one, or there was none."""
        for rate, reason in self._excused.items():
            return RateFinding(RateSearchOutcome.GENERATOR, rate, reason=reason)
        return RateFinding(RateSearchOutcome.UNFINISHED)

    def _find_none(self) -> RateFinding:
        worst = min((one for one in self.trials if not one.verdict.passes), key=lambda one: one.rate)
        outcome = RateSearchOutcome.GENERATOR if worst.verdict.is_generator else RateSearchOutcome.NONE
        return RateFinding(outcome, worst.rate, reason=worst.verdict.reason)

    def _just_above(self, rate: float) -> list[Trial]:
        """The failed steps near the edge, the closest above it first."""
        failed = [one for one in self.trials if not one.verdict.passes]
        closest = sorted(failed, key=lambda one: (one.rate < rate, abs(math.log(one.rate / rate))))
        near = [one for one in closest if abs(math.log(one.rate / rate)) <= NEAR]
        return near or closest[:1]


def _is_mostly_generator(trials: list[Trial]) -> bool:
    return 2 * sum(one.verdict.is_generator for one in trials) > len(trials)


def _snap(rate: float) -> float:
    """The rate of the grid that is closest, to four digits."""
    exact = (1 + GRID) ** round(math.log(rate) / math.log1p(GRID))
    return float(f"{exact:.4g}")
