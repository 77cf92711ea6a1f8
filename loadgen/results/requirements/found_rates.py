"""Requirements on the highest rate that a search has found, such as `rate async > 500 /s`."""

from loadgen.results.record import RunRecord
from loadgen.results.record.rate_search import RateFindingRecord
from loadgen.results.requirements.parsing import Requirement
from loadgen.results.requirements.reading import Reading

WHERE = "the search for the highest rate"
REASONS = {
    "none": "even the lowest rate that was tried, {rate:.6g}/s, failed",
    "unfinished": "the search was interrupted",
}
LOWER_BOUNDS = ("generator", "at least")
"""Outcomes whose rate the server has held, and whose edge is above it."""


def read_rates(record: RunRecord, wanted: Requirement) -> list[Reading]:
    """The rate of each variant that the requirement is of; none without a search."""
    found = record.rate_search.findings if record.rate_search else ()
    return [_read(one) for one in found if wanted.variant in (None, one.variant)]


def _read(found: RateFindingRecord) -> Reading:
    """The lower end of the interval: a server that may hold less has not been shown to hold the limit."""
    where = f"{found.variant}, {WHERE}"
    if found.outcome in REASONS or found.rate is None:
        return Reading(where, None, REASONS.get(found.outcome, "no rate").format(rate=found.rate or 0.0))
    if found.outcome in LOWER_BOUNDS:
        limit = "; the generator was at its limit" if found.outcome == "generator" else ""
        return Reading(where, found.rate, f"at least {found.rate:.6g}/s{limit}")
    if found.low is None or found.high is None:
        return Reading(where, None, f"{found.rate:.6g}/s without an interval")
    return Reading(where, found.low, f"{found.rate:.6g}/s [{found.low:.6g} to {found.high:.6g}]")
