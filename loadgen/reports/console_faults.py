"""The table of faults printed at the end of a run."""

from collections.abc import Sequence

from rich.console import Console

from loadgen.results.figures import load_level
from loadgen.results.phase_result import PhaseResult
from loadgen.text.fitting import Column, ColumnRole, print_fitting

TITLE = "Faults: seconds to the first success, and to 95 % of the throughput before"


def print_faults(out: Console, results: Sequence[PhaseResult]) -> None:
    """A row for each fault of each phase; nothing without any."""
    rows = []
    for result in results:
        phase = result.record
        for one in phase.faults.faults if phase.faults is not None else ():
            seen = one.recovery
            times = (seen.first_success_seconds, seen.recovery_seconds)
            failures = ", ".join(f"{name} {number:,}" for name, number in seen.failures.items()) or "0"
            head = [str(result.number), load_level(phase.concurrency, phase.rate).short, phase.variant, one.text]
            rows.append([*head, *("-" if time is None else f"{time:.1f}" for time in times), failures])
    if rows:
        keys = (Column("phase", ColumnRole.KEY), Column("load", ColumnRole.KEY))
        words = (Column("variant", ColumnRole.KEY, is_word=True), Column("fault", ColumnRole.KEY, is_word=True))
        figures = (Column("first success"), Column("recovery"), Column("failures", is_word=True))
        print_fitting(out, (TITLE, TITLE), (*keys, *words, *figures), [rows])
