"""What the panels make of runs whose figures are known, several of them in the data."""

import re
from pathlib import Path

import pytest

from dashboards import queries
from tests.integration.promtool_support import LENGTH, OWN, STEP, Told, assert_values, labelled

KIND = {"client": "llamaindex", "operation": "search"}
BOUNDS = ("0.02", "0.025", "0.04", "0.05", "0.08", "0.1", "+Inf")
ALL = ".*"


def process(instance: str) -> dict[str, str]:
    return {"namespace": "load", "job": "demo", "instance": instance}


def fill_in(query: str, run: str) -> str:
    """As Grafana sends it, with one run chosen or `All`, and everything else at `All`."""
    return re.sub(r"\$(\w+)", lambda word: (OWN | {"run": run}).get(word[1], ALL), query)


def make_phase(
    told: Told, workers: tuple[str, ...], lead: str, mode: str, span: tuple[int, int], **load: float
) -> None:
    """`rate` answers a second in each worker, each of them at `seconds`, which is a bound of the histogram."""
    for one in workers:
        labels = process(one) | KIND | {"mode": mode}
        told.grow(labelled("loadgen_operations_total", **labels, outcome="ok"), load["rate"], *span)
        for bound in BOUNDS:
            rate = load["rate"] if load["seconds"] <= float(bound) else 0
            told.grow(labelled("loadgen_response_seconds_bucket", **labels, le=bound), rate, *span)
    told.grow(labelled("loadgen_active_seconds_total", **process(lead), mode=mode, client="llamaindex"), 1, *span)


def make_run(told: Told, run_id: str, instances: tuple[str, ...], since: int, until: int) -> None:
    for one in instances:
        told.gauge(labelled("loadgen_run_info", **process(one), run_id=run_id), since, until)


@pytest.fixture(scope="module")
def told() -> Told:
    """Run `first` and later `third` in one process; beside them `second`, with a master and two workers."""
    found = Told()
    make_run(found, "first", ("here",), 30, 330)
    make_phase(found, ("here",), "here", "sync", (50, 150), rate=100, seconds=0.1)
    make_phase(found, ("here",), "here", "async", (150, 250), rate=200, seconds=0.05)
    make_run(found, "third", ("here",), 335, 600)
    make_phase(found, ("here",), "here", "sync", (350, 450), rate=100, seconds=0.1)
    make_phase(found, ("here",), "here", "async", (450, 550), rate=400, seconds=0.025)
    workers = ("one", "two")
    make_run(found, "second", (*workers, "master"), 100, 500)
    make_phase(found, workers, "master", "sync", (150, 300), rate=50, seconds=0.1)
    make_phase(found, workers, "master", "async", (300, 450), rate=50, seconds=0.1)
    return found


@pytest.mark.parametrize(
    ("run", "sync", "both"),
    [("first", 100, 200), ("second", 100, 100), ("third", 100, 400), (ALL, 100, 75_000 / 350)],
)
def test_a_modes_throughput_is_of_the_time_of_all_chosen_runs_and_of_no_other(
    run: str, sync: float, both: float, told: Told, tmp_path: Path
) -> None:
    for mode, expected in (("sync", sync), ("async", both)):
        query = fill_in(queries.mode_throughput(mode), run)
        assert_values(told, query, LENGTH, {"{}": round(expected, 3)}, tmp_path)
    ratio = fill_in(queries.throughput_ratio(), run)
    assert_values(told, ratio, LENGTH, {"{}": round(both / sync, 3)}, tmp_path)


@pytest.mark.parametrize(("run", "ratio"), [("first", 0.5), ("second", 1.0), ("third", 0.25)])
def test_a_ratio_of_response_times_is_that_of_the_chosen_run_also_where_its_process_had_others(
    run: str, ratio: float, told: Told, tmp_path: Path
) -> None:
    assert_values(told, fill_in(queries.quantile_ratio("0.5"), run), LENGTH, {"{}": ratio}, tmp_path)


@pytest.fixture(scope="module")
def levels() -> Told:
    """Phases of sync at two concurrencies with nothing between them, and one that is shorter than a window."""
    found = Told()
    make_run(found, "levels", ("one", "master"), 0, 400)
    plan = (("1", "8", (50, 150), 100, 0.1), ("2", "64", (150, 250), 400, 0.025), ("3", "512", (250, 265), 900, 0.05))
    for number, concurrency, span, rate, seconds in plan:
        labels = {"run_id": "levels", "phase": number, "mode": "sync", "concurrency": concurrency}
        for instance in ("one", "master"):
            told = labelled("loadgen_phase_info", **process(instance), **labels)
            found.gauge(told, span[0], span[1] - STEP)
        make_phase(found, ("one",), "master", "sync", span, rate=rate, seconds=seconds)
    return found


@pytest.mark.parametrize(("concurrency", "rate", "seconds"), [("8", 100, 0.1), ("64", 400, 0.025)])
def test_a_line_by_concurrency_is_of_its_own_phase_alone(
    concurrency: str, rate: float, seconds: float, levels: Told, tmp_path: Path
) -> None:
    labels = f'{{mode="sync", concurrency="{concurrency}"}}'
    throughput, quantile = queries.throughput_by_concurrency(), queries.quantile_by_concurrency("1")
    for after in (20, 25, 60, 95):
        at = after + {"8": 50, "64": 150}[concurrency]
        assert_values(levels, fill_in(throughput, ALL), at, {labels: rate}, tmp_path)
        assert_values(levels, fill_in(quantile, ALL), at, {labels: seconds}, tmp_path)


@pytest.mark.parametrize("at", [50, 65, 150, 165, 250, 260, 265, 300])
def test_by_concurrency_nothing_is_drawn_while_a_window_reaches_back_over_a_phases_begin(
    at: int, levels: Told, tmp_path: Path
) -> None:
    for query in (queries.throughput_by_concurrency(), queries.quantile_by_concurrency("0.95")):
        assert_values(levels, fill_in(query, ALL), at, {}, tmp_path)


def test_the_mean_of_a_stage_is_its_seconds_by_its_number(tmp_path: Path) -> None:
    found = Told()
    make_run(found, "first", ("here",), 30, 330)
    for mode, seconds in (("sync", 0.5), ("async", 0.25)):
        labels = process("here") | KIND | {"mode": mode, "operation": "ask", "stage": "generate"}
        found.grow(labelled("loadgen_stage_seconds_count", **labels), 4, 50, 300)
        found.grow(labelled("loadgen_stage_seconds_sum", **labels), 4 * seconds, 50, 300)
    expected = {
        f'{{mode="{mode}", operation="ask", stage="generate"}}': mean for mode, mean in (("async", 0.25), ("sync", 0.5))
    }
    assert_values(found, fill_in(queries.mean_stage(), "first"), 200, expected, tmp_path)
