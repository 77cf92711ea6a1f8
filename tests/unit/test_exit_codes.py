"""How a run ended is one exit code, and the words for it."""

import math
import signal
from typing import Any

import pytest

from loadgen.control.exit_codes import End, find_exit_code
from loadgen.control.run import Run
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.settings.model import Settings

PLAN = tuple(Phase(number, Mode.SYNC, 8, 10.0) for number in range(4))


@pytest.mark.parametrize(
    ("end", "code", "why"),
    [
        (End(), 0, ""),
        (End(missed=("missed: search async p99 < 50 ms",)), 1, "missed: search async p99 < 50 ms"),
        (End(missed=("missed: failures <= 1%",)), 1, "missed: failures <= 1%"),
        (End(incomplete="ended early: 1 of 4 phases"), 1, "ended early: 1 of 4 phases"),
        (End(incomplete="2 of 8 users ended before phase 1 did"), 1, "2 of 8 users ended before"),
        (End(unrecorded="the run record cannot be written to runs: No space left"), 1, "the run record cannot be"),
        (End(unmeasured="nothing was measured in phase 2"), 1, "nothing was measured"),
        (End(failures="5 operations failed"), 1, "5 operations failed"),
        (End(failures="5 operations failed", failures_code=0), 0, ""),
        (End(failures="5 operations failed", failures_code=7), 7, "5 operations failed"),
        (End(incomplete="early", failures="5 operations failed", failures_code=0), 1, "early"),
        (End(refused="no such host: milvus"), 2, "no such host: milvus"),
        (
            End(refused="no such host: milvus", unmeasured="nothing was measured", incomplete="ended early"),
            2,
            "no such host: milvus",
        ),
        (
            End(interrupted_by=signal.SIGINT, incomplete="ended early: 1 of 4 phases"),
            130,
            "ended by SIGINT: ended early",
        ),
        (End(interrupted_by=signal.SIGTERM, incomplete="ended early: 1 of 4 phases"), 143, "ended by SIGTERM: ended"),
        (End(interrupted_by=signal.SIGTERM), 143, "ended by SIGTERM: before the plan was complete"),
        (
            End(interrupted_by=signal.SIGINT, unmeasured="nothing was measured", missed=("missed: x",)),
            130,
            "ended by SIGINT",
        ),
        (End(refused="no data", interrupted_by=signal.SIGINT), 2, "no data"),
    ],
)
def test_every_end_has_its_code_and_its_words(end: End, code: int, why: str) -> None:
    result, words = find_exit_code(end)
    assert result == code
    assert words.startswith(why)
    assert bool(words) == bool(code)


def test_all_reasons_for_1_are_said() -> None:
    end = End("", 0, "ended early", "nothing was measured", "the disk is full", ("missed: a", "missed: b"))
    assert find_exit_code(end) == (1, "ended early; nothing was measured; the disk is full; missed: a; missed: b")


@pytest.mark.parametrize(
    ("given", "early", "incomplete"),
    [
        ({"plan": PLAN, "completed": 4}, "", ""),
        ({"plan": PLAN, "completed": 1}, "ended early: 1 of 4 phases", "ended early: 1 of 4 phases"),
        (
            {"plan": PLAN, "completed": 1, "broken": "no worker is left"},
            "ended early: 1 of 4 phases (no worker is left)",
            "ended early: 1 of 4 phases (no worker is left)",
        ),
        (
            {"plan": PLAN, "completed": 4, "faults": ["phase 1 lacked 1 of 4 workers"]},
            "",
            "phase 1 lacked 1 of 4 workers",
        ),
        (
            {"plan": PLAN, "completed": 3, "faults": ["phase 1 lacked 1 of 4 workers", "2 of 8 users ended"]},
            "ended early: 3 of 4 phases",
            "ended early: 3 of 4 phases; phase 1 lacked 1 of 4 workers; 2 of 8 users ended",
        ),
        ({"run_time": 60.0, "began": 100.0, "ended": 160.1}, "", ""),
        ({"run_time": 60.0, "began": 100.0, "ended": 159.6}, "", ""),
        (
            {"run_time": 60.0, "began": 100.0, "ended": 120.0},
            "ended early: 20.0 of 60 s",
            "ended early: 20.0 of 60 s",
        ),
        (
            {"run_time": 60.0, "began": 100.0, "ended": 120.0, "broken": "the server has died"},
            "ended early: 20.0 of 60 s (the server has died)",
            "ended early: 20.0 of 60 s (the server has died)",
        ),
        ({"began": 100.0, "ended": 120.0}, "", ""),
        ({"began": 100.0, "ended": 120.0, "broken": "the server has died"}, "", "the server has died"),
        ({"began": 100.0, "ended": 120.0, "faults": ["lost 1 of 2 workers"]}, "", "lost 1 of 2 workers"),
        ({"run_time": 60.0, "began": math.nan, "ended": 5.0, "broken": "no stores"}, "", "no stores"),
    ],
)
def test_a_run_says_how_much_of_it_is_missing(given: dict[str, Any], early: str, incomplete: str) -> None:
    run = Run("one", Settings(), **given)
    assert (run.early, run.incomplete) == (early, incomplete)


def test_a_fault_is_noted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    run = Run("one", Settings())
    run.fault("phase 1 lacked 1 of 4 workers")
    assert run.incomplete == "phase 1 lacked 1 of 4 workers"
    assert [record.message for record in caplog.records] == ["Phase 1 lacked 1 of 4 workers"]
