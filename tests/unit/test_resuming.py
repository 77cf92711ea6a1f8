"""A run that is continued: what of it counts, and that its figures are those of one that was not interrupted."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.control.exit_codes import INTERRUPTED
from loadgen.control.run import Run
from loadgen.locust_plugin.preparation.continuing import check_same_data, find_resume_faults
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase, burst_phases, timed_phases
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.results.record import RecordError, RunRecord, read_record
from loadgen.results.resuming import Earlier, Identity, count_complete, find_earlier, find_passes
from loadgen.results.verdict import explain
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.record_support import operation
from tests.unit.record_support import phase as recorded

BOTH = [("sync", Mode.SYNC), ("async", Mode.ASYNC)]
THREE = [*BOTH, ("other", Mode.ASYNC)]
PLAN = timed_phases(BOTH, (2,), 1, (2.0, 0.0))
SERVER = ServerInfo("2.3.5", "milvus")


def identity(**given: Any) -> Identity:
    values = {"locustfile": "f00d", "users": ("SearchUser",), "workers": 2, "version": "0.1.0"}
    return Identity.model_validate({"settings": {"rows": 300, "concurrency": [2]}} | values | given)


@pytest.mark.parametrize(
    ("plan", "sizes"),
    [
        (timed_phases(BOTH, (1, 8), 1, (1.0, 0.0)), [2, 2, 2, 2]),
        (timed_phases(THREE, (8,), 2, (1.0, 0.0)), [3, 3, 3, 3]),
        (timed_phases(BOTH[:1], (1, 8), 1, (1.0, 0.0)), [1, 1, 1, 1]),
        (burst_phases(["insert", "search"], ("sync", "threads", "async"), (10, 100)), [3, 3, 3, 3]),
        ((), []),
    ],
)
def test_a_pass_has_every_variant_of_a_level_once(plan: Sequence[Phase], sizes: list[int]) -> None:
    assert find_passes(plan) == sizes


@pytest.mark.parametrize(
    ("measured", "kept"),
    [
        ([], 0),
        ([("sync", 2.0)], 0),
        ([("sync", 2.0), ("async", 2.0)], 2),
        ([("sync", 2.0), ("async", 1.2)], 0),
        ([("sync", 2.0), ("async", 2.0), ("async", 2.0)], 2),
        ([("sync", 2.0), ("async", 2.0), ("async", 2.0), ("sync", 1.9)], 2),
        ([("sync", 2.0), ("async", 2.0), ("async", 2.0), ("sync", 2.0)], 4),
        ([("async", 2.0), ("sync", 2.0)], 0),
    ],
)
def test_only_complete_passes_count(measured: list[tuple[str, float]], kept: int) -> None:
    phases = [recorded(mode, 2, seconds=seconds) for mode, seconds in measured]
    assert count_complete(PLAN, phases) == kept


def test_a_burst_is_complete_with_its_last_operation() -> None:
    plan = burst_phases(["search"], ("sync", "async"), (10,))
    done = [
        recorded("sync", 1, operation(outcomes={Outcome.OK: 10}), style="sync", seconds=0.2),
        recorded("async", 10, operation(outcomes={Outcome.OK: 9}), style="async", seconds=0.1),
    ]
    assert count_complete(plan, done) == 0
    whole = recorded("async", 10, operation(outcomes={Outcome.OK: 9, Outcome.TIMEOUT: 1}), style="async", seconds=0.1)
    assert count_complete(plan, [done[0], whole]) == 2


def test_another_run_is_told_by_what_differs_and_where_it_writes_does_not_count() -> None:
    one = identity()
    other = {"rows": 400, "concurrency": [2, 8], "report": "none", "record_url": "s3://bucket"}
    assert one.differences(identity(settings=other, workers=3, locustfile="beef")) == [
        "--rows was 300, is 400",
        "--concurrency was 2, is 2,8",
        "the locustfile was f00d, is beef",
        "--expect-workers was 2, is 3",
    ]
    assert one.differences(identity(settings={"rows": 300, "concurrency": [2], "record": "elsewhere"})) == []


class Process:
    """One process that measures phases of the plan, with times that depend on the phase only."""

    def __init__(self, folder: Path, earlier: Earlier | None = None, plan: Sequence[Phase] = PLAN) -> None:
        self.ledger = Ledger()
        self.ending = RunFinalizer(self.ledger)
        self.ending.identity = identity()
        settings = Settings(record=str(folder), resume=True, rounds=1, concurrency=(2,))
        self.run = Run("20261128-010203-abcd", settings, tuple(plan), earlier=earlier)
        self.ending.begin(self.run, SERVER, 1)
        self.environment: Any = SimpleNamespace(
            parsed_options=SimpleNamespace(exit_code_on_error=1), web_ui=None, process_exit_code=None, runner=None
        )

    def measure(self, *numbers: int, until: float = 2.0, failed: int = 0) -> None:
        for number in numbers:
            phase, start = PLAN[number], 10.0 * number
            self.ledger.open(phase, start, start + 2.0)
            for step in range(int(until * (20 + 5 * number))):
                finished = start + step / (20 + 5 * number)
                self.ledger([Sample(phase.mode, "search", finished, finished, finished + 0.004, Outcome.OK, 10)])
                self.ledger.check(Check(finished + 0.004, step % 20, 0.9, "search"))
            for _ in range(failed):
                self.ledger([Sample(phase.mode, "search", start, start, start + 0.1, Outcome.TIMEOUT, 0)])
            self.ledger.windows[number].connections = 1
            self.ledger.windows[number].data = ("abc",)
            self.ledger.close(start + until)
            self.ending.keep()
            self.run.completed += until == PLAN[number].seconds

    def conclude(self, interrupted_by: int = 0) -> RunRecord:
        self.ending.conclude(self.environment, interrupted_by)
        assert self.ending.path is not None
        return read_record(self.ending.path)


def test_a_continued_run_has_the_comparisons_of_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, broken = Process(tmp_path / "whole"), Process(tmp_path / "broken")
    for folder in ("whole", "broken"):
        (tmp_path / folder).mkdir()
    whole.measure(0, 1, 2, 3)
    expected = whole.conclude()
    broken.measure(0, 1, 2)
    assert read_record(tmp_path / "broken" / "20261128-010203-abcd.json").incomplete is None, "it was killed"
    earlier = find_earlier(str(tmp_path / "broken"), identity(), PLAN)
    assert earlier is not None
    assert (len(earlier.results), earlier.is_measured) == (2, False)
    following = Process(tmp_path / "broken", earlier)
    following.measure(2, 3)
    result = following.conclude()
    assert result.comparisons == expected.comparisons
    assert result.phases == expected.phases
    assert result.manifest == earlier.record.manifest.model_copy(update={"shared_with": ()})
    assert [one.phase for one in result.resumed] == [3]
    [reported] = [line for line in explain(result).lines() if "interrupted" in line]
    assert reported.startswith("Warning: The run was interrupted and continued with phase 3 (2")
    assert (result.incomplete, following.ending.code) == ("", 0)
    [again] = result.outside
    assert (again.variant, again.operation) == ("async", "search")
    assert again.outcomes == broken.ledger.windows[2].operation_stats["async", "search"].outcomes


def test_failures_before_the_interruption_count_for_the_exit_code(tmp_path: Path) -> None:
    broken = Process(tmp_path)
    broken.measure(0, failed=3)
    broken.measure(1)
    broken.measure(2, until=1.0, failed=2)
    record = broken.conclude(interrupted_by=15)
    assert broken.ending.code == INTERRUPTED + 15
    assert record.incomplete == "ended early: 2 of 4 phases"
    following = Process(tmp_path, find_earlier(str(tmp_path), identity(), PLAN))
    following.measure(2, 3)
    following.conclude()
    assert (following.ending.code, following.run.completed) == (1, 4)
    assert following.ending._why == "5 operations failed or were dropped"


def test_a_run_without_a_missing_phase_is_only_concluded(tmp_path: Path) -> None:
    killed = Process(tmp_path)
    killed.measure(0, 1, 2, 3)
    earlier = find_earlier(str(tmp_path), identity(), PLAN)
    assert earlier is not None
    assert (earlier.is_measured, earlier.is_over) == (True, False)
    record = Process(tmp_path, earlier).conclude()
    assert (record.incomplete, len(record.comparisons), record.resumed) == ("", 1, ())
    over = find_earlier(str(tmp_path), identity(), PLAN)
    assert over is not None
    assert over.is_over


def test_a_phase_that_lacked_workers_still_makes_the_run_incomplete(tmp_path: Path) -> None:
    broken = Process(tmp_path)
    broken.measure(0, 1)
    broken.ledger.windows[1].lose(1)
    broken.ending.keep()
    following = Process(tmp_path, find_earlier(str(tmp_path), identity(), PLAN))
    following.measure(2, 3)
    assert following.conclude().incomplete == "phase 2 lacked 1 worker"
    assert following.ending.code == 1


def test_nothing_is_continued_in_a_folder_without_a_run_that_may_be(tmp_path: Path) -> None:
    assert find_earlier(str(tmp_path), identity(), PLAN) is None
    (tmp_path / "20261128-010203-abcd.json").write_text("{}")  # of a run without --resume
    assert find_earlier(str(tmp_path), identity(), PLAN) is None


def test_another_run_and_an_unreadable_one_are_refused(tmp_path: Path) -> None:
    Process(tmp_path).measure(0, 1)
    with pytest.raises(SettingsError, match="cannot continue run 20261128-010203-abcd: --rows was 300, is 400"):
        find_earlier(str(tmp_path), identity(settings={"rows": 400, "concurrency": [2]}), PLAN)
    (tmp_path / "20261128-010203-abcd.resume").write_text("{}")
    with pytest.raises(RecordError, match="is not the state of a run of this version"):
        find_earlier(str(tmp_path), identity(), PLAN)


def test_other_data_or_another_server_are_refused(tmp_path: Path) -> None:
    Process(tmp_path).measure(0, 1)
    earlier = find_earlier(str(tmp_path), identity(), PLAN)
    assert earlier is not None
    check_same_data(earlier, "", SERVER)
    with pytest.raises(SettingsError, match=r"the server was milvus 2\.3\.5, is milvus 2\.6\.0"):
        check_same_data(earlier, "", ServerInfo("2.6.0", "milvus"))
    with pytest.raises(SettingsError, match="the fingerprint of the data was , is abcd"):
        check_same_data(earlier, "abcd", SERVER)


@pytest.mark.parametrize(
    ("headless", "phases", "problem"),
    [
        (True, PLAN, []),
        (False, PLAN, ["is for a run that starts by itself: the page starts others"]),
        (True, (), ["is for a plan of phases, which --mode compare or --variants make"]),
    ],
)
def test_only_a_plan_that_starts_by_itself_can_be_continued(
    headless: bool, phases: Sequence[Phase], problem: list[str]
) -> None:
    faults = find_resume_faults(Settings(resume=True), phases, is_headless=headless)
    assert [fault.problem for fault in faults] == problem
    assert find_resume_faults(Settings(), phases, is_headless=headless) == []
