"""The tables show what was counted."""

import re
from io import StringIO

import pytest

from loadgen.measure.errors import ErrorKind
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.reports.console import print_tables
from loadgen.results.levels import find_levels
from tests.unit.beats import watch
from tests.unit.result_support import results_of


def count(ledger: Ledger, phase: Phase, times: list[float], failed: int = 0, seconds: float = 2.0) -> None:
    """Put one phase into a ledger: operations that took these seconds, and some that failed."""
    name = phase.operation or "search"
    start = 100.0 * (phase.number + 1)
    ledger.open(phase, start, start + seconds)
    end = start + 0.5
    ledger([Sample(phase.mode, name, end - took, end - took, end, Outcome.OK, 1) for took in times])
    ledger([Sample(phase.mode, name, start, start, start + 0.5, Outcome.THROTTLED, 0)] * failed)


def lines(ledger: Ledger) -> list[str]:
    out = StringIO()
    results = results_of(ledger)
    print_tables(results, find_levels(results, seed=1), out)
    return out.getvalue().splitlines()


def printed(ledger: Ledger) -> list[list[str]]:
    """The cells of all rows."""
    rows = (line.strip().replace("┃", "│") for line in lines(ledger))
    return [[cell.strip() for cell in row[1:-1].split("│")] for row in rows]


def two_rounds(ledger: Ledger, sync: list[float], asyn: list[float], users: int = 8) -> None:
    """Four phases, sync, async, async, sync, whose operations are spread over the whole of each."""
    for turn, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        number = len(ledger.windows)
        times = sync if mode is Mode.SYNC else asyn
        start = 100.0 * (number + 1)
        ledger.open(Phase(number, mode, users, seconds=10), start, start + 10)
        watch(ledger, start, 10)
        for place, took in enumerate(times):
            at = start + 10 * (place + 0.5) / len(times)
            ledger([Sample(mode, "search", at - took, at - took, at, Outcome.OK, 10)])
        assert turn < 4


def test_a_level_has_a_row_for_each_mode_with_the_figures_of_all_its_rounds() -> None:
    ledger = Ledger()
    two_rounds(ledger, [0.010] * 500, [0.005] * 980 + [0.100] * 520)
    rows = {row[2]: row for row in printed(ledger) if row[0] == "8"}
    assert rows["sync"][:9] == ["8", "search", "sync", "50.00", "10.01", "10.01", "10.01", "0", "0"]
    assert rows["async"][:9] == ["8", "search", "async", "150.0", "5.00", "100.03", "100.03", "0", "0"]
    assert rows["async"][9].startswith("3.00 (2.")
    assert rows["async"][10] == "async"


def test_exceptions_of_tasks_have_a_table_also_where_no_operation_was_done() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
    assert lines(ledger) == []
    for _ in range(1_200):
        ledger.count_error(Mode.SYNC, ErrorKind("TypeError", "search.py:11"), 105.0)
    ledger.open(Phase(1, Mode.ASYNC, 8, seconds=10), 112.0, 122.0)
    ledger.count_error(Mode.ASYNC, ErrorKind("KeyError", "search.py:7"), 113.0)
    assert [row for row in printed(ledger) if len(row) == 5 and row[0].isdigit()] == [
        ["1", "sync", "TypeError", "search.py:11", "1,200"],
        ["2", "async", "KeyError", "search.py:7", "1"],
    ]


def test_the_words_follow_the_interval() -> None:
    for asyn, verdict in ((500, "no difference"), (200, "sync"), (1500, "async")):
        ledger = Ledger()
        two_rounds(ledger, [0.010] * 500, [0.010] * asyn)
        assert next(row for row in printed(ledger) if row[2:3] == ["async"])[10] == verdict


def test_one_round_has_figures_and_no_verdict() -> None:
    ledger = Ledger()
    count(ledger, Phase(0, Mode.SYNC, 8, seconds=2), [0.010] * 100, failed=7)
    count(ledger, Phase(1, Mode.ASYNC, 8, seconds=2), [0.010] * 150)
    rows = {row[2]: row for row in printed(ledger) if row[0] == "8"}
    assert rows["sync"][3:9] == ["50.00", "10.01", "10.01", "10.01", "7", "0"]
    assert rows["async"][10] == "invalid"


def test_ratios_are_explained_only_where_modes_are_compared() -> None:
    ledger = Ledger()
    count(ledger, Phase(0, Mode.SYNC, 8, seconds=2), [0.010] * 100)
    assert lines(ledger)[-1] == "Percentiles are of answered operations and timeouts."
    count(ledger, Phase(1, Mode.ASYNC, 8, seconds=2), [0.010] * 150)
    assert "Ratio: operations/s async to sync, 95 % interval." in " ".join(lines(ledger))


@pytest.mark.parametrize("style", ["sync", "threads", "async"])
def test_a_burst_shows_its_seconds_beside_the_tutorials(style: str) -> None:
    ledger = Ledger()
    mode = Mode.ASYNC if style == "async" else Mode.SYNC
    count(ledger, Phase(0, mode, 1, style=style, operation="search", operations=1000), [0.1] * 1000, seconds=4.321)
    row = next(row for row in printed(ledger) if row[:2] == ["search", "1,000"])
    assert row[2] == {"sync": "4.321 (308.80)", "threads": "4.321", "async": "4.321 (8.81)"}[style]


@pytest.mark.parametrize(("failed", "quotient"), [(0, "1.50"), (1, "-")])
def test_the_fair_quotient_of_a_burst_is_threads_to_gather_where_none_failed(failed: int, quotient: str) -> None:
    ledger = Ledger()
    for number, (style, seconds) in enumerate((("sync", 30.0), ("threads", 3.0), ("async", 2.0))):
        mode = Mode.ASYNC if style == "async" else Mode.SYNC
        phase = Phase(number, mode, 1, style=style, operation="insert", operations=10)
        count(ledger, phase, [0.1] * 10, failed=failed * number, seconds=seconds)
    row = next(row for row in printed(ledger) if row[:2] == ["insert", "10"])
    assert row == ["insert", "10", "30.000 (0.56)", "3.000", "2.000 (0.19)", quotient, str(3 * failed), "0"]


def test_a_phase_in_which_the_tool_was_the_limit_makes_its_comparison_invalid() -> None:
    ledger = Ledger()
    two_rounds(ledger, [0.010] * 500, [0.010] * 1000)
    ledger.windows[1].health.add(Beat(1.0, 970.0, 1000.0, 0.0, 0.0, 8))
    assert next(row for row in printed(ledger) if row[2:3] == ["async"])[10] == "invalid"


def test_the_mean_reciprocal_rank_has_a_column_where_answers_are_ranked() -> None:
    heads = []
    for rank in (None, 0.25):
        ledger = Ledger()
        count(ledger, Phase(0, Mode.SYNC, 8, seconds=2), [0.010] * 20)
        ledger.check(Check(101.0, 3, 0.5, "search", rank))
        (row,) = [row for row in printed(ledger) if row[0] == "8"]
        heads.append([row[-2:] if rank else row[-1:], "MRR" in " ".join(lines(ledger))])
    assert heads == [[["0.500"], False], [["0.500", "0.250"], True]]


@pytest.mark.parametrize("rate", [0.0, 12_345.0])
def test_a_narrow_terminal_gets_two_tables_with_every_figure(rate: float) -> None:
    ledger = Ledger()
    for number, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        start = 100.0 * (number + 1)
        phase = Phase(number, mode, 0 if rate else 8, seconds=10, model="poisson" if rate else "closed", rate=rate)
        ledger.open(phase, start, start + 10)
        ends = [start + 10 * (place + 0.5) / 200 for place in range(200)]
        ledger([Sample(mode, "search", end - 1.2345, end - 1.2345, end, Outcome.OK, 10) for end in ends])
        for place in range(20):
            ledger.check(Check(start + 5, place, 0.987, "search"))
    results = results_of(ledger)
    out = Terminal()
    print_tables(results, find_levels(results, seed=1), out)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown.replace("opera…", "").replace("ope…", "").replace("sea…", "")
    figures = ["1,234.94"] * 3
    for mode, line in zip(Mode, [line.split() for line in shown.splitlines() if "1,234.94" in line], strict=False):
        assert [cell for cell in line if cell in ("20.00", *figures, "0.987", "0")][:5] == ["20.00", *figures, "0"]
        assert mode.value in line
    ratio = next(line for line in shown.splitlines() if "no difference" in line or "invalid" in line)
    assert "1.00 (0." in ratio


class Terminal(StringIO):
    """One of 80 columns, as rich takes it where nothing else is known."""

    def isatty(self) -> bool:
        return True


def test_a_run_that_counted_nothing_prints_nothing() -> None:
    out = StringIO()
    print_tables([], [], out)
    assert out.getvalue() == ""


def test_stages_are_printed_in_order_with_two_quantiles_and_a_dash_where_there_was_none() -> None:
    ledger = Ledger()
    for number, (mode, stages) in enumerate(((Mode.SYNC, ("generate", "embed")), (Mode.ASYNC, ("embed",)))):
        start = 100.0 * (number + 1)
        ledger.open(Phase(number, mode, 8, seconds=2), start, start + 2)
        samples = [
            Sample(
                mode, "ask", start, start, start + 0.5, Outcome.OK, 1, stages=dict.fromkeys(stages, milliseconds / 1000)
            )
            for milliseconds in (*[4] * 98, 50, 50)
        ]
        ledger([*samples, Sample(mode, "search", start, start, start + 0.5, Outcome.OK, 1)])
    printed = lines(ledger)
    place = next(number for number, line in enumerate(printed) if "Stages of ask: p50 / p99 ms" in line)
    head, rows = printed[place + 2], printed[place + 4 : place + 6]
    assert re.findall(r"\w+", head) == ["users", "operation", "variant", "embed", "generate"]
    assert [[cell.strip() for cell in row.strip("│").split("│")] for row in rows] == [
        ["8", "ask", "sync", "4.0 / 50.0", "4.0 / 50.0"],
        ["8", "ask", "async", "4.0 / 50.0", "-"],
    ]
    assert not [line for line in printed if "Stages of search" in line], "it has reported none"
