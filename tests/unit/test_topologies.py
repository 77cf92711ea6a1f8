"""The figures of docs/explanation/threads-asyncio-processes.md are those of its records."""

import re

from tests.benchmarks.topologies import BLOCK, PAGE, TABLES, read_summaries, render

SUMMARIES = read_summaries()


def test_the_tables_of_the_page_are_what_the_records_say() -> None:
    page = PAGE.read_text()
    assert [match[2] for match in BLOCK.finditer(page)] == ["machine", *(name for name in TABLES if name != "machine")]
    assert render(page, SUMMARIES) == page, "run `python -m tests.benchmarks.topologies`"


def test_the_words_of_the_page_have_no_figure_of_a_record() -> None:
    """They would be wrong after the next `make records`."""
    words = BLOCK.sub("", PAGE.read_text())
    assert re.findall(r"\d+\.\d\d|\d+/s\b|\d \(\d", words) == []


def test_the_records_are_of_the_runs_that_the_page_describes() -> None:
    for number, summary in SUMMARIES.items():
        settings, about = summary.record.manifest.settings, summary.record.manifest
        assert about.workers == int(number)
        assert [(one.name, one.client, one.mode.value) for one in about.variants] == [
            ("threads", "pymilvus", "sync"),
            ("asyncio", "pymilvus", "async"),
        ]
        assert (settings["output_fields"], settings["top_k"], settings["connections"]) == (["id"], 10, 1)
        assert summary.record.incomplete == ""
        assert len(summary.record.phases) == summary.record.planned_phases
        levels = {row.series.level.value for row in summary.rows_of("search")}
        assert levels == ({1, 8, 32, 64} if number == "1" else {8, 32, 64})
        assert all(row.series.failures == 0 for row in summary.rows_of("search"))


def test_a_changed_record_changes_the_page() -> None:
    page = PAGE.read_text()
    swapped = {"1": SUMMARIES["2"], "2": SUMMARIES["1"]}
    assert render(page, swapped) != page
