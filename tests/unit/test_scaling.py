"""Throughput by number of workers: efficiency, cost, and the Universal Scalability Law."""

import io

import numpy as np
import pytest

from loadgen.locust_plugin.recording import Recorder
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.reports.console import print_tables
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.levels import LevelResults
from loadgen.results.phase_result import PhaseResults
from loadgen.results.record import PhaseRecord, ServerRecord
from loadgen.results.scalability_law import fit_law, predict
from loadgen.results.scaling import find_scaling, say_law
from loadgen.settings.model import Settings
from tests.unit.record_support import phase, record, timed

COUNTS = (1, 2, 4, 8)


def gunther(workers: float, rate: float = 100.0, contention: float = 0.05, coherency: float = 0.002) -> float:
    return rate * workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))


def test_a_law_without_noise_is_recovered() -> None:
    law = fit_law([(workers, gunther(workers)) for workers in (1, 2, 4, 8, 16)])
    assert not isinstance(law, str)
    assert [law.rate.estimate, law.contention.estimate, law.coherency.estimate] == pytest.approx([100, 0.05, 0.002])
    assert law.peak_workers == pytest.approx(np.sqrt(0.95 / 0.002))
    assert predict(law, 32) == pytest.approx(gunther(32))
    for part in (law.rate, law.contention, law.coherency):
        assert part.low == pytest.approx(part.high, rel=1e-4)


def test_intervals_contain_the_truth_about_as_often_as_they_say() -> None:
    rng, contained = np.random.default_rng(5), np.zeros(3)
    for _ in range(300):
        noisy = [(workers, gunther(workers) * rng.lognormal(0, 0.02)) for workers in COUNTS for _ in range(4)]
        law = fit_law(noisy)
        assert not isinstance(law, str)
        parts = ((law.rate, 100), (law.contention, 0.05), (law.coherency, 0.002))
        contained += [part.low <= true <= part.high for part, true in parts]
    assert contained / 300 == pytest.approx([0.95] * 3, abs=0.04)


def test_a_peak_is_claimed_only_where_each_pair_of_workers_costs_something() -> None:
    """With noise the best fit has a small coherency, which may as well be 0: then throughput grows without end."""
    noise = (0.99, 1.0, 1.02, 0.97, 1.01, 1.0, 1.02, 1.0)
    law = fit_law([(n, gunther(n, coherency=0) * some) for n, some in zip(COUNTS * 2, noise, strict=True)])
    assert not isinstance(law, str)
    assert law.coherency.estimate > 0
    assert (law.coherency.low, law.peak_workers) == (0, None)


def test_phases_that_lacked_workers_are_no_points() -> None:
    phases = scaled((2, 4))
    lacking = [one.model_copy(update={"workers_lost": 1 if place == 4 else 0}) for place, one in enumerate(phases)]
    sync, _ = find_scaling([*lacking[:4], lacking[4].model_copy(update={"operations": ()}), *lacking[5:]])
    assert [(point.workers, point.throughput) for point in sync.points] == [(2, 200.0), (4, 360.0)]
    assert find_scaling([*phases[:4], *(one.model_copy(update={"workers_lost": 1}) for one in phases[4:])]) == ()


def test_linear_growth_has_neither_contention_nor_a_peak() -> None:
    faster = fit_law([(workers, 50.0 * workers**1.02) for workers in COUNTS])
    assert not isinstance(faster, str)
    assert (faster.contention.estimate, faster.coherency.estimate, faster.peak_workers) == (0, 0, None)


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        ([(1, 100.0), (2, 190.0), (4, 350.0)], "it takes 4 different numbers of workers, and there are 3"),
        ([(1, 100.0), (1, 99.0), (2, 190.0), (2, 191.0)], "it takes 4 different numbers of workers, and there are 2"),
        ([(1, 100.0), (2, 190.0), (4, 0.0), (8, 350.0)], "nothing was answered in a phase"),
        ([(1, 100.0), (2, 60.0), (4, 380.0), (8, 90.0)], "the law is off by"),
    ],
)
def test_no_law_is_fitted_where_it_cannot_be_known_or_does_not_fit(measured: list[tuple[int, float]], why: str) -> None:
    result = fit_law(measured)
    assert isinstance(result, str)
    assert result.startswith(why)


def server(cores: float, searches: int) -> ServerRecord:
    values = dict.fromkeys(ServerRecord.model_fields) | {"seconds": 10.0, "cores_used": cores, "searches": searches}
    counts = {"inserts": 0, "failed_requests": 0, "rate_limited_requests": 0}
    return ServerRecord.model_validate(values | counts)


def scaled(counts: tuple[int, ...] = COUNTS, share: float = 0.9) -> list[PhaseRecord]:
    """Two rounds; with `share` of the ideal growth at each step, async twice as fast."""
    result = []
    for place, workers in enumerate(counts):
        for mode, speed in (("sync", 100), ("async", 200), ("async", 200), ("sync", 100)):
            rate = round(speed * workers * share**place)
            saturated = workers == counts[-1] and mode == "sync"
            result.append(
                phase(
                    mode,
                    8 * workers,
                    timed([rate] * 10),
                    workers=workers,
                    server=server(0.2 * workers, 10 * rate),
                    saturated=saturated,
                    generator={"cores_used": 0.5 * workers},
                )
            )
    return result


def test_efficiency_is_the_throughput_of_a_worker_to_that_of_the_fewest() -> None:
    sync, unlike = find_scaling(scaled((2, 4)))
    assert [(one.operation, one.variant) for one in (sync, unlike)] == [("search", "sync"), ("search", "async")]
    assert [(point.workers, point.throughput, point.efficiency) for point in sync.points] == [
        (2, 200.0, 1.0),
        (4, 360.0, 0.9),
    ]
    assert [point.saturated for point in sync.points] == [False, True]
    assert [point.saturated for point in unlike.points] == [False, False]
    first, second = unlike.points
    assert first.cpu_seconds == pytest.approx(1.0 / 400)
    assert second.cpu_seconds == pytest.approx(2.0 / 720)
    assert first.server_cpu_seconds == pytest.approx(0.4 / 400)
    assert say_law(sync) == (
        "search sync: no scalability law, since it takes 4 different numbers of workers, and there are 2."
    )


def test_a_run_without_numbers_of_workers_has_no_scaling() -> None:
    assert find_scaling([phase("sync", 8, timed([10] * 5)), phase("async", 8, timed([10] * 5))]) == ()
    assert find_scaling(scaled((2,))) == ()


def test_reports_show_every_number_of_workers_with_the_law() -> None:
    phases = scaled()
    summary = summarize(record(*phases, scaling=find_scaling(phases)))
    text, page = to_markdown([summary]), to_html([summary])
    assert "| search | async | 8 | 1,166.0 | 73% | 3.431 | 1.372 | - |" in text
    assert "| search | sync | 8 | 583.0 | 73% | 6.861 | 2.744 | generator |" in text
    assert text.count("Universal Scalability Law with") == 2
    assert "search: operations per second against workers" in page
    assert "Grey dotted: ideal" in page
    assert page.count("<h2>Scale-out</h2>") == 1
    assert "Scale-out" not in to_html([summarize(record(phase("sync", 8, timed([10] * 5))))])


def measured() -> Ledger:
    """One phase on each of one and two workers."""
    ledger = Ledger()
    for number, workers in enumerate((1, 2)):
        start = 100.0 * (number + 1)
        ledger.open(Phase(number, Mode.ASYNC, 4 * workers, 10.0, workers=workers), start, start + 10)
        times = [start + 0.01 + at / (10 * workers) for at in range(99 * workers)]
        ledger([Sample("async", "search", at, at, at + 0.005, Outcome.OK, 1) for at in times])
    return ledger


def test_the_terminal_and_the_record_have_them() -> None:
    ledger, out = measured(), io.StringIO()
    results = PhaseResults().take(ledger.windows.values())
    print_tables(results, LevelResults(1).take(results), out)
    shown = out.getvalue()
    assert "Scale-out, with the same load for each worker" in shown
    assert "search async: no scalability law, since it takes 4 different numbers of workers" in " ".join(shown.split())
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 2)
    recorder.keep(results, ledger)
    (one,) = recorder.record.scaling
    assert [(point.workers, point.throughput, point.efficiency) for point in one.points] == [
        (1, 9.9, 1.0),
        (2, 19.8, 1.0),
    ]
    assert [one.workers for one in recorder.record.phases] == [1, 2]
