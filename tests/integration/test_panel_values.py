"""What the panels make of runs whose figures are known, several of them in the data."""

import re
from pathlib import Path

import pytest

from dashboards import queries
from tests.integration.promtool_support import LENGTH, OWN, Told, assert_values, labelled

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
