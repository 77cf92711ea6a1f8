"""The tables of a run of five variants: at its end, on a narrow terminal, and on Locust's page."""

import re
from io import StringIO
from typing import Any

import pytest

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.web.tab_data import TabData, table_rows
from loadgen.measure.errors import ErrorKind
from loadgen.measure.ledger import Ledger
from loadgen.reports.console import print_tables
from tests.unit.result_support import results_of
from tests.unit.test_tables import Terminal
from tests.unit.variant_support import FIELDS, LONG, NAMES, counted, levels_of

RATES = ("40.00", "80.00", "60.00", "120.0", "80.00")
RATIOS = ("", "2.00 (1.", "1.50 (1.", "3.00 (2.", "2.00 (1.")


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return counted()


def printed(ledger: Ledger, out: StringIO) -> str:
    print_tables(results_of(ledger), levels_of(ledger), out)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def figures_of(lines: list[str], name: str) -> str:
    """What is right of a name in the only row that has it."""
    result = [re.match(rf"\s*8 search {re.escape(name)}\s+(\d.*\S)", line) for line in lines]
    (row,) = [one[1] for one in result if one]
    return row


def unfolded(text: str, head: str) -> list[str]:
    """The rows of the table below this head, a folded one as one text without spaces."""
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.split()[:1] == [head])
    rows: list[str] = []
    for line in lines[at + 2 :]:
        if not line.strip():
            return rows
        part = "".join(line.split())
        rows = [*rows, part] if line.split()[0] == "8" else [*rows[:-1], rows[-1] + part]
    return rows


def test_each_variant_has_a_row_with_its_ratio_and_the_winner(ledger: Ledger) -> None:
    wide = printed(ledger, StringIO())
    assert "Variants, level by level" in wide
    figures, results = [part.splitlines() for part in wide.split("each variant to sync", 1)]
    for name, rate, recall in zip(NAMES, RATES, ("0.970",) * 3 + ("0.990", "0.970"), strict=True):
        row = figures_of(figures, name).split()
        assert (row[0], row[-1]) == (rate, recall)
    for name, ratio in list(zip(NAMES, RATIOS, strict=True))[1:]:
        shown = figures_of(results, name)
        assert shown.startswith(ratio)
        assert shown.endswith(f") {name}"), "the winner by its name"
    assert not [line for line in results if line.strip().startswith("8 search sync")], "the baseline has no ratio"
    reported = " ".join(wide.split())
    assert "Ratio: operations/s of each variant to sync, 95 % interval." in reported


def test_long_names_are_folded_on_a_narrow_terminal_and_none_is_cut(ledger: Ledger) -> None:
    narrow = printed(ledger, Terminal())
    assert max(map(len, narrow.splitlines())) <= 80
    assert "…" not in narrow
    rows = unfolded(narrow, "users")
    assert len(rows) == 5
    for name, rate, row in zip(NAMES, RATES, rows, strict=True):
        assert rate in row
        for part in re.split(r"[ =]", name):
            assert part in row
    assert "twenty" in narrow
    assert "neighbours" in narrow


def test_arrivals_have_the_times_that_each_ratio_divides() -> None:
    wide = printed(counted(rate=50.0), StringIO())
    reported = " ".join(wide.split())
    assert "Variants, arrivals on a schedule" in reported
    assert "Ratios: each variant to sync, below 1 the variant is faster" in reported
    for name, p50, ratio in ((FIELDS, "16.70", "0.67"), (LONG, "8.35", "0.33")):
        assert f"search at 50/s: p50 25.02 ms with sync and {p50} ms with {name}, ratio {ratio};" in reported


def test_errors_name_the_variant_whose_task_raised() -> None:
    ledger = counted()
    ledger.windows[3].errors.add(LONG, ErrorKind("ValueError", "search.py:7"), 12)
    row = next(line for line in printed(ledger, StringIO()).splitlines() if "ValueError" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["4", LONG, "ValueError", "search.py:7", "12"]


def test_the_tab_has_a_row_for_each_variant_and_each_has_its_look(ledger: Ledger) -> None:
    tab_data = TabData(ledger, Progress())
    tab_data.take(levels_of(ledger), ["Four connections win."])
    reported: dict[str, Any] = tab_data.as_json()
    assert [(row["phase"], row["variant"], row["look"]) for row in reported["phases"]] == [
        (number, name, NAMES.index(name)) for number, name in enumerate((*NAMES, *reversed(NAMES)), 1)
    ]
    assert [(row["variant"], row["is_baseline"], row["verdict"], row["recall"]) for row in reported["levels"]] == [
        ("sync", True, "", pytest.approx(0.97)),
        ("async", False, "async", pytest.approx(0.97)),
        (FIELDS, False, FIELDS, pytest.approx(0.97)),
        (LONG, False, LONG, pytest.approx(0.99)),
        ("async#2", False, "async#2", pytest.approx(0.97)),
    ]
    shown = table_rows(tab_data.levels)
    assert [row["throughput"] for row in shown] == [float(rate) for rate in RATES]
    assert [row["ratio_throughput"][: len(ratio)] for row, ratio in zip(shown, RATIOS, strict=True)] == list(RATIOS)
    assert (shown[0]["variant"], shown[0]["ratio_p99"]) == ("sync (baseline)", "")
    assert (shown[3]["variant"], shown[3]["verdict"], shown[3]["recall"]) == (LONG, f"{LONG} wins", "0.990")
    assert sorted(shown, key=lambda row: row["name"]) == shown, "Locust's table sorts by this"
    assert set(shown[0]) == set(shown[3])
