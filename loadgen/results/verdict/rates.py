"""The result of a search for the highest rate, in words."""

from collections.abc import Iterator

from loadgen.results.record import RateFindingRecord, RateSearchRecord

GOOD = "found"
"""The outcome of a search that located the server's limit."""


def show_arrivals(rate: float | None) -> str:
    """Such as `412/s` or `3.72/s`: four digits."""
    return "-" if rate is None else f"{float(f'{rate:.4g}'):,.10g}/s"


def show_interval(found: RateFindingRecord) -> str:
    """Such as `398 to 421/s`; a dash without an interval."""
    if found.low is None or found.high is None:
        return "-"
    return f"{show_arrivals(found.low).removesuffix('/s')} to {show_arrivals(found.high)}"


def say_rates(search: RateSearchRecord, *, is_over: bool) -> Iterator[str]:
    """One sentence per variant."""
    conditions = ", ".join(one.text for one in search.conditions)
    for found in search.findings:
        if is_over or found.outcome in (GOOD, "generator"):
            yield _say(found, search, conditions)


def _say(found: RateFindingRecord, search: RateSearchRecord, conditions: str) -> str:
    name, rate = found.variant, show_arrivals(found.rate)
    processes = "1 process" if search.processes == 1 else f"{search.processes} processes"
    if found.outcome == GOOD:
        return (
            f"{name}: {rate} is the highest rate that meets {conditions} (95 % interval {show_interval(found)}). "
            f"Above it: {found.reason}."
        )
    if found.outcome == "generator":
        remedy = "raise --max-in-flight" if "--max-in-flight" in found.reason else "add processes"
        return f"{name}: the generator ended at {rate} with {processes}; {remedy} ({found.reason})."
    if found.outcome == "at least":
        return f"{name}: every step passed, up to {rate}; the edge is higher. Give --find-within more time."
    if found.outcome == "none":
        return f"{name}: even the lowest rate that was tried, {rate}, fails: {found.reason}."
    return f"{name}: the search was interrupted; no rate is claimed."


def find_unfound(search: RateSearchRecord) -> tuple[str, ...]:
    """Why a variant has no rate of its server, for the exit code."""
    conditions = ", ".join(one.text for one in search.conditions)
    return tuple(
        f"no rate: {_say(one, search, conditions).rstrip('.')}" for one in search.findings if one.outcome != GOOD
    )
