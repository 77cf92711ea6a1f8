"""The plan of a run."""

import msgpack
import pytest

from loadgen.measure.phase import Phase, burst_phases, timed_phases
from loadgen.measure.sample import Mode

BOTH_MODES = (("sync", Mode.SYNC), ("async", Mode.ASYNC))


def test_modes_follow_each_other_at_each_concurrency_and_turn_round() -> None:
    plan = timed_phases(BOTH_MODES, (1, 8), 2, (10, 2))
    order = ["sync", "async", "async", "sync"] * 2
    assert [(phase.concurrency, phase.mode.value) for phase in plan] == [(n, mode) for n in (1, 8) for mode in order]
    assert [phase.number for phase in plan] == list(range(16))
    assert {(phase.seconds, phase.warmup_seconds, phase.users == phase.concurrency) for phase in plan} == {
        (10, 2, True)
    }


def test_variants_run_forward_and_back_at_each_level() -> None:
    three = (("sync", Mode.SYNC), ("async", Mode.ASYNC), ("async connections=4", Mode.ASYNC))
    plan = timed_phases(three, (8,), 1, (10, 2))
    assert [phase.variant for phase in plan] == ["sync", "async", *["async connections=4"] * 2, "async", "sync"]
    assert plan[2].mode is Mode.ASYNC
    assert plan[2].label == "async connections=4, 8 users"
    assert Phase.from_message(plan[2].as_message()) == plan[2]


def test_the_bursts_are_the_twelve_cells_of_the_tutorial_and_a_third_style() -> None:
    plan = burst_phases(("search", "insert"), ("sync", "threads", "async"), (10, 100, 1000))
    cells = {(phase.operation, phase.style, phase.operations): phase for phase in plan}
    assert len(cells) == len(plan) == 18
    assert [phase.operation for phase in plan] == ["search"] * 9 + ["insert"] * 9
    assert {style: cells["search", style, 1000].concurrency for style in ("sync", "threads", "async")} == {
        "sync": 1, "threads": 64, "async": 1000,
    }  # fmt: skip
    assert cells["search", "threads", 10].concurrency == 10
    assert {phase.users for phase in plan} == {1}


@pytest.mark.parametrize(
    "phase",
    [
        Phase(3, Mode.ASYNC, 8, seconds=2.5, warmup_seconds=0.5),
        Phase(0, Mode.SYNC, 64, style="threads", operation="insert", operations=100),
        Phase(1, Mode.ASYNC, 0, rate=15.0, curves=(("search", ((0.0, 10.0), (5.0, 20.0))),), is_drill=True),
    ],
)
def test_a_phase_survives_the_way_to_a_worker(phase: Phase) -> None:
    message = msgpack.unpackb(msgpack.packb(phase.as_message()))
    assert Phase.from_message(message | {"from_a_newer_master": 1}) == phase
