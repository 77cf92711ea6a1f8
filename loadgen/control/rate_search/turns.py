"""The searches of all variants: they take turns, within one limit of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgen.control.rate_search.search import HIGHEST, RateFinding, RateSearch, StepVerdict
from loadgen.settings.rate_search import BETWEEN
from loadgen.text.listing import count_of

ROUGH, LONG = 1 / 3, 2.0
"""Lengths of a rough step, and of one close to the edge, as shares of the others'."""
LIMITS = 3.0
"""Times the limit that a rough step lasts: the delay at its end is half of that at twice the capacity."""
LOWEST_ARRIVALS, FIRST_ARRIVALS = 10, 100
"""Arrivals of a step at the lowest rate, and at the first one."""
REMEMBERED = 5
"""Pauses between steps, the longest of which is planned for."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The lengths of a search, in seconds."""

    seconds: float
    """Measured part of a step."""
    warmup_seconds: float
    within: float
    """Limit of the whole search."""
    limit: float = 0.0
    """The longest limit on a time among the conditions: within it, an overload does not show."""

    @property
    def step_seconds(self) -> float:
        """Length of a step with its warm-up."""
        return self.seconds + self.warmup_seconds

    @property
    def rough(self) -> float:
        """Length of a rough step, as a share of the others': long enough for twice the capacity to exceed the limit."""
        return max(ROUGH, min(1.0, LIMITS * self.limit / self.step_seconds))

    @property
    def lowest(self) -> float:
        """The lowest rate that is tried: below it a step has too few arrivals."""
        return LOWEST_ARRIVALS / self.seconds

    @property
    def first(self) -> float:
        """The rate of the first step."""
        return min(FIRST_ARRIVALS / self.seconds, HIGHEST)

    @property
    def most_steps(self) -> int:
        """Steps for which there is time; more, if some end early."""
        return int(self.within / (self.step_seconds + BETWEEN))


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of one variant; lengths are seconds."""

    variant: str
    rate: float
    seconds: float
    warmup_seconds: float


class SearchTurns:
    """Takes the result and the duration of each step and chooses the next one. Knows no clock."""

    def __init__(self, variants: Sequence[str], plan: SearchPlan) -> None:
        self.plan = plan
        self._searches = {name: RateSearch(plan.first, plan.lowest) for name in variants}
        self._order = [*variants, *reversed(variants)]
        self._turn = 0
        self._used = 0.0
        self._pauses = [BETWEEN]
        self.is_out_of_time = False

    @property
    def searches(self) -> Mapping[str, RateSearch]:
        """By variant."""
        return self._searches

    @property
    def is_over(self) -> bool:
        """True if no step follows."""
        return self.is_out_of_time or all(one.is_over for one in self._searches.values())

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return max(0.0, self.plan.within - self._used)

    def first_steps(self) -> list[Step]:
        """The first step of each variant."""
        return [self._step(name) for name in self._searches]

    def next(self) -> Step | None:
        """The next step; None if the search is over. The same one until it is observed."""
        if self.is_over:
            return None
        while self._searches[self._next_variant].is_over:
            self._turn += 1
        step = self._step(self._next_variant)
        if step.seconds + step.warmup_seconds + max(self._pauses) > self.left:
            self.is_out_of_time = True
            return None
        return step

    @property
    def _next_variant(self) -> str:
        return self._order[self._turn % len(self._order)]

    def _step(self, name: str) -> Step:
        search, plan = self._searches[name], self.plan
        length = plan.rough if search.is_rough else LONG if search.is_close else 1.0
        return Step(name, search.rate, length * plan.seconds, length * plan.warmup_seconds)

    def observe(self, step: Step, verdict: StepVerdict, took: float) -> None:
        """A step has ended; it `took` the time until the next one, in seconds."""
        self._searches[step.variant].observe(step.rate, verdict)
        self._turn += 1
        self._used += took
        self._pauses = [*self._pauses, max(BETWEEN, took - step.seconds - step.warmup_seconds)][-REMEMBERED:]

    def find(self) -> dict[str, RateFinding]:
        """The result of each variant; none is claimed where the search was interrupted."""
        return {name: one.find(interrupted=not self.is_over) for name, one in self._searches.items()}

    def announce(self) -> str:
        """One line before the search begins."""
        plan, number = self.plan, len(self._searches)
        whose = f" for {count_of(number, 'variant')} in turn" if number > 1 else ""
        return (
            f"Finding the highest rate{whose} within {plan.within:g} s: up to {plan.most_steps} steps of "
            f"{plan.step_seconds:g} s, from {plan.first:g}/s; the rate doubles until a step fails"
        )
