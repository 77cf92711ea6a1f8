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
    result = record.rate_search.findings if record.rate_search else ()
    return [_read(one) for one in result if wanted.variant in (None, one.variant)]


def _read(rate_finding: RateFindingRecord) -> Reading:
    """The lower end of the interval: a server that may hold less has not been shown to hold the limit."""
    where = f"{rate_finding.variant}, {WHERE}"
    if rate_finding.outcome in REASONS or rate_finding.rate is None:
        return Reading(where, None, REASONS.get(rate_finding.outcome, "no rate").format(rate=rate_finding.rate or 0.0))
    if rate_finding.outcome in LOWER_BOUNDS:
        limit = "; the generator was at its limit" if rate_finding.outcome == "generator" else ""
        return Reading(where, rate_finding.rate, f"at least {rate_finding.rate:.6g}/s{limit}")
    if rate_finding.low is None or rate_finding.high is None:
        return Reading(where, None, f"{rate_finding.rate:.6g}/s without an interval")
    return Reading(
        where, rate_finding.low, f"{rate_finding.rate:.6g}/s [{rate_finding.low:.6g} to {rate_finding.high:.6g}]"
    )
