"""The wait of the event loop for a core: read from the kernel, summed over a phase, and warned of."""

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loadgen.measure.health import Beat, Health
from loadgen.results.verdict.generator import say_crowded
from loadgen.runtime.core_wait import read_core_wait
from tests.unit.record_support import phase, record


def beat(core_wait: float, wall: float = 0.1) -> Beat:
    return Beat(1.0, 0.02, wall, 0.001, 0.001, 3, core_wait=core_wait)


def test_nanoseconds_of_the_second_figure_are_seconds(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "schedstat").write_text("900000000 2500000000 31\n")
    assert read_core_wait(77, tmp_path) == 2.5


@pytest.mark.parametrize("text", [None, "", "12", "1 many 3"])
def test_what_the_kernel_does_not_tell_is_unknown(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "77").mkdir()
    if text is not None:
        (tmp_path / "77" / "schedstat").write_text(text)
    assert math.isnan(read_core_wait(77, tmp_path))


def test_a_thread_that_shares_its_core_waits_for_it() -> None:
    thread, cores = threading.get_native_id(), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    other = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])  # inherits the one core
    try:
        before = read_core_wait(thread)
        while read_core_wait(thread) < before + 0.01:  # ends: both want all of the core
            pass
    finally:
        os.sched_setaffinity(0, cores)
        other.kill()
        other.wait()


def test_the_worst_process_decides_and_unknown_beats_do_not_count() -> None:
    health = Health()
    for process, waits in (("calm", [0.001, 0.001]), ("crowded", [0.05, math.nan, 0.03]), ("elsewhere", [math.nan])):
        for wait in waits:
            health.add(beat(wait), process)
    assert health.core_wait_ratio == pytest.approx(0.4)
    merged = Health()
    merged.merge(health.processes["crowded"].as_message(), "worker")
    assert merged.core_wait_ratio == pytest.approx(0.4)
    assert math.isnan(Health().core_wait_ratio)


def test_crowded_async_phases_are_named_and_sync_ones_are_not() -> None:
    shares = {"sync": 0.9, "async": 0.312}
    phases = [phase(mode) for mode in ("sync", "async", "async", "sync")]
    crowded = [
        one.model_copy(
            update={"generator": one.generator.model_copy(update={"core_wait_ratio": shares[one.mode.value]})}
        )
        for one in phases
    ]
    (reported,) = say_crowded(record(*crowded))
    assert "in phase 2 (31 % of the time) and phase 3 (31 % of the time)" in reported
    assert "90 %" not in reported
    assert list(say_crowded(record(*phases))) == []
