"""Where a figure is missing the verdict leaves its sentence out; of a burst it names the style that was faster."""

from typing import Any

import pytest

from loadgen.results.record import Ratio
from loadgen.results.verdict import explain
from tests.unit.record_support import comparison, operation, phase, record, timed

TAIL = "At 8 users 99 of 100 search operations"


@pytest.mark.parametrize("missing", ["", "estimate", "low", "high"])
def test_the_tail_is_told_only_with_its_ratio_and_interval(missing: str) -> None:
    figures: dict[str, Any] = {"estimate": 1.0, "low": 0.9, "high": 1.1} | ({missing: None} if missing else {})
    phases = [phase(mode, 8, timed([100] * 5)) for mode in ("sync", "async", "async", "sync")]
    lines = explain(record(*phases, comparisons=(comparison(8, p99=Ratio(**figures)),))).lines()
    assert any(line.startswith(TAIL) for line in lines) == (not missing)


def test_the_tail_of_an_early_record_is_told_only_with_the_times_of_both_sides() -> None:
    lines = explain(record(phase("sync", 8, timed([100] * 5)), comparisons=(comparison(8),))).lines()
    assert lines
    assert not any(line.startswith(TAIL) for line in lines)


def test_a_burst_that_is_faster_on_threads_says_how_many_times() -> None:
    styles = (("sync", "threads", 1.0), ("async", "async", 3.0))
    phases = [phase(mode, 1, operation(), style=style, seconds=seconds) for mode, style, seconds in styles]
    assert explain(record(*phases)).headlines == (
        (
            "100 search operations: 1 s on threads and 3 s with async gather. "
            "Threads are 3.00 times as fast here (one measurement, no interval)."
        ),
    )


def test_of_an_existing_collection_the_recall_is_said_to_be_unknown() -> None:
    made, asked = (record(phase("sync", 8, timed([100] * 5, recall=recall))) for recall in (None, 0.9))
    settings = made.manifest.settings | {"collection": "papers"}
    existing = made.manifest.model_copy(update={"dataset": "existing", "settings": settings})
    text = "Recall was not measured: the exact neighbours in papers, an existing collection, are unknown."
    assert text in explain(made.model_copy(update={"manifest": existing})).findings
    expected = explain(asked.model_copy(update={"manifest": existing})).findings
    assert expected[-1] == "Recall of search: 0.900 with sync.", "questions with expected documents"
    assert not any("not known" in line for line in explain(made).lines())
