"""A sweep over ef through the real command: recall grows with it, and the record has a point for each value."""

from pathlib import Path

from tests.integration.locust_command import record_of, run_locust

PLAN = (
    *("--rows", "3000", "--dim", "32", "--spread", "0.6", "--concurrency", "2", "--rounds", "1", "--report", "none"),
    *("--phase-seconds", "1.5", "--warmup-seconds", "0.3", "--recall-every", "1", "--no-wait-compaction"),
    *("--index-params", "M=4,efConstruction=8"),
)


def test_recall_and_throughput_are_measured_for_each_value(lite_uri: str, tmp_path: Path) -> None:
    own = ("--host", lite_uri, "--collection", "swept")
    run = run_locust(tmp_path, *own, *PLAN, "--variants", "async", "--sweep", "ef=10,300", "--at-recall", "1")
    run.assert_good()
    record = record_of(tmp_path)
    assert [one.settings["search_params"] for one in record.manifest.variants] == [{"ef": 10}, {"ef": 300}]
    assert [one.variant for one in record.phases] == ["async ef=10", "async ef=300", "async ef=300", "async ef=10"]
    (sweep,) = record.sweeps
    points = {point.value: point for point in sweep.points}
    narrow, wide = points[10.0], points[300.0]
    assert (narrow.recall or 0) <= (wide.recall or 0) <= 1.0
    own_phases = [one.operations[0] for one in record.phases if one.variant == "async ef=10"]
    assert narrow.recall_checks == sum(one.recall_checks for one in own_phases) > 0
    lowest, highest = sorted(one.throughput for one in own_phases if one.throughput)
    assert 0.999 * lowest <= narrow.throughput.estimate <= 1.001 * highest
    assert "Throughput by recall" in run.out
    at = sweep.at_recall
    assert at is not None
    assert (at.throughput is None) == bool(at.reason), "either a result or why there is none"
    shown = "async answers" if at.throughput else f"none for async, since {at.reason}."
    assert f"search at 2 users and a recall of 1: {shown}" in " ".join(run.out.split())
