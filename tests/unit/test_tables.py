"""The tables show what was counted."""

from io import StringIO

import pytest
from rich.console import Console

from loadgen.health import Beat
from loadgen.ledger import Ledger
from loadgen.phase import Phase
from loadgen.sample import Mode, Outcome, Sample
from loadgen.tables import print_tables


def count(ledger: Ledger, phase: Phase, times: list[float], failed: int = 0, seconds: float = 2.0) -> None:
    """Put one phase into a ledger: operations that took these seconds, and some that failed."""
    name = phase.operation or "search"
    start = 100.0 * (phase.number + 1)
    ledger.open(phase, start, start + seconds)
    ledger([Sample(phase.mode, name, start, start + 0.5 - took, start + 0.5, Outcome.OK, 1) for took in times])
    ledger([Sample(phase.mode, name, start, start, start + 0.5, Outcome.THROTTLED, 0)] * failed)


def printed(ledger: Ledger) -> list[list[str]]:
    """The cells of all rows."""
    out = StringIO()
    print_tables(ledger.windows.values(), Console(file=out, width=160))
    lines = (line.strip().replace("┃", "│") for line in out.getvalue().splitlines())
    return [[cell.strip() for cell in line[1:-1].split("│")] for line in lines]


def test_a_compare_run_has_a_row_for_each_mode_and_the_ratio_of_what_was_answered() -> None:
    ledger = Ledger()
    count(ledger, Phase(0, Mode.SYNC, 8, seconds=2), [0.010] * 100, failed=7)
    count(ledger, Phase(1, Mode.ASYNC, 8, seconds=2), [0.005] * 98 + [0.100] * 52)
    rows = printed(ledger)
    assert ["8", "search", "sync", "50.0", "10.01", "10.01", "10.01", "7", ""] in rows
    assert ["8", "search", "async", "75.0", "5.00", "100.03", "100.03", "0", "1.50"] in rows


def test_the_rounds_of_one_concurrency_are_added_up() -> None:
    ledger = Ledger()
    for number, (mode, times) in enumerate([("sync", 20), ("async", 30), ("async", 50), ("sync", 60)]):
        count(ledger, Phase(number, Mode(mode), 8, seconds=2), [0.010] * times)
    rates = {row[2]: (row[3], row[-1]) for row in printed(ledger) if len(row) > 5 and row[0] == "8"}
    assert rates == {"sync": ("20.0", ""), "async": ("20.0", "1.00")}


@pytest.mark.parametrize("style", ["sync", "threads", "async"])
def test_a_burst_shows_its_seconds_beside_the_tutorials(style: str) -> None:
    ledger = Ledger()
    mode = Mode.ASYNC if style == "async" else Mode.SYNC
    count(ledger, Phase(0, mode, 1, style=style, operation="search", operations=1000), [0.1] * 1000, seconds=4.321)
    row = next(row for row in printed(ledger) if row[:2] == ["search", "1,000"])
    assert row[2] == {"sync": "4.321 (308.80)", "threads": "4.321", "async": "4.321 (8.81)"}[style]


def test_the_fair_quotient_of_a_burst_is_threads_to_gather() -> None:
    ledger = Ledger()
    for number, (style, seconds) in enumerate((("sync", 30.0), ("threads", 3.0), ("async", 2.0))):
        mode = Mode.ASYNC if style == "async" else Mode.SYNC
        phase = Phase(number, mode, 1, style=style, operation="insert", operations=10)
        count(ledger, phase, [0.1] * 10, failed=number, seconds=seconds)
    row = next(row for row in printed(ledger) if row[:2] == ["insert", "10"])
    assert row == ["insert", "10", "30.000 (0.56)", "3.000", "2.000 (0.19)", "1.50", "3"]


def test_a_phase_in_which_the_tool_was_the_limit_is_told() -> None:
    ledger = Ledger()
    count(ledger, Phase(0, Mode.ASYNC, 8, seconds=2), [0.010] * 10)
    ledger.windows[0].health.add(Beat(1.0, 0.97, 1.0, 0.0, 0.0, 8))
    out = StringIO()
    print_tables(ledger.windows.values(), Console(file=out, width=160))
    assert (
        "Phase 1 (async, 8 users) shows the tool, not the server: the load generator used 97% of its core"
        in out.getvalue()
    )


def test_a_run_that_counted_nothing_prints_nothing() -> None:
    out = StringIO()
    print_tables(Ledger().windows.values(), Console(file=out))
    assert out.getvalue() == ""
