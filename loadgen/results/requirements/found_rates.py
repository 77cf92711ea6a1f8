"""Requirements on the highest rate that a search has found, such as `rate async > 500 /s`."""

from collections.abc import Iterable

from loadgen.measure.objective import RELATIONS
from loadgen.results.record import RunRecord
from loadgen.results.record.rate_search import RateFindingRecord
from loadgen.results.requirements.parsing import RATE, Requirement
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


def find_proven(record: RunRecord, requirements: Iterable[Requirement]) -> set[str]:
    """Variants whose search ended below the edge, at a rate that meets all requirements on it, and there is one."""
    rates = [one for one in requirements if one.figure == RATE]
    result = set()
    for one in record.rate_search.findings if record.rate_search else ():
        own = [wanted for wanted in rates if wanted.variant in (None, one.variant)]
        if one.outcome in LOWER_BOUNDS and own and all(_is_enough(one, wanted) for wanted in own):
            result.add(one.variant)
    return result


def _is_enough(rate_finding: RateFindingRecord, wanted: Requirement) -> bool:
    held = _find_held(rate_finding)
    return held is not None and RELATIONS[wanted.comparator](held, wanted.limit)


def _find_held(rate_finding: RateFindingRecord) -> float | None:
    """A rate that the server has held although its edge is unknown; None if there is none.

    Where the generator was the limit, the rate is an estimate of that limit, and without an interval nothing passed.
    """
    return rate_finding.low if rate_finding.outcome == "generator" else rate_finding.rate


def _read(rate_finding: RateFindingRecord) -> Reading:
    """The lower end of the interval: a server that may hold less has not been shown to hold the limit."""
    where = f"{rate_finding.variant}, {WHERE}"
    if rate_finding.outcome in REASONS or rate_finding.rate is None:
        return Reading(where, None, REASONS.get(rate_finding.outcome, "no rate").format(rate=rate_finding.rate or 0.0))
    if rate_finding.outcome in LOWER_BOUNDS:
        held = _find_held(rate_finding)
        if held is None:
            return Reading(
                where, None, f"the generator was at its limit at {rate_finding.rate:.6g}/s, and no step passed"
            )
        limit = "; the generator was at its limit" if rate_finding.outcome == "generator" else ""
        return Reading(where, held, f"at least {held:.6g}/s{limit}")
    if rate_finding.low is None or rate_finding.high is None:
        return Reading(where, None, f"{rate_finding.rate:.6g}/s without an interval")
    return Reading(
        where, rate_finding.low, f"{rate_finding.rate:.6g}/s [{rate_finding.low:.6g} to {rate_finding.high:.6g}]"
    )
