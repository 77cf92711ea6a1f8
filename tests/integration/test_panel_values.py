"""What the panels make of runs whose figures are known, several of them in the data."""

from pathlib import Path

import pytest

from dashboards import queries
from tests.integration.monitoring_support import substitute
from tests.integration.panel_support import ALL, KIND, WIDE, fill_in, kind_of, make_phase, make_run, process
from tests.integration.promtool_support import LENGTH, OWN, STEP, Samples, assert_values, labelled


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Run `first` and later `third` in one process; beside them `second`, with a master and two workers.

    The third one has another variant, with the least time of all.
    """
    collected = Samples()
    make_run(collected, "first", ("here",), 30, 330)
    make_phase(collected, ("here",), "here", "sync", (50, 150), rate=100, seconds=0.1)
    make_phase(collected, ("here",), "here", "async", (150, 250), rate=200, seconds=0.05)
    make_run(collected, "third", ("here",), 335, 600)
    make_phase(collected, ("here",), "here", "sync", (350, 450), rate=100, seconds=0.1)
    make_phase(collected, ("here",), "here", "async", (450, 550), rate=400, seconds=0.025)
    make_phase(collected, ("here",), "here", WIDE, (550, 595), rate=800, seconds=0.02)
    workers = ("one", "two")
    make_run(collected, "second", (*workers, "master"), 100, 500)
    make_phase(collected, workers, "master", "sync", (150, 300), rate=50, seconds=0.1)
    make_phase(collected, workers, "master", "async", (300, 450), rate=50, seconds=0.1)
    return collected


@pytest.mark.parametrize(
    ("run", "throughputs"),
    [
        ("first", {"sync": 100, "async": 200}),
        ("second", {"sync": 100, "async": 100}),
        ("third", {"sync": 100, "async": 400, WIDE: 800}),
        (ALL, {"sync": 100, "async": 75_000 / 350, WIDE: 800}),
    ],
)
def test_a_variants_throughput_is_of_the_time_of_all_chosen_runs_and_of_no_other(
    run: str, throughputs: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    query = fill_in(queries.mean_throughput(), run)
    expected = {labelled("", variant=name): round(value, 3) for name, value in throughputs.items()}
    assert_values(samples, query, LENGTH, expected, tmp_path)


@pytest.mark.parametrize(
    ("run", "baseline", "ratios"),
    [
        ("first", "sync", {"async": 2}),
        ("second", "sync", {"async": 1}),
        ("third", "sync", {"async": 4, WIDE: 8}),
        ("third", WIDE, {"sync": 0.125, "async": 0.5}),
        (ALL, "async", {"sync": 35 / 75, WIDE: 280 / 75}),
        ("first", WIDE, {}),
    ],
)
def test_every_other_variant_is_compared_with_the_chosen_baseline(
    run: str, baseline: str, ratios: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    expected = {labelled("", variant=name): round(value, 3) for name, value in ratios.items()}
    assert_values(samples, fill_in(queries.throughput_ratio(), run, baseline), LENGTH, expected, tmp_path)


def test_a_chosen_variant_is_compared_with_a_baseline_that_is_not_among_the_chosen(
    samples: Samples, tmp_path: Path
) -> None:
    chosen = OWN | {"run": "third", "baseline": "sync", "variant": WIDE}
    query = substitute(queries.throughput_ratio(), chosen)
    assert_values(samples, query, LENGTH, {labelled("", variant=WIDE): 8}, tmp_path)


@pytest.mark.parametrize(
    ("run", "baseline", "ratios"),
    [
        ("first", "sync", {"async": 0.5}),
        ("second", "sync", {"async": 1}),
        ("third", "sync", {"async": 0.25, WIDE: 0.2}),
        ("third", "async", {"sync": 4, WIDE: 0.8}),
    ],
)
def test_a_ratio_of_response_times_is_that_of_the_chosen_run_also_where_its_process_had_others(
    run: str, baseline: str, ratios: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    query = fill_in(queries.quantile_ratio("1"), run, baseline)
    assert_values(
        samples, query, LENGTH, {labelled("", variant=name): value for name, value in ratios.items()}, tmp_path
    )


def test_baselines_are_offered_with_that_of_the_run_before_the_others_also_after_the_run(tmp_path: Path) -> None:
    collected = Samples()
    for run, since, named in (("first", 30, "sync"), ("second", 335, WIDE)):
        for name in ("sync", "async", WIDE):
            labels = kind_of(name) | {"run_id": run, "baseline": str(name == named).lower()}
            collected.gauge(labelled("loadgen_variant_info", **process("here"), **labels), since, since + 200)
    for run, named in (("first", "sync"), ("second", WIDE)):
        expected = {labelled("", variant=name): 1 + (name == named) for name in ("sync", "async", WIDE)}
        assert_values(collected, fill_in(queries.baselines(), run), LENGTH, expected, tmp_path)


@pytest.fixture(scope="module")
def levels() -> Samples:
    """Phases of a variant at two concurrencies with nothing between them, and one that is shorter than a window."""
    collected = Samples()
    make_run(collected, "levels", ("one", "master"), 0, 400)
    plan = (("1", "8", (50, 150), 100, 0.1), ("2", "64", (150, 250), 400, 0.025), ("3", "512", (250, 265), 900, 0.05))
    for number, concurrency, span, rate, seconds in plan:
        labels = {"run_id": "levels", "phase": number, "concurrency": concurrency} | kind_of("sync")
        for instance in ("one", "master"):
            samples = labelled("loadgen_phase_info", **process(instance), **labels)
            collected.gauge(samples, span[0], span[1] - STEP)
        make_phase(collected, ("one",), "master", "sync", span, rate=rate, seconds=seconds)
    return collected


@pytest.mark.parametrize(("concurrency", "rate", "seconds"), [("8", 100, 0.1), ("64", 400, 0.025)])
def test_a_line_by_concurrency_is_of_its_own_phase_alone(
    concurrency: str, rate: float, seconds: float, levels: Samples, tmp_path: Path
) -> None:
    labels = labelled("", variant="sync", concurrency=concurrency)
    throughput, quantile = queries.throughput_by_concurrency(), queries.quantile_by_concurrency("1")
    for after in (20, 25, 60, 95):
        at = after + {"8": 50, "64": 150}[concurrency]
        assert_values(levels, fill_in(throughput, ALL), at, {labels: rate}, tmp_path)
        assert_values(levels, fill_in(quantile, ALL), at, {labels: seconds}, tmp_path)


@pytest.mark.parametrize("at", [50, 65, 150, 165, 250, 260, 265, 300])
def test_by_concurrency_nothing_is_drawn_while_a_window_reaches_back_over_a_phases_begin(
    at: int, levels: Samples, tmp_path: Path
) -> None:
    for query in (queries.throughput_by_concurrency(), queries.quantile_by_concurrency("0.95")):
        assert_values(levels, fill_in(query, ALL), at, {}, tmp_path)


def test_the_mean_of_a_stage_is_its_seconds_by_its_number(tmp_path: Path) -> None:
    collected = Samples()
    make_run(collected, "first", ("here",), 30, 330)
    for variant, seconds in (("sync", 0.5), (WIDE, 0.25)):
        labels = process("here") | KIND | kind_of(variant) | {"operation": "ask", "stage": "generate"}
        collected.grow(labelled("loadgen_stage_seconds_count", **labels), 4, 50, 300)
        collected.grow(labelled("loadgen_stage_seconds_sum", **labels), 4 * seconds, 50, 300)
    expected = {
        labelled("", variant=variant, operation="ask", stage="generate"): mean
        for variant, mean in (("sync", 0.5), (WIDE, 0.25))
    }
    assert_values(collected, fill_in(queries.mean_stage(), "first"), 200, expected, tmp_path)
