"""`loadgen calibrate --rag` judges the tool by bare loops of the same run, and its outcomes by the server's counts."""

import io
import json
import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.calibrate.rag.driver import Outcomes, Result, Side, SidePair, _counted
from loadgen.calibrate.rag.plan import BARE, OUTCOMES, STAGES, make_plan
from loadgen.calibrate.rag.scatter import scatter_of_rates, scatter_of_times
from loadgen.calibrate.rag.showing import as_json, show
from loadgen.calibrate.rag.targets import find_targets
from loadgen.cli.main import main
from loadgen.llm_server.plan import plan_chat
from loadgen.measure.histograms import make_histogram
from loadgen.measure.sample import Mode, Outcome

TIMES = {"first_token": 60_000, "inter_token": 5_000, "total": 170_000}


def side(asks: int, **more: int) -> Side:
    """Windows of 10 s in which each time is that of `TIMES`, and some microseconds more."""
    made = Side()
    encoded = {
        name: make_histogram({value + more.get(name, 0): asks}).encode().decode() for name, value in TIMES.items()
    }
    made.add(10.0, asks, encoded)
    return made


def result(tool: Side, outcomes: Outcomes | None = None) -> Result:
    ended = dict.fromkeys((Outcome.OK, Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.FAILED), 5)
    pairs = [SidePair(BARE, mode, users, tool, side(100), 0.0002) for users in (1, 8, 32) for mode in Mode]
    pairs += [SidePair(STAGES, mode, 8, tool, side(100), 0.0002) for mode in Mode]
    return Result(tuple(pairs), outcomes or Outcomes(ended, ended))


def test_a_tool_that_reports_what_bare_loops_measure_meets_all_targets() -> None:
    targets = find_targets(result(side(100)))
    assert len(targets) == 2 * 2 * 3 * 2 + 6 + 2 + 4
    assert [target for target in targets if not target.met] == []
    named = {target.name: target for target in targets}
    assert named["sync 1 user: first_token p50 against a bare loop"].wanted == "60.03 ms, within 2.00"
    assert named["async 8 users: total p99 against a bare loop"].wanted.endswith("within 5.10")
    assert named["async 32 users: asks/s against a bare loop"].measured == "10.0/s (1.000)"
    assert named["sync 8 users: asks/s against without stages"].late == 0.0002
    assert not any("32 users: total" in name for name in named), "all cores are busy then"


@pytest.mark.parametrize(
    ("tool", "missed"),
    [
        (side(100, first_token=1_900), 0),
        (side(100, first_token=2_200), 8),
        (side(100, inter_token=-1_900), 0),
        (side(100, inter_token=-2_200), 8),
        (side(100, total=5_000), 0),
        (side(100, total=5_300), 8),
        (side(97), 0),
        (side(96), 8),
    ],
)
def test_a_tool_that_is_off_misses_targets(tool: Side, missed: int) -> None:
    """p50 and p99 of both modes at 1 and at 8 users; six rates and two of stages."""
    assert sum(not target.met for target in find_targets(result(tool))) == missed


@pytest.mark.parametrize(
    ("reported", "missed"),
    [
        ({}, []),
        ({Outcome.OK: 4}, ["whole answers are ok"]),
        ({Outcome.FAILED: 6}, ["a broken stream is failed"]),
        ({Outcome.TIMEOUT: 1}, ["no ask is timeout"]),
    ],
)
def test_outcomes_have_to_be_equal_and_each_kind_has_to_occur(reported: dict[Outcome, int], missed: list[str]) -> None:
    counted = dict.fromkeys((Outcome.OK, Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.FAILED), 5)
    ended = Outcomes(counted | reported, counted)
    assert [one.name for one in find_targets(result(side(100), ended)) if not one.met] == missed
    nothing = find_targets(result(side(100), Outcomes({}, {})))
    assert sum(not one.met for one in nothing) == 4


def test_the_tables_and_the_json_have_all_pairs_and_targets() -> None:
    out = io.StringIO()
    show(result(side(100, total=5_300)), out)
    text = out.getvalue()
    assert text.count("MISSED") == 8
    assert text.count("bare loops") > 6
    assert "175.36 / 175.36" in text
    reported = json.loads(as_json(result(side(100))))
    assert len(reported["pairs"]) == 8
    assert reported["pairs"][0]["bare"]["total"] == pytest.approx([0.17, 0.17], rel=1e-3)
    assert reported["pairs"][-1]["without_stages"]["rate"] == 10.0
    assert reported["outcomes"]["counted"]["throttled"] == 5
    assert all(target["met"] for target in reported["targets"])


def windows(*asks: int) -> Side:
    """Windows of 1 s, whose times do not matter."""
    made = Side()
    for number in asks:
        made.add(1.0, number, {})
    return made


@pytest.mark.parametrize(
    ("tool", "other", "verdict"),
    [
        ((96, 96, 96, 96), (100, 100, 100, 100), "MISSED"),
        ((90, 98, 91, 97), (100, 99, 98, 101), "open"),
        ((90, 98, 91, 97), (120, 121, 122, 123), "MISSED"),
        ((97, 97, 97, 97), (100, 100, 100, 100), "met"),
        ((1, 200, 1, 200), (100, 100, 100, 100), "met"),
        ((96,), (100,), "MISSED"),
    ],
)
def test_a_rate_that_scatters_more_than_it_falls_short_is_open(
    tool: tuple[int, ...], other: tuple[int, ...], verdict: str
) -> None:
    pair = SidePair(STAGES, Mode.SYNC, 8, windows(*tool), windows(*other), None)
    assert find_targets(Result((pair,), Outcomes({}, {})))[0].verdict == verdict


def test_rates_scatter_by_students_interval_of_their_paired_ratios() -> None:
    """By hand: log 0.9 and log 1 scatter by 0.0745 about their mean; t of one degree of freedom is 12.706."""
    by_hand = math.expm1(12.706 * 0.0745 / math.sqrt(2))
    assert scatter_of_rates([90, 100], [100, 100]) == pytest.approx(by_hand, rel=1e-3)
    assert scatter_of_rates([90, 100, 7], [90, 100]) == 0.0
    assert scatter_of_rates([90, 0], [100, 100]) == 0.0


def test_a_percentile_scatters_by_the_order_statistics_about_it() -> None:
    """Of 1 to 100 ms, ranks 50 +- 9.8 stand for the median: half the interval is 10 ms, and of two samples 14 ms."""
    even = make_histogram({1_000 * number: 1 for number in range(1, 101)})
    same = make_histogram({50_000: 100})
    assert scatter_of_times(even, same, 50) == pytest.approx(0.010, rel=0.05)
    assert scatter_of_times(even, even, 50) == pytest.approx(0.0141, rel=0.05)
    assert scatter_of_times(even, same, 99) == pytest.approx(0.0015, abs=0.0006), "as far as the sample reaches"
    assert scatter_of_times(same, make_histogram({}), 50) == 0.0


def test_a_time_that_is_off_by_less_than_it_scatters_is_open() -> None:
    wide = {"first_token": {40_000 + 400 * number: 1 for number in range(100)}}
    off = {"first_token": {value + 5_000: 1 for value in wide["first_token"]}}
    tool, other = (
        {name: make_histogram(result).encode().decode() for name, result in times.items()} for times in (off, wide)
    )
    pair = SidePair(BARE, Mode.SYNC, 1, Side(), Side(), None)
    pair.tool.add(10.0, 100, tool)
    pair.other.add(10.0, 100, other)
    judged = find_targets(Result((pair,), Outcomes({}, {})))
    assert [one.verdict for one in judged[:2]] == ["open", "MISSED"]


def test_windows_in_which_no_ask_ended_miss_their_targets() -> None:
    targets = find_targets(result(Side()))
    assert not any(target.met for target in targets[:-4])
    without = [SidePair(BARE, mode, 8, side(100), Side(), 0.0002) for mode in Mode]
    judged = find_targets(Result(tuple(without), result(side(100)).outcomes))
    assert not any(target.met for target in judged[:-4]), "nothing to compare with"
    out = io.StringIO()
    show(result(Side()), out)
    assert "nan ms" in out.getvalue()
    reported = json.loads(as_json(result(Side())))
    assert (reported["pairs"][0]["tool"]["rate"], reported["pairs"][0]["tool"]["total"]) == (0.0, [None, None])


def test_questions_before_the_load_are_no_asks() -> None:
    drive = make_plan(1.0)[-1]
    assert drive.subject == OUTCOMES
    planned = [plan_chat(drive.behaviour, number).error or "ok" for number in range(200)]
    counts: Any = SimpleNamespace(outcomes=dict(Counter(planned) + Counter({"disconnected": 1})))
    counted = _counted(drive, counts)
    after = Counter(planned[2:])
    assert counted[Outcome.OK] == after["ok"]
    assert counted[Outcome.THROTTLED] == after["429"] > 0
    assert counted[Outcome.UNAVAILABLE] == after["503"] > 0
    assert counted[Outcome.FAILED] == after["broken"] > 0
    assert counted[Outcome.REJECTED] == 1, "what the tool has no name for is in no outcome of its own"


def test_the_rag_path_and_the_a_a_test_are_two_subjects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "--rag", "--aa"])
    assert ended.value.code == 2
    assert "not allowed with argument --rag" in capsys.readouterr().err
    assert main(["calibrate", "--rag", "--runs", "2"]) == 2
    assert "--runs is for the A/A test" in capsys.readouterr().err
