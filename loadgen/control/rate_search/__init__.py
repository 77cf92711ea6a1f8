"""The search for the highest rate of arrivals that meets conditions. Pure: no clock, no network, no Locust."""

from loadgen.control.rate_search.backlog import Backlog
from loadgen.control.rate_search.search import RateFinding, RateSearch, RateSearchOutcome, StepVerdict, Trial
from loadgen.control.rate_search.turns import SearchPlan, SearchTurns, Step

__all__ = [
    "Backlog",
    "RateFinding",
    "RateSearch",
    "RateSearchOutcome",
    "SearchPlan",
    "SearchTurns",
    "Step",
    "StepVerdict",
    "Trial",
]
