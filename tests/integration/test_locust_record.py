"""The record of a run agrees with what was printed and sent, and requirements decide the exit code."""

import json
import re
import time
from collections import Counter
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main
from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.comparison import compare_phases
from loadgen.results.levels import draws_of
from loadgen.results.record import RunRecord, read_record
from loadgen.results.verdict import explain
from tests.integration.locust_command import SEARCHED, SMALL, Run, run_locust, start_locust
from tests.integration.server_support import wait_until

SECONDS, WARM_UP = 1.25, 0.25
PHASES = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", str(SECONDS), "--warmup-seconds", str(WARM_UP))
HEARTBEATS = {"HEARTBEATS": "4"}
"""For the test that waits for those that are missed."""


def only_record(folder: Path) -> Path:
    files = list((folder / "runs").glob("[!.]*.json"))
    assert len(files) == 1
    return files[0]


def assert_agrees(run: Run, folder: Path) -> dict[str, Any]:
    """The record's counts are the ledger's, phase by phase."""
    path = only_record(folder)
    record = read_record(path)
    assert f"Run record: runs/{path.name}" in run.out
    assert record.run_id == path.stem
    kept = [{f"{phase.mode} {one.operation}": one.count for one in phase.operations} for phase in record.phases]
    assert kept == [window["counts"] for window in run.reported["windows"]]
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def everything_sent(record: dict[str, Any]) -> dict[str, int]:
    """Operations by mode and name, in phases and outside of them."""
    counted: Counter[str] = Counter()
    for part in [one | {"variant": phase["variant"]} for phase in record["phases"] for one in phase["operations"]]:
        counted[f"{part['variant']} {part['operation']}"] += sum(part["outcomes"].values())
    for part in record["outside"]:
        counted[f"{part['variant']} {part['operation']}"] += sum(part["outcomes"].values())
    return dict(counted)


@pytest.mark.parametrize("layout", [(), ("--processes", "2")])
def test_a_compare_run_keeps_its_phases_and_its_verdict(
    milvus: EmbeddedServer, tmp_path: Path, layout: tuple[str, ...]
) -> None:
    run = run_locust(
        tmp_path, "--host", milvus.uri, "--collection", SEARCHED, *SMALL, *PHASES, *layout, "--report", "html"
    )
    run.assert_good()
    record = assert_agrees(run, tmp_path)
    assert [phase["mode"] for phase in record["phases"]] == ["sync", "async", "async", "sync"]
    for phase in record["phases"]:
        assert (phase["model"], phase["concurrency"], phase["workers_lost"]) == ("closed", 2, 0)
        assert phase["seconds"] == pytest.approx(SECONDS)
        assert 0 < phase["generator"]["cpu_ratio"] < 3
        assert 0 < phase["generator"]["in_flight_mean"] <= phase["generator"]["in_flight_max"] <= 2, "both users wait"
        one = phase["operations"][0]
        assert one["throughput"] == pytest.approx(sum(one["outcomes"].values()) / SECONDS)
        times = one["service_seconds"]
        assert 0 < times["p50"] <= times["p90"] <= times["p95"] <= times["p99"] <= times["p99_9"] <= times["max"]
    (comparison,) = record["comparisons"]
    ratio = comparison["throughput_ratio"]
    assert ratio["low"] <= ratio["estimate"] <= ratio["high"]
    assert f"{ratio['estimate']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" in run.out
    winner = {"variant": "async", "baseline": "sync"}.get(comparison["verdict"], comparison["verdict"])
    assert re.search(rf"\({ratio['low']:.2f}-{ratio['high']:.2f}\)\s*│ {winner} ", run.out)
    assert everything_sent(record) == run.reported["stats"]
    assert sum(part["outcomes"]["ok"] for part in record["outside"]) > 0, "the warm-up"
    manifest = record["manifest"]
    assert manifest["server_type"] == "milvus"
    assert manifest["rows"] == 300
    assert manifest["workers"] == (2 if layout else 1)
    assert manifest["packages"]["pymilvus"].startswith("2.6")
    assert_reported(run, only_record(tmp_path))


def assert_reported(run: Run, path: Path) -> None:
    """The phases follow each other, the slices hold what was compared, and the report says the same."""
    record = read_record(path)
    began = [phase.started_at for phase in record.phases if phase.started_at]
    steps = [(later - sooner).total_seconds() for sooner, later in pairwise(began)]
    assert len(steps) == 3
    assert all(SECONDS + WARM_UP - 0.01 <= step < 120 for step in steps), steps
    assert 0 <= (began[0] - record.started_at).total_seconds() < 60
    for phase in record.phases:
        slices = phase.operations[0].slices
        assert slices is not None
        assert sum(slices.operations) == phase.operations[0].outcomes[Outcome.OK]
    ratio = record.comparisons[0].throughput_ratio
    assert drawn_again(record) == pytest.approx((ratio.estimate, ratio.low, ratio.high))
    for line in explain(record).headlines:
        assert line in run.out
    report = path.with_suffix(".html")
    assert f"Report: runs/{report.name}" in run.out
    assert wait_until(report.exists, 120), "a run leaves one that takes long to be drawn by itself"
    assert explain(record).headlines[0] in unescape(report.read_text())
    assert main(["compare", str(path), str(path)]) == 0


def drawn_again(record: RunRecord) -> tuple[float, float, float]:
    """The ratio of throughputs by the same bootstrap, from the record alone."""
    phases = [
        SlicedPhase(phase.mode, slices.table)
        for phase in record.phases
        for slices in [phase.operations[0].slices]
        if slices is not None
    ]
    result = compare_phases(phases, draws_of("search at 2 users", record.manifest.seed)).throughput
    assert result
    return result.estimate, result.low, result.high


def test_a_crash_costs_at_most_the_phase_that_ran(lite: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--headless", "--host", lite.uri, "--collection", "record_crash", *SMALL, *PHASES)
    run = start_locust(tmp_path, *flags)
    assert run.process.stderr
    for line in run.process.stderr:
        if "Phase 3 of 4" in line:
            break
    run.process.kill()
    run.process.communicate(timeout=90)
    record = read_record(only_record(tmp_path))
    assert [phase.mode.value for phase in record.phases] == ["sync", "async"]
    assert record.comparisons == ()


def test_a_lost_worker_marks_its_phase_and_the_run_goes_on(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    port = str(free_port)
    flags = (
        "--collection",
        SEARCHED,
        *SMALL,
        "--concurrency",
        "4",
        "--rounds",
        "1",
        "--phase-seconds",
        "6",
        "--warmup-seconds",
        "0.5",
        "--worker-grace",
        "0",
    )
    waiting = ("--headless", "--master", "--master-bind-port", port, "--expect-workers", "2")
    master = start_locust(tmp_path / "master", "--host", milvus.uri, *flags, *waiting, **HEARTBEATS)
    workers = [start_locust(tmp_path / f"worker{n}", "--worker", "--master-port", port, **HEARTBEATS) for n in range(2)]
    assert master.process.stderr
    for line in master.process.stderr:
        if "Phase 1 of 4" in line:
            break
    time.sleep(3)
    workers[0].process.kill()
    workers[0].process.communicate(timeout=90)
    master.finish(150)
    workers[1].finish(30)
    record = read_record(only_record(tmp_path / "master"))
    assert len(record.phases) == 4
    assert record.phases[0].workers_lost == 1
    assert [phase.workers_lost for phase in record.phases[1:]] == [1, 1, 1], "two were asked for"
    assert record.comparisons[0].verdict == "invalid"
    assert any("lost 1 worker" in reason for reason in record.comparisons[0].reasons)


@pytest.mark.parametrize(
    ("requirements", "code", "reported"),
    [
        (("--require", "search async p99 < 30 s", "--max-failures", "1%"), 0, "met: search async p99 < 30 s"),
        (("--require", "search async throughput > 1000000/s"), 1, "MISSED: search async throughput > 1000000/s"),
    ],
)
def test_requirements_are_told_and_decide_the_exit_code(
    milvus: EmbeddedServer, tmp_path: Path, requirements: tuple[str, ...], code: int, reported: str
) -> None:
    flags = (
        "--host",
        milvus.uri,
        "--collection",
        SEARCHED,
        *SMALL,
        "--mode",
        "async",
        "-t",
        "3s",
        "-u",
        "2",
        "-r",
        "2",
    )
    run = run_locust(tmp_path, *flags, *requirements)
    assert run.code == code, run.err
    assert reported in run.out


@pytest.mark.parametrize("given", ["flag", "variable", "file"])
def test_a_requirement_of_what_will_not_run_is_told_before_the_load(given: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text('require: ["serch async p99 < 5 ms"]')
    flags = {"flag": ("--require", "serch async p99 < 5 ms"), "variable": (), "file": ("--config", str(file))}[given]
    variables = {"LOADGEN_REQUIRE": "serch async p99 < 5 ms"} if given == "variable" else {}
    run = start_locust(tmp_path, "--headless", "--host", "http://127.0.0.1:1", *flags, **variables).finish()
    assert run.code == 2
    problem = "is of serch, an operation of no client, which no user declares"
    reported = f'--require "serch async p99 < 5 ms": {problem}. Did you mean "search async'
    assert reported in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*.json"))


def test_a_wrong_requirement_and_an_unwritable_folder_are_told_together_before_the_load(tmp_path: Path) -> None:
    place = tmp_path / "taken"
    place.touch()
    run = run_locust(tmp_path, "--record", str(place), "--require", "search p42 < 1", "--max-failures", "some")
    assert run.code == 2
    for flag in (f"--record {place}", '--require "search p42 < 1"', "--max-failures some"):
        assert flag in run.err
    assert "Traceback" not in run.err
