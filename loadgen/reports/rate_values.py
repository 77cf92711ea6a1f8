"""The figures of the conditions of a rate search, as text."""

from loadgen.reports.tables import milliseconds
from loadgen.results.record import RateConditionRecord
from loadgen.results.verdict.phrases import NONE


def show_value(condition: RateConditionRecord, value: float | None) -> str:
    """The figure of a condition in one step: ms for a time."""
    if value is None:
        return NONE
    return f"{milliseconds(value)} ms" if condition.is_time else f"{value:.4g}"
