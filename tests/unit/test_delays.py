"""Known delays are due when they say, and calibrate judges by them."""

import io
import json
from itertools import pairwise

import numpy as np
import pytest

from loadgen.calibrate import SECONDS
from loadgen.calibrate.driver import Measurement
from loadgen.calibrate.plan import BASE, ORDER, RATE, SLOW, STOP_RATE, DelayProfile, make_kinds, make_plan
from loadgen.calibrate.showing import as_json, known_range, show
from loadgen.calibrate.targets import find_targets
from loadgen.cli.main import main
from loadgen.measure.sample import Mode
from loadgen.milvus.server.delaying import Kept
from loadgen.milvus.server.delays import Delays, pick


def test_a_constant_delay_is_the_same_for_all() -> None:
    delays = Delays(base=0.02)
    assert [delays.due(at, turn) - at for turn, at in enumerate((0.0, 1.5, 7.25))] == pytest.approx([0.02] * 3)
    assert delays.known(1, 50, 99.9) == pytest.approx([0.02] * 3)


def test_exactly_one_in_a_hundred_is_slow() -> None:
    delays = Delays(base=0.02, slow=0.2, one_in=100)
    slow = [turn for turn in range(1_000) if delays.due(0.0, turn) == 0.2]
    assert len(slow) == 10
    assert {later - sooner for sooner, later in pairwise(slow)} == {100}
    assert delays.known(50, 98.9, 99.1, 99.9) == pytest.approx([0.02, 0.02, 0.2, 0.2])


def test_jitter_is_exponential_and_the_same_for_the_same_seed() -> None:
    delays = Delays(base=0.02, jitter=0.005, seed=7)
    times = np.array([delays.due(0.0, turn) for turn in range(5_000)])
    assert times.min() >= 0.02
    assert times.mean() == pytest.approx(0.025, rel=0.02)
    assert np.quantile(times, 0.99) == pytest.approx(0.02 + 0.005 * np.log(100), rel=0.05)
    assert abs(np.corrcoef(times[1:], times[:-1])[0, 1]) < 0.05
    assert [Delays.from_message(delays.as_message()).due(0.0, turn) for turn in range(9)] == times[:9].tolist()
    other = np.array([Delays(base=0.02, jitter=0.005, seed=8).due(0.0, turn) for turn in range(5_000)])
    assert abs(np.corrcoef(times, other)[0, 1]) < 0.05


def test_nothing_is_answered_within_a_stop_and_all_that_came_is_answered_at_its_end() -> None:
    delays = Delays(base=0.02, stop=1.0, every=10.0)
    for at in np.arange(0, 30, 0.013):
        due = delays.due(float(at), 0)
        assert due >= at + 0.02
        assert not 4.0 <= due % 10 < 5.0 - 1e-9
        assert due == pytest.approx(at + 0.02) or due % 10 == pytest.approx(5.0)
    assert delays.known(89, 95, 99) == pytest.approx([0.02, 0.52, 0.92], abs=2e-3)


def test_percentiles_are_values_that_occur() -> None:
    values = np.arange(1.0, 1_001.0)
    assert pick(values, 0, 50, 99, 99.9, 100) == [1, 500, 990, 999, 1_000]
    assert pick(np.array([7.0]), 50, 99.9) == [7, 7]


def test_delays_go_to_the_server_whole() -> None:
    for kind in make_kinds(SECONDS):
        assert Delays.from_message(json.loads(json.dumps(kind.delays.as_message()))) == kind.delays


def test_the_plan_stops_for_one_second_in_ten_and_has_both_modes_of_each_kind() -> None:
    plan = make_plan(SECONDS)
    assert [(drive.driver, drive.rate) for drive in plan] == [
        ("paced", RATE), ("open", RATE), ("bare", 0), ("closed", 0), ("closed", 0), ("open", STOP_RATE),
    ]  # fmt: skip
    stops = [drive for drive in plan if any(kind.name == "stop" for kind in drive.kinds)]
    assert [drive.driver for drive in stops] == ["closed", "open"]
    assert len({(drive.driver, drive.rate, drive.seconds) for drive in plan}) == len(plan), "records lie apart"
    for drive in stops:
        assert {kind.delays for kind in drive.kinds} == {Delays(base=BASE, stop=1.0, every=10.0)}
        assert drive.seconds == 10.0
    for drive in plan:
        pairs = set(zip((kind.name for kind in drive.kinds), drive.modes, strict=True))
        assert pairs == {(kind.name, mode) for kind in drive.kinds for mode in Mode}


def measured(driver: str, kind: DelayProfile, mode: Mode, extra: float = 0.0, late: float = 0.0002) -> Measurement:
    """A phase whose times are the known ones and 1.5 ms, and `extra` seconds."""
    times = [seconds + 0.0015 + extra for seconds in kind.delays.known(50, 95, 99, 99.9)]
    four = (times[0], times[1], times[2], times[3])
    kept = Kept(600, (0.02, 0.02, 0.02, 0.02), (late,) * 4)
    return Measurement(driver, kind, mode, 600, 180.0 / (1 + 20 * extra), four, four, 0, kept)


def everything(extra: float = 0.0) -> list[Measurement]:
    """All phases of the plan; the tool's are longer than the bare loops' by `extra` seconds."""
    return [
        measured(drive.driver, kind, mode, 0.0 if drive.driver in ("bare", "paced") else extra)
        for drive in make_plan(SECONDS)
        for kind, mode in zip(drive.kinds, drive.modes, strict=True)
    ]


def test_a_tool_that_reports_what_is_known_meets_all_targets() -> None:
    targets = find_targets(everything())
    assert len(targets) == 1 + 4 + 2 + 4 + 2
    assert [target for target in targets if not target.met] == []
    assert targets[1].wanted == "21.50 ms, within 1.00"
    waiting = next(target for target in targets if "sync: response time p99" in target.name)
    assert waiting.wanted.startswith("920 ms, within 5%")
    assert waiting.late == 0.0002


@pytest.mark.parametrize(("extra", "missed"), [(0.0009, 0), (0.0011, 4), (0.01, 6), (0.03, 8), (-0.002, 5)])
def test_a_tool_that_is_off_misses_those_that_it_is_too_far_from(extra: float, missed: int) -> None:
    """4 service times against the bare loops, 2 throughputs, then p95 of the stop in both modes."""
    assert sum(not target.met for target in find_targets(everything(extra))) == missed


def test_a_jump_at_a_percentile_is_known_to_both_sides_of_it() -> None:
    constant, two_point, *_ = make_kinds(SECONDS)
    assert known_range(measured("open", two_point, ORDER[0]), 99.0) == pytest.approx((BASE, SLOW))
    assert known_range(measured("open", two_point, ORDER[0]), 50.0) == pytest.approx((BASE, BASE))
    assert known_range(measured("open", constant, ORDER[0]), 99.0) == pytest.approx((BASE, BASE))


def test_the_tables_and_the_json_tell_every_phase_and_target() -> None:
    out = io.StringIO()
    show(everything(0.01), out)
    text = out.getvalue()
    assert "20 / 20-200 / 200" in text
    assert "31.50 / 31.50 / 31.50" in text
    assert text.count("MISSED") == 6
    assert text.count("see kept") == 4
    assert "1 to 2 ms" in text
    reported = json.loads(as_json(everything()))
    assert len(reported["phases"]) == 4 + 8 + 4 + 8 + 4 + 4
    assert reported["phases"][0]["service"][0] == pytest.approx(0.0215)
    assert reported["phases"][0]["known"] == pytest.approx([0.02] * 4)
    assert all(target["met"] for target in reported["targets"])


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "some", "601"])
def test_a_length_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "--seconds", seconds])
    assert ended.value.code == 2
    assert "give seconds above 0, 600 at most" in capsys.readouterr().err
