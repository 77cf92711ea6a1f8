"""A ratio is always shown next to its two figures, and is their quotient."""

import json
import re
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pytest

from loadgen.cli.main import main
from loadgen.locust_plugin.recording import Recorder
from loadgen.locust_plugin.web.tab_data import level_rows, table_rows
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.reports.console import print_tables
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.comparison import RatioEstimate
from loadgen.results.levels import LevelResult, find_levels
from loadgen.results.record import RunRecord, write_record
from loadgen.results.verdict import explain
from loadgen.settings.model import Settings
from tests.unit.result_support import results_of

SEEDS = range(12)


@cache
def run_of_chance(seed: int, model: Literal["closed", "poisson"] = "closed") -> tuple[Ledger, list[LevelResult]]:
    """Phases whose throughputs differ by factors, as on a machine that others use; now and then one is missing."""
    random, ledger = Random(seed), Ledger()
    modes = [Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC] * random.choice((1, 2))
    if seed % 3 == 1:
        del modes[random.randrange(len(modes))]
    for number, mode in enumerate(modes):
        count, took = random.choice((7, 30, 100, 400, 900)), random.uniform(0.001, 0.2)
        start, rate = 100.0 * (number + 1), 50.0 if model == "poisson" else 0.0
        ledger.open(Phase(number, mode, 0 if rate else 8, seconds=10, model=model, rate=rate), start, start + 10)
        ends = [start + 10 * (place + 0.5) / count for place in range(count)]
        spread = [took * random.lognormvariate(0, 0.5) for _ in ends]
        samples = zip(ends, spread, strict=True)
        ledger([Sample(mode, "search", end - one, end - one, end, Outcome.OK, 10) for end, one in samples])
    return ledger, find_levels(results_of(ledger), seed=1)


def kept(ledger: Ledger, levels: list[LevelResult]) -> RunRecord:
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger, levels)
    return recorder.record


@cache
def record_of(seed: int) -> RunRecord:
    return kept(*run_of_chance(seed))


def number(text: str) -> float:
    return float(text.replace(",", ""))


def assert_explains(sync: str | float, asyn: str | float, ratio: str | float) -> None:
    """The quotient of the figures, as they are printed, is the ratio as it is printed, to rounding."""
    shown = [number(part) if isinstance(part, str) else part for part in (sync, asyn, ratio)]
    assert shown[1] / shown[0] == pytest.approx(shown[2], rel=0.003, abs=0.006), (sync, asyn, ratio)


def printed(ledger: Ledger, levels: list[LevelResult]) -> str:
    out = StringIO()
    print_tables(results_of(ledger), levels, out)
    return out.getvalue()


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_table_at_the_end_of_a_run(seed: int) -> None:
    ledger, levels = run_of_chance(seed)
    rows = [line.strip("│").split("│") for line in printed(ledger, levels).splitlines() if "│ search " in line]
    sync, asyn = [[cell.strip() for cell in row] for row in rows]
    assert_explains(sync[3], asyn[3], asyn[9].split(" ")[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_below_the_table_of_arrivals(seed: int) -> None:
    ledger, levels = run_of_chance(seed, "poisson")
    reported = " ".join(printed(ledger, levels).split())
    for name in ("p50", "p99"):
        match = re.search(rf"{name} ([\d.,]+) ms with sync and ([\d.,]+) ms with async, ratio (\d+\.\d+)", reported)
        assert match, reported
        assert_explains(*match.groups())


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_record_and_on_the_page(seed: int) -> None:
    _, levels = run_of_chance(seed)
    (result,) = record_of(seed).comparisons
    for ratio in (result.throughput_ratio, result.p50_ratio, result.p99_ratio):
        assert ratio.baseline_value
        assert ratio.variant_value
        assert ratio.variant_value / ratio.baseline_value == pytest.approx(ratio.estimate)
    sync, asyn = table_rows(level_rows(levels))
    for name in ("throughput", "p99"):
        assert_explains(sync[name], asyn[name], asyn[f"ratio_{name}"].split(" ")[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_report(seed: int) -> None:
    lines = to_markdown([summarize(record_of(seed))]).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("## search: async to sync"))
    cells = [cell.strip() for cell in lines[at + 4].strip("|").split("|")]
    assert cells[1] == "async"
    for first in (2, 5, 8):
        assert_explains(cells[first], cells[first + 1], cells[first + 2].split(" ")[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_verdict(seed: int) -> None:
    record = record_of(seed)
    (one,) = record.comparisons
    for verdict in ("variant", "baseline"):
        given = one.model_copy(update={"verdict": verdict, "reasons": ()})
        lines = explain(record.model_copy(update={"comparisons": (given,)})).lines()
        match = re.search(r"gives ([\d.]+) times .*\(([\d.,]+)/s against ([\d.,]+)/s", lines[0])
        assert match, lines
        assert_explains(match[3], match[2], match[1])
        tail = re.search(r"within ([\d.,]+) (m?s) with sync and ([\d.,]+) (m?s) with async \(ratio ([\d.]+)", lines[1])
        assert tail, lines
        sync, asyn = (number(tail[at]) * (1_000 if tail[at + 1] == "s" else 1) for at in (1, 3))
        assert asyn / sync == pytest.approx(float(tail[5]), rel=0.012, abs=0.006)


@pytest.mark.parametrize("seed", SEEDS)
def test_between_two_records(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (record_of(which) for which in (3 * seed, 3 * seed + 3))
    paths = [str(write_record(tmp_path, record)) for record in (old, new)]
    main(["compare", *paths, "--format", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["figure"] for finding in findings} >= {"throughput", "p50", "p99"}
    for finding in findings:
        if finding["ratio"]:
            assert finding["new"] / finding["old"] == pytest.approx(finding["ratio"]["estimate"])


def test_with_full_rounds_the_figures_are_the_geometric_means_of_the_phases() -> None:
    ledger, (level,) = run_of_chance(0)
    rates = {name: [result.record.operations[0].count / 10 for result in level.of(name)] for name in level.variants}
    assert list(rates) == ["sync", "async"]
    assert all(len(each) >= 2 for each in rates.values())
    ratio = level.comparisons["async"].throughput
    assert isinstance(ratio, RatioEstimate)
    for name, value in (("sync", ratio.baseline_value), ("async", ratio.variant_value)):
        assert value == pytest.approx(float(np.exp(np.mean(np.log(rates[name])))))
        assert level.shown_throughput(name) == value
    assert len(ledger.windows) in (4, 8)


def test_without_a_ratio_the_figures_are_those_of_all_rounds() -> None:
    ledger = Ledger()
    for number_of_phase, count in enumerate((100, 400)):
        start = 100.0 * (number_of_phase + 1)
        ledger.open(Phase(number_of_phase, Mode.SYNC, 8, seconds=10), start, start + 10)
        ledger([Sample(Mode.SYNC, "search", start, start, start + 1, Outcome.OK, 10)] * count)
    (level,) = find_levels(results_of(ledger), seed=1)
    series = level.series("sync")
    assert series is not None
    assert level.shown_throughput("sync") == series.throughput == 25.0
