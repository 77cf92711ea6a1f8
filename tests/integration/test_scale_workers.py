"""A run over one and over two forked workers, with the same load for each."""

from pathlib import Path

from loadgen.measure.sample import Outcome
from tests.integration.locust_command import record_of, run_locust

PLAN = (
    *("--processes", "2", "--rows", "200", "--dim", "8", "--clusters", "4", "--queries", "20", "--variants", "async"),
    *("--concurrency", "2", "--rounds", "1", "--phase-seconds", "2", "--warmup-seconds", "0.3", "--report", "none"),
)


def test_the_first_worker_runs_alone_and_then_with_the_second(lite_uri: str, tmp_path: Path) -> None:
    own = ("--host", lite_uri, "--collection", "scale_workers")
    run = run_locust(tmp_path, *own, *PLAN, "--scale-workers", "1,2")
    run.assert_good()
    record = record_of(tmp_path)
    assert record.manifest.workers == 2
    assert [(one.workers, one.concurrency, one.workers_lost) for one in record.phases] == [
        (1, 2, 0),
        (1, 2, 0),
        (2, 4, 0),
        (2, 4, 0),
    ]
    assert [one.generator.in_flight_max <= (one.concurrency or 0) for one in record.phases] == [True] * 4
    (scaling,) = record.scaling
    assert [point.workers for point in scaling.points] == [1, 2]
    answered = [
        sum(one.operations[0].outcomes[Outcome.OK] for one in record.phases if one.workers == n) for n in (1, 2)
    ]
    assert [round(4 * (point.throughput or 0)) for point in scaling.points] == answered
    assert scaling.points[0].efficiency == 1.0
    assert scaling.without_law == "it takes 4 different numbers of workers, and there are 2"
    assert "Scale-out, with the same load for each worker" in run.out


def test_more_workers_than_there_are_are_refused_before_the_load(lite_uri: str, tmp_path: Path) -> None:
    own = ("--host", lite_uri, "--collection", "scale_refused")
    run = run_locust(tmp_path, *own, *PLAN, "--scale-workers", "1,2,4")
    assert run.process.returncode == 2
    assert "--scale-workers 1,2,4: needs 4 workers, and there are 2. Start more" in run.err
    assert not list(tmp_path.rglob("*.json"))
