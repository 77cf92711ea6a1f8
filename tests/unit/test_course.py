"""When answers arrived in a phase of unknown length: counted by process, merged, and kept in the record."""

import numpy as np
import pytest

from loadgen.measure.course import PIECES_AT_MOST, Course
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.window import Window
from loadgen.results.phase_result import finalise


def counted(*moments: float) -> Course:
    course = Course()
    course.add(np.array(moments))
    return course


def test_answers_are_counted_by_the_second_in_which_they_ended() -> None:
    course = counted(0.0, 0.9, 3.5)
    course.add(np.array([1.0, 3.99]))
    assert (course.seconds, course.answered) == (1.0, [2, 1, 0, 2])
    assert course.complete(3.9).answered == [2, 1, 0]
    assert course.complete(6.0).answered == [2, 1, 0, 2, 0, 0], "nothing was answered in the end"


def test_a_long_phase_has_longer_pieces_and_loses_no_answer() -> None:
    course = counted(*np.arange(0, 100_000, 7.0))
    assert PIECES_AT_MOST / 2 <= len(course.answered) <= PIECES_AT_MOST
    assert course.seconds == 512
    assert sum(course.answered) == len(np.arange(0, 100_000, 7.0))
    silent = counted(1.0).complete(100_000)
    assert (silent.seconds, silent.answered[0], sum(silent.answered)) == (512, 1, 1)
    assert len(silent.answered) == 195


@pytest.mark.parametrize("turned", [False, True])
def test_processes_with_pieces_of_different_length_are_added_up(turned: bool) -> None:
    sides = [counted(0.5, 2.5), counted(1.5, 301.0)]
    one, other = sides[::-1] if turned else sides
    one.merge(Course.from_message(other.as_message()))
    assert one.seconds == 2
    assert one.answered[:2] == [2, 1]
    assert sum(one.answered) == 4
    assert other.answered in ([1, 0, 1], [1, *[0] * 149, 1]), "the other is unchanged"


def sample(finished: float, outcome: Outcome = Outcome.OK) -> Sample:
    return Sample("async", "search", finished - 0.01, finished - 0.01, finished, outcome, 10)


def window_of(phase: Phase, *moments: float) -> Window:
    window = Window(phase, 100.0, seconds=4.0)
    for moment in moments:
        window.add([sample(100.0 + moment)])
    window.add([sample(100.5, Outcome.FAILED)])
    return window


def test_a_run_of_one_mode_records_the_course_of_all_its_workers() -> None:
    phase = Phase(0, Mode.ASYNC, 8)
    parts = {name: Window.from_message(window_of(phase, 0.5, 3.5, 4.0).as_message()) for name in ("a", "b")}
    whole = Window(phase, 100.0, seconds=4.0)
    whole.combine(parts)
    (operation,) = finalise(whole).record.operations
    assert operation.slices is None
    assert operation.course is not None
    assert (operation.course.seconds, operation.course.answered) == (1.0, (2, 0, 0, 2))


def test_a_phase_with_a_length_has_slices_instead_and_a_burst_neither() -> None:
    (timed,) = finalise(window_of(Phase(0, Mode.ASYNC, 8, 4.0), 0.5)).record.operations
    assert timed.slices is not None
    assert (timed.course, len(timed.slices)) == (None, 8)
    burst = Phase(0, Mode.ASYNC, 8, style="async", operation="search", operations=10)
    (done,) = finalise(window_of(burst, 0.5)).record.operations
    assert (done.course, done.slices) == (None, None)
