"""`--sweep "ef=16,32"`: the variants it makes, what is refused, and the throughput at equal recall."""

import io
import math
from typing import Any

import numpy as np
import pytest

from loadgen.measure.histograms import SparseHistogram
from loadgen.measure.slices import SliceStats
from loadgen.reports.console_sweeps import print_sweeps
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.comparison_plan import find_comparison_plan
from loadgen.results.record import PhaseRecord, Slices, SweepRecord
from loadgen.results.sweeps import SweepPlan, find_sweep_plan, find_sweeps, say_sweep
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.sweep import find_swept
from loadgen.settings.variants import find_baseline, find_variants, settings_of
from tests.unit.record_support import operation, phase, record


def names_of(**given: Any) -> list[str]:
    return [f"{one.name}: {one.given['search_params']}" for one in find_variants(Settings.parse(given))]


def test_each_variant_is_measured_with_each_value() -> None:
    assert names_of(sweep="ef=16, 32") == [
        "sync ef=16: ef=16", "sync ef=32: ef=32", "async ef=16: ef=16", "async ef=32: ef=32",
    ]  # fmt: skip
    settings = Settings.parse({"sweep": "ef=16,32"})
    assert [settings_of(settings, one).search_config["ef"] for one in find_variants(settings)] == [16, 32, 16, 32]


def test_other_search_parameters_are_kept() -> None:
    own = 'a: async search-params="ef=7,radius=0.5"'
    assert names_of(sweep="ef=16,32", variants=[own], search_params="level=2")[0] == "a ef=16: ef=16,radius=0.5"
    assert names_of(sweep="ef=16,32", variants=["sync"], search_params="level=2")[1] == "sync ef=32: level=2,ef=32"
    lists = '{"ids": [1, 2]}'
    written = names_of(sweep="ef=16,32", variants=["sync"], search_params=lists)
    assert written[0] == 'sync ef=16: {"ids": [1, 2], "ef": 16}'
    of_index = names_of(sweep="nprobe=4,8", variants=["async index-type=IVF_FLAT"], search_params="level=2")
    assert of_index[0].endswith(": nprobe=4"), "those of the run are of another index"


def test_variants_of_the_same_value_are_compared() -> None:
    settings = Settings.parse({"sweep": "ef=16,32", "variants": ["sync", "a: async"], "baseline": "a"})
    assert find_baseline(settings) == "a ef=16"
    pairs = [(pair.baseline, pair.variant) for pair in find_comparison_plan(settings).pairs]
    assert pairs == [("a ef=16", "sync ef=16"), ("a ef=32", "sync ef=32")]
    swept = find_swept(find_variants(settings), settings)
    assert swept["sync ef=32"] == ("sync", 32.0)
    assert find_swept(find_variants(Settings()), Settings()) == {}


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({"sweep": "ef"}, "--sweep ef: is not a search parameter with its values. Write for example ef=16,32,64,128."),
        ({"sweep": "ef=16"}, '--sweep ef=16: has only one value. Give several, or --search-params "ef=16".'),
        ({"sweep": "ef=16,a"}, "--sweep ef=16,a: has a value that is no number: 'a'. Write for example"),
        ({"sweep": "ef=16,16.0"}, "--sweep ef=16,16.0: names a value twice. Give each once."),
        ({"sweep": "ef=10,11,12,13,14"}, "makes 10 variants, one for each value. Give fewer values or variants"),
        ({"sweep": "ef=1,20"}, "is wrong for sync ef=1: search-params ef=1: is below top_k 10. Set ef to 10 or more."),
        ({"sweep": "efs=16,32"}, "names an unknown search parameter of HNSW: 'efs'. Did you mean ef?"),
        ({"sweep": "ef=16,32", "mode": "sync"}, 'is for --mode compare, but --mode is sync. Use --variants "sync".'),
        ({"sweep": "ef=16,32", "arrival": "poisson", "rate": "9"}, "compares throughputs, which --find-rate and"),
        ({"sweep": "ef=16,32", "recall_every": "0"}, "needs recall, but --recall-every 0 checks none."),
        ({"sweep": "ef=16,32", "baseline": "synk"}, 'is not a variant of this run. Did you mean "sync"?'),
        ({"at_recall": "0.9"}, '--at-recall 0.9: is of a sweep, but there is none. Add for example --sweep "ef='),
    ],
)
def test_what_is_no_sweep_is_refused(given: dict[str, str], reported: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.parse(given)
    assert reported in "\n".join(str(fault) for fault in refused.value.faults)


def run_of(
    points: dict[str, tuple[float, float]], checks: int = 100_000, noise: float = 0.0, seed: int = 1
) -> list[PhaseRecord]:
    """Four phases of each variant, with a throughput and a recall; phases and slices differ by `noise`."""
    rng = np.random.default_rng(seed)
    result = []
    for name, (rate, recall) in points.items():
        for _ in range(4):
            luck = rate * math.exp(rng.normal(0, noise))
            counts = [max(1, round(luck * math.exp(rng.normal(0, noise)))) for _ in range(10)]
            pieces = [SliceStats(1.0, number, SparseHistogram({9_984: number})) for number in counts]
            searched = operation(
                slices=Slices.of(pieces, is_judged=False), recall=recall, recall_checks=checks // 4, throughput=luck
            )
            result.append(phase(name.partition(" ")[0], 8, searched, variant=name))
    return result


def sweep_at(recall: float, baseline: str = "sync", seed: int = 1) -> SweepPlan:
    settings = {"sweep": "ef=16,32", "at_recall": f"{recall:g}", "baseline": baseline, "seed": str(seed)}
    plan = find_sweep_plan(Settings.parse(settings))
    assert plan is not None
    return plan


CURVES = {
    "sync ef=16": (400.0, 0.90), "sync ef=32": (100.0, 0.98),
    "async ef=16": (500.0, 0.90), "async ef=32": (125.0, 0.98),
}  # fmt: skip


def test_throughputs_are_interpolated_in_the_logarithm_and_divided() -> None:
    sync, asynchronous = find_sweeps(run_of(CURVES), sweep_at(0.94))
    assert [(point.value, point.recall) for point in sync.points] == [(16.0, 0.9), (32.0, pytest.approx(0.98))]
    assert sync.points[0].throughput.estimate == pytest.approx(400)
    assert sync.at_recall is not None
    assert sync.at_recall.throughput is not None
    assert sync.at_recall.throughput.estimate == pytest.approx(200), "the geometric mean of 400 and 100"
    assert (sync.at_recall.ratio, sync.at_recall.baseline) == (None, "")
    assert asynchronous.at_recall is not None
    ratio = asynchronous.at_recall.ratio
    assert ratio is not None
    assert ratio.estimate == pytest.approx(1.25)
    assert asynchronous.at_recall.baseline == "sync"
    assert 1.0 < ratio.low < 1.25 < ratio.high < 1.6
    assert say_sweep(sync).startswith("search at 8 users and a recall of 0.94: sync answers 200/s (")
    reported = say_sweep(asynchronous)
    assert ": async answers 250/s (" in reported
    assert ", 1.25 times as many as sync (95 % interval 1." in reported
    assert "no difference" not in reported


@pytest.mark.parametrize(
    ("recall", "reason"),
    [
        (0.99, "no value of ef reaches it, 0.98 is the highest recall: add higher values"),
        (0.5, "every value of ef exceeds it, 0.9 is the lowest recall: add lower values"),
    ],
)
def test_nothing_is_extrapolated(recall: float, reason: str) -> None:
    for one in find_sweeps(run_of(CURVES), sweep_at(recall)):
        assert one.at_recall is not None
        assert (one.at_recall.throughput, one.at_recall.ratio, one.at_recall.reason) == (None, None, reason)
        assert say_sweep(one).endswith(f": none for {one.family}, since {reason}.")


def test_a_value_that_was_not_measured_is_left_out() -> None:
    some = [one for one in run_of(CURVES) if one.variant != "async ef=32"]
    sync, asynchronous = find_sweeps(some, sweep_at(0.94))
    assert (len(sync.points), len(asynchronous.points)) == (2, 1)
    assert asynchronous.at_recall is not None
    assert asynchronous.at_recall.reason == "only 1 value of ef could be measured"
    assert find_sweeps(some, None) == ()
    assert find_sweep_plan(Settings()) is None


def test_a_phase_that_does_not_count_leaves_no_result() -> None:
    phases = run_of(CURVES)
    saturated = phases[0].generator.model_copy(update={"saturated": True})
    unwatched = phases[0].generator.model_copy(update={"watched_share": 0.1})
    for change, doubt in (
        ({"generator": saturated}, "the load generator was at its limit"),
        ({"generator": unwatched}, "the load generator was not monitored"),
        ({"seconds": 4.0}, "the run was aborted"),
        ({"workers_lost": 1}, "workers or users were lost"),
    ):
        sync, asynchronous = find_sweeps([phases[0].model_copy(update=change), *phases[1:]], sweep_at(0.94))
        assert sync.at_recall is not None
        assert (sync.at_recall.throughput, sync.at_recall.reason) == (None, f"{doubt} in a phase of sync ef=16")
        assert asynchronous.at_recall is not None
        assert asynchronous.at_recall.throughput is not None
        assert asynchronous.at_recall.ratio is None, "the baseline has nothing to compare with"
        assert say_sweep(asynchronous).endswith(").")
        assert "times" not in say_sweep(asynchronous)


def test_one_phase_of_a_variant_is_no_result() -> None:
    phases = run_of(CURVES)
    sync, _ = find_sweeps([phases[0], *phases[4:]], sweep_at(0.94))
    assert sync.at_recall is not None
    assert (sync.at_recall.throughput, sync.at_recall.reason) == (None, "sync ef=16 has 1 of 2 phases")


def test_few_checked_searches_widen_the_interval() -> None:
    def width(checks: int) -> float:
        at = find_sweeps(run_of(CURVES, checks), sweep_at(0.94))[0].at_recall
        assert at is not None
        assert at.throughput is not None
        return at.throughput.high / at.throughput.low

    assert width(40) > 1.5 * width(100_000)


def test_equal_variants_have_a_ratio_of_1_within_the_interval() -> None:
    """An A/A test of 60 simulated sweeps: at least 54 intervals contain 1."""
    equal = CURVES | {"async ef=16": CURVES["sync ef=16"], "async ef=32": CURVES["sync ef=32"]}
    kept = 0
    for seed in range(60):
        result = find_sweeps(run_of(equal, 2_000, 0.08, seed), sweep_at(0.94, seed=seed))[1].at_recall
        assert result is not None
        assert result.ratio is not None
        kept += result.ratio.low <= 1 <= result.ratio.high
    assert kept >= 54


def swept() -> tuple[SweepRecord, ...]:
    return find_sweeps(run_of(CURVES), sweep_at(0.94))


def test_table_report_and_verdict_show_the_sweep() -> None:
    out = io.StringIO()
    print_sweeps(swept(), out)
    assert "Throughput by recall" in out.getvalue()
    assert "│ search    │     8 │ async   │ 32 │  0.980 │ 100,000 │        125.0 │" in out.getvalue()
    summary = summarize(record(*run_of(CURVES), sweeps=swept()))
    assert "a recall of 0.94: sync answers 200/s" in summary.explanation.headlines[0]
    text = to_markdown([summary])
    assert "## Throughput by recall" in text
    assert "| search | 8 | sync | 16 | 0.900 | 100,000 | 400.0 |" in text
    page = to_html([summary])
    assert "search: operations per second against recall, 8 users" in page
    nothing = io.StringIO()
    print_sweeps((), nothing)
    assert nothing.getvalue() == ""
