"""The result of a search for the highest rate, in words."""

from collections.abc import Collection, Iterator

from loadgen.results.record import RateFindingRecord, RateSearchRecord

GOOD = "found"
"""The outcome of a search that located the server's limit."""


def show_arrivals(rate: float | None) -> str:
    """Such as `412/s` or `3.72/s`: four digits."""
    return "-" if rate is None else f"{float(f'{rate:.4g}'):,.10g}/s"


def show_interval(rate_finding: RateFindingRecord) -> str:
    """Such as `398 to 421/s`; a dash without an interval."""
    if rate_finding.low is None or rate_finding.high is None:
        return "-"
    return f"{show_arrivals(rate_finding.low).removesuffix('/s')} to {show_arrivals(rate_finding.high)}"


def say_rates(search: RateSearchRecord, *, is_over: bool) -> Iterator[str]:
    """One sentence per variant."""
    for each in search.findings:
        if is_over or each.outcome in (GOOD, "generator"):
            yield _say(each, search)


def _say(rate_finding: RateFindingRecord, search: RateSearchRecord) -> str:
    name, rate = rate_finding.variant, show_arrivals(rate_finding.rate)
    conditions = ", ".join(one.text for one in search.conditions if one.variant in (None, name))
    processes = "1 process" if search.processes == 1 else f"{search.processes} processes"
    if rate_finding.outcome == GOOD:
        return (
            f"{name}: {rate} is the highest rate that meets {conditions} "
            f"(95 % interval {show_interval(rate_finding)}). "
            f"Above it: {rate_finding.reason}."
        )
    if rate_finding.outcome == "generator":
        remedy = "raise --max-in-flight" if "--max-in-flight" in rate_finding.reason else "add processes"
        return f"{name}: the generator ended at {rate} with {processes}; {remedy} ({rate_finding.reason})."
    if rate_finding.outcome == "at least" and rate_finding.reason:
        return f"{name}: {rate} passed, and above it {rate_finding.reason}; the edge is unknown."
    if rate_finding.outcome == "at least":
        return f"{name}: every step passed, up to {rate}; the edge is higher. Give --find-within more time."
    if rate_finding.outcome == "none":
        return f"{name}: even the lowest rate that was tried, {rate}, fails: {rate_finding.reason}."
    return f"{name}: the search was interrupted; no rate is claimed."


def find_unfound(search: RateSearchRecord, proven: Collection[str] = ()) -> tuple[str, ...]:
    """Why a variant has no rate of its server, for the exit code; the `proven` ones need none."""
    return tuple(
        f"no rate: {_say(one, search).rstrip('.')}"
        for one in search.findings
        if one.outcome != GOOD and one.variant not in proven
    )
