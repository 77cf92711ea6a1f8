"""The run record: its keys, its schema, its names."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from pydantic import ValidationError

import loadgen.results.record
from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record import SCHEMA_VERSION, Durations, Ratio, RunRecord, new_run_id, schema
from tests.unit.record_support import comparison, durations, manifest, operation, phase, record

SCHEMA = Path(loadgen.results.record.__file__).with_name("schema.json")


def plain(*args: Any, **given: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(record(*args, **given).model_dump_json())
    return values


def test_a_record_has_exactly_the_keys_that_were_promised() -> None:
    values = plain(phase("sync"), comparisons=(comparison(),))
    assert list(values) == [
        "schema_version",
        "run_id",
        "started_at",
        "manifest",
        "phases",
        "outside",
        "dropped_outside",
        "planned_phases",
        "incomplete",
        "task_errors_outside",
        "comparisons",
        "rate_search",
        "scaling",
        "sweeps",
        "resumed",
    ]
    [reported] = values["phases"]
    assert set(reported) == {
        "variant", "mode", "style", "started_at", "model", "concurrency", "workers", "rate", "scheduled", "seconds",
        "offered", "dropped", "unfinished", "longest_unfinished_seconds", "workers_lost", "operations", "users_gone",
        "task_errors", "generator", "server", "traces", "faults",
    }  # fmt: skip
    lags = {f"{name}_lag_{figure}_seconds" for name in ("loop", "hub", "pace") for figure in ("p99", "max")}
    late = {"loop_late_beats", "hub_late_beats", "late_arrivals"}
    held = {"core_wait_ratio", "loop_held_ratios"}
    seen = {"cpu_ratio", "in_flight_mean", "in_flight_max", "watched_share", "saturated"}
    used = {"cores_used", "memory_bytes", "sent_bytes_per_second", "received_bytes_per_second"}
    assert set(reported["generator"]) == seen | held | lags | late | used
    [done] = reported["operations"]
    counted = {
        "operation",
        "outcomes",
        "nested",
        "stages",
        "repeated_stages",
        "throughput",
        "good",
        "goodput",
        "items",
        "recall",
        "course",
        "recall_checks",
        "mrr",
        "slices",
    }
    assert set(done) == counted | {"stages", "repeated_stages"} | {"service_seconds", "response_seconds"}
    times = {"mean", "p50", "p90", "p95", "p99", "p99_9", "max", "histogram"}
    assert set(done["service_seconds"]) == set(done["response_seconds"]) == times
    [compared] = values["comparisons"]
    ratios = {"throughput_ratio", "p50_ratio", "p99_ratio", "goodput_ratio"}
    assert (
        set(compared)
        == {"operation", "concurrency", "rate", "verdict", "reasons", "share_ahead", "baseline", "variant"} | ratios
    )
    keys = frozenset({"estimate", "low", "high", "baseline_value", "variant_value"})
    assert {frozenset(compared[name]) for name in ratios - {"goodput_ratio"}} == {keys}
    assert compared["goodput_ratio"] is None
    assert values["started_at"] == "2026-11-22T19:30:00Z"


def test_a_record_survives_json_with_every_value() -> None:
    search = operation(outcomes={Outcome.OK: 7, Outcome.TIMEOUT: 2}, recall=None, response=durations(p99_9=0.123456789))
    open_phase = phase("async", None, search, model="poisson", rate=200.0, dropped=3, workers_lost=1)
    given = record(phase("sync"), open_phase, comparisons=(comparison(), comparison(None, rate=50.0)))
    read = RunRecord.model_validate_json(given.model_dump_json())
    assert read == given
    assert read.phases[1].operations[0].response_seconds.p99_9 == 0.123456789
    assert read.phases[1].operations[0].outcomes == {Outcome.OK: 7, Outcome.TIMEOUT: 2}
    assert (read.phases[1].workers_lost, read.phases[1].dropped, read.phases[1].mode) == (1, 3, Mode.ASYNC)


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_no_number_becomes_null_at_any_depth(nothing: float) -> None:
    search = operation(throughput=nothing, recall=nothing, response=durations(p50=nothing))
    values = plain(phase("sync", 8, search), manifest=manifest(settings={"deep": [{"ef": nothing}]}))
    [done] = values["phases"][0]["operations"]
    assert (done["throughput"], done["recall"], done["response_seconds"]["p50"]) == (None, None, None)
    assert values["manifest"]["settings"] == {"deep": [{"ef": None}]}
    ratio = Ratio(estimate=1.5, low=nothing, high=2.0, baseline_value=100.0, variant_value=nothing)
    assert ratio.model_dump() == {
        "estimate": 1.5, "low": None, "high": 2.0, "baseline_value": 100.0, "variant_value": None,
    }  # fmt: skip


def test_numbers_of_numpy_are_plain_in_the_file() -> None:
    search = operation(outcomes={Outcome.OK: np.int64(5)}, throughput=np.float64(1.5))  # type: ignore[dict-item]
    [done] = plain(phase("sync", 8, search))["phases"][0]["operations"]
    assert (done["outcomes"], done["throughput"]) == ({"ok": 5}, 1.5)


@pytest.mark.parametrize(
    ("concurrency", "given"),
    [
        (8, {"rate": 100.0}),
        (None, {}),
        (8, {"model": "poisson"}),
        (8, {"model": "constant", "rate": 100.0}),
        (None, {"model": "poisson", "rate": None}),
        (None, {"model": "poisson", "rate": -1.0}),
        (-1, {}),
        (8, {"seconds": -0.5}),
        (8, {"seconds": math.nan}),
        (8, {"dropped": -1}),
        (8, {"model": "opened"}),
        (8, {"saturation": 1}),
    ],
)
def test_a_phase_that_contradicts_itself_is_refused(concurrency: int | None, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        phase("sync", concurrency, **given)


def test_a_count_is_at_most_what_every_reader_of_json_knows_exactly() -> None:
    assert phase("sync", dropped=2**53).dropped == 9_007_199_254_740_992
    with pytest.raises(ValidationError, match="dropped"):
        phase("sync", dropped=2**53 + 1)


@pytest.mark.parametrize("recall", [-0.001, 1.001])
def test_a_share_is_from_0_to_1(recall: float) -> None:
    assert [operation(recall=share).recall for share in (0.0, 1.0)] == [0.0, 1.0]
    with pytest.raises(ValidationError, match="recall"):
        operation(recall=recall)


@pytest.mark.parametrize("given", [{"concurrency": 8, "rate": 5.0}, {"concurrency": None}, {"verdict": "faster"}])
def test_a_comparison_names_one_level_and_one_of_four_verdicts(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        comparison(**given)


@pytest.mark.parametrize("run_id", ["../elsewhere", "a/b", ".hidden", "", "a b"])
def test_a_run_id_that_is_no_plain_file_name_is_refused(run_id: str) -> None:
    with pytest.raises(ValidationError):
        record(run_id=run_id)


def test_a_record_is_frozen_and_grows_by_copies() -> None:
    before = record(phase("sync"))
    with pytest.raises(ValidationError):
        before.phases = ()  # type: ignore[misc]
    after = before.with_phase(phase("async")).with_comparisons((comparison(),))
    assert [part.variant for part in after.phases] == [Mode.SYNC, Mode.ASYNC]
    assert [part.verdict for part in after.comparisons] == ["variant"]
    assert (len(before.phases), before.comparisons) == (1, ())


def test_failures_are_all_outcomes_without_a_usable_answer() -> None:
    done = operation(outcomes={Outcome.OK: 5, Outcome.EMPTY: 4, Outcome.TIMEOUT: 3, Outcome.FAILED: 2})
    assert (done.count, done.failures) == (14, 5)


def test_a_run_id_tells_the_time_in_utc_and_differs_within_a_second() -> None:
    now = datetime(2026, 11, 22, 21, 30, 0, tzinfo=timezone(timedelta(hours=2)))
    assert re.fullmatch(r"20261122-193000-[2-9a-hj-km-np-z]{4}", new_run_id(now, Random(1)))
    random = Random(7)
    assert len({new_run_id(now, random) for _ in range(100)}) > 95
    assert new_run_id(now, Random(3)) == new_run_id(now, Random(3))
    later = new_run_id(datetime(2026, 11, 22, 19, 30, 1, tzinfo=UTC), Random(2))
    assert all(new_run_id(now, Random(seed)) < later for seed in range(50))


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "run `python -m loadgen.results.record`"


def test_the_schema_is_written_anew_by_one_command(tmp_path: Path) -> None:
    """In a copy of the package, so that the test does not repair what it looks at."""
    package = Path(loadgen.__file__).parent
    shutil.copytree(package, tmp_path / "loadgen", ignore=shutil.ignore_patterns("__pycache__", "schema.json"))
    command = [sys.executable, "-m", "loadgen.results.record"]
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (tmp_path / "loadgen/results/record/schema.json").read_bytes() == SCHEMA.read_bytes()


def test_an_encoded_histogram_is_kept_as_it_is() -> None:
    histogram = HdrHistogram(1, 600_000_000, 3)
    for microseconds in (20_000, 30_000, 599_000_000):
        histogram.record_value(microseconds)
    values = durations().model_dump() | {"histogram": histogram.encode()}
    kept = json.loads(Durations(**values).model_dump_json())["histogram"]
    assert HdrHistogram.decode(kept).get_value_at_percentile(50) == histogram.get_value_at_percentile(50) > 19_000
    with pytest.raises(ValidationError):
        Durations(**values | {"histogram": "no base64!"})


def test_the_schema_requires_every_key_and_allows_no_other() -> None:
    parts = [schema(), *schema()["$defs"].values()]
    objects = {part["title"]: part for part in parts if part.get("type") == "object"}
    assert set(objects) == {
        "RunRecord", "Manifest", "PhaseRecord", "OperationRecord", "Durations", "Generator", "Comparison", "Ratio",
        "Slices", "ServerRecord", "Outside",
        "TaskErrorRecord", "VariantRecord", "SelectivityRecord", "CollectionRecord", "CourseRecord",
        "Scaling", "ScalingPoint", "ScalingLaw", "Estimate", "SweepRecord", "SweepPoint", "AtRecall",
        "ScheduledRate", "TraceRecord", "TracesRecord",
        "RateConditionRecord", "RateFindingRecord", "RateSearchRecord", "RateStepRecord",
        "FaultsRecord", "FaultRecord", "RecoveryRecord", "OutcomeCourseRecord", "InsertCheckRecord", "Resumption",
    }  # fmt: skip
    for name, part in objects.items():
        assert part["additionalProperties"] is False, name
        assert set(part["required"]) == set(part["properties"]), name
    assert schema()["properties"]["schema_version"]["const"] == SCHEMA_VERSION == 7
