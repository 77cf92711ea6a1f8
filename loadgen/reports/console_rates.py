"""The tables of a search for a rate, printed at the end of a run."""

from typing import TextIO

from loadgen.reports.console import WIDTH_WITHOUT_TERMINAL
from loadgen.reports.rate_values import show_value
from loadgen.results.record import RateSearchRecord
from loadgen.results.verdict.phrases import NONE, show_rate
from loadgen.results.verdict.rates import show_arrivals, show_interval
from loadgen.text.fitting import Column, ColumnRole, print_fitting
from loadgen.text.plain_text import new_console

KEY = (
    "A step passes if it meets every condition and its backlog does not grow. The interval contains the edge, where "
    "steps begin to fail, with a probability of 95 %."
)
REASON = "failed just above"


def print_rate_search(search: RateSearchRecord, file: TextIO) -> None:
    """The result of each variant, then the steps by rate."""
    out = new_console(file, None if file.isatty() else WIDTH_WITHOUT_TERMINAL)
    variant = Column("variant", ColumnRole.KEY, is_word=True)
    result = [
        [one.variant, one.outcome, show_arrivals(one.rate), show_interval(one), one.reason or NONE]
        for one in search.findings
    ]
    columns = (variant, Column("result", is_word=True), Column("highest rate"), Column("95 %"))
    title = "The highest rate that meets " + ", ".join(one.text for one in search.conditions)
    print_fitting(out, (title, REASON), (*columns, Column(REASON, ColumnRole.RESULT, is_word=True)), [result])
    names = list(dict.fromkeys(one.variant for one in search.steps))
    rate = Column("rate", ColumnRole.KEY)
    figures = [Column(one.text) for one in search.conditions]
    groups = [_step_rows(search, name) for name in names]
    if groups:
        heads = (variant, rate, Column("step", is_word=True), Column("done/s"), *figures)
        print_fitting(out, ("Steps, by rate", "Steps, by rate"), heads, groups)
    out.print(KEY)


def _step_rows(search: RateSearchRecord, name: str) -> list[list[str]]:
    return [
        [
            one.variant,
            show_arrivals(one.rate),
            "passed" if one.passes else "generator" if one.is_generator else "failed",
            NONE if one.throughput is None else show_rate(one.throughput),
            *(show_value(condition, value) for condition, value in zip(search.conditions, one.values, strict=False)),
        ]
        for one in search.of(name)
    ]
