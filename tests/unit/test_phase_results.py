"""A phase is finalised once, a level is compared once, and a run of many phases costs no more between two of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadgen.control.run import Run
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.results import levels, phase_result
from loadgen.results.figures import LoadLevel, load_level, throughput
from loadgen.results.levels import LevelResults
from loadgen.results.phase_result import PhaseResults
from loadgen.results.record import PhaseTexts, read_record, write_record, writing
from loadgen.results.record.writing import as_json
from loadgen.settings.model import Settings
from tests.unit.record_support import phase as phase_record
from tests.unit.record_support import record
from tests.unit.test_tables import two_rounds


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each costly step is taken."""
    counts: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        original = getattr(module, name)

        def counted(*given: Any, **named: Any) -> Any:
            counts[name] += 1
            return original(*given, **named)

        monkeypatch.setattr(module, name, counted)

    count(phase_result, "finalise")
    count(levels, "compare_phases")
    count(writing, "_phase_text")
    return counts


def test_the_hundredth_phase_costs_what_the_second_did(work: Counter[str], tmp_path: Path) -> None:
    ledger = Ledger()
    ending = RunFinalizer(ledger)
    ending.begin(Run("run", Settings(record=str(tmp_path), report="none")), ServerInfo("2.3.5", "milvus"), 1)
    for level in range(25):
        two_rounds(ledger, [0.010] * 100, [0.005] * 100, users=level + 1)
        before = work.copy()
        ending.keep()
        ending.compare()
        assert work - before == {"finalise": 4, "_phase_text": 4, "compare_phases": 1}
    assert ending.path is not None
    assert len(read_record(ending.path).phases) == 100


def test_a_phase_is_finalised_again_where_counts_come_late(work: Counter[str]) -> None:
    ledger, results, compared = Ledger(), PhaseResults(), LevelResults(1)
    two_rounds(ledger, [0.010] * 100, [0.005] * 100)
    first = results.take(ledger.windows.values())
    assert compared.take(first) == compared.take(results.take(ledger.windows.values()))
    assert work == {"finalise": 4, "compare_phases": 1}
    ledger.windows[2].add([Sample(Mode.ASYNC, "search", 301.0, 301.0, 301.005, Outcome.OK, 10)])
    ledger.windows[1].workers_lost = 1
    again = results.take(ledger.windows.values())
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, False, False, True]
    assert [one.record.operations[0].count for one in again] == [100, 100, 101, 100]
    [level] = compared.take(again)
    assert level.comparisons["async"] is not None
    assert "phase 2 lost 1 worker" in level.comparisons["async"].reasons
    assert work == {"finalise": 6, "compare_phases": 2}


def test_a_level_is_drawn_from_its_own_seed() -> None:
    ledger = Ledger()
    for users in (8, 16):
        two_rounds(ledger, [0.010] * 400 + [0.030] * 100, [0.005] * 700, users=users)
    results = PhaseResults().take(ledger.windows.values())
    together = LevelResults(1).take(results)
    alone = [LevelResults(1).take(some)[0] for some in (results[:4], results[4:])]
    assert [level.comparisons["async"] for level in together] == [level.comparisons.get("async") for level in alone]
    assert together[0].comparisons["async"] != LevelResults(2).take(results)[0].comparisons.get("async")


def test_what_was_counted_later_is_not_in_a_result() -> None:
    ledger, results = Ledger(), PhaseResults()
    two_rounds(ledger, [0.010] * 100, [0.005] * 100)
    [first, *_] = results.take(ledger.windows.values())
    ledger.windows[0].recalls.add(1, 1.0)
    assert first.recalls.checks == 0
    assert results.take(ledger.windows.values())[0].recalls.checks == 1


def test_the_text_of_a_record_is_the_same_whether_its_phases_were_written_before(tmp_path: Path) -> None:
    texts = PhaseTexts()
    phases = [phase_record("sync"), phase_record("async")]
    for number in (0, 1, 2):
        made = record(*phases[:number])
        assert as_json(made, texts) == as_json(made)
        assert list(json.loads(as_json(made))) == list(made.model_dump())
        assert read_record(write_record(tmp_path, made, texts)) == made


@pytest.mark.parametrize(
    ("concurrency", "rate", "short", "shown"),
    [
        (1, None, "1", "1 user"),
        (1_000, None, "1,000", "1,000 users"),
        (None, 12.5, "12.5/s", "12.5/s"),
        (0, 2.0, "2/s", "2/s"),
    ],
)
def test_a_level_has_a_name(concurrency: int | None, rate: float | None, short: str, shown: str) -> None:
    level = load_level(concurrency, rate)
    assert (level.short, str(level), level.is_open) == (short, shown, bool(rate))
    assert LoadLevel(False, 8.0) < LoadLevel(False, 16.0) < LoadLevel(True, 1.0)


def test_throughput_is_of_answers() -> None:
    assert throughput({Outcome.OK: 30, Outcome.EMPTY: 10, Outcome.TIMEOUT: 99}, 4.0) == 10.0
    assert throughput({Outcome.OK: 30}, 0.0) == 0.0


def test_a_burst_and_a_phase_without_an_end_are_finalised_too() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, style="sync", operation="search", operations=2), 100.0)
    ledger([Sample(Mode.SYNC, "search", 100.0, 100.0, 100.5, Outcome.OK, 1)] * 2)
    assert PhaseResults().take(ledger.windows.values()) == (), "it is not over"
    ledger.close(101.0)
    [result] = PhaseResults().take(ledger.windows.values())
    assert (result.record.operations[0].slices, result.record.seconds, result.was_broken_off) == (None, 1.0, False)


def test_the_slices_of_a_phase_that_is_broken_off_cover_what_it_lasted() -> None:
    """They covered the planned seconds, and the table showed a fraction of the throughput of an interrupted phase."""
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 2, seconds=10.0), 100.0, 110.0)
    ledger([Sample(Mode.SYNC, "search", at, at, at + 0.1, Outcome.OK, 1) for at in (100.2, 101.3, 102.2, 102.3)])
    ledger.cut(102.5)
    ledger.close(109.0)
    [result] = PhaseResults().take(ledger.windows.values())
    (part,) = result.record.operations
    assert part.slices is not None
    assert (part.slices.lengths, part.slices.operations) == ([1.0, 1.0, 0.5], (1, 1, 2))
    assert part.throughput == 4 / 2.5
    assert result.sliced("insert").slices.seconds.sum() == 2.5, "of what did not occur too"
