"""The search for the highest rate of arrivals that meets conditions. Pure: no clock, no network, no Locust."""

from loadgen.control.rate_search.backlog import Backlog
from loadgen.control.rate_search.search import Finding, Outcome, RateSearch, Trial, Verdict
from loadgen.control.rate_search.turns import SearchPlan, SearchTurns, Step

__all__ = [
    "Backlog",
    "Finding",
    "Outcome",
    "RateSearch",
    "SearchPlan",
    "SearchTurns",
    "Step",
    "Trial",
    "Verdict",
]
