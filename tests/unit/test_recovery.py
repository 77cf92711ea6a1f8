"""The figures of a recovery, from answers whose times are known."""

from loadgen.measure.outcome_course import OutcomeCourse, sum_courses
from loadgen.measure.sample import Outcome
from loadgen.results.recovery import Recovery, find_recovery


def course_of(*parts: tuple[float, float, int], failures: tuple[float, float, int] = (0, 0, 0)) -> OutcomeCourse:
    """Answers in pieces of 0.1 s: from, to, and how many in each piece; failures likewise."""
    result = OutcomeCourse(0.1)
    for outcome, some in ((Outcome.OK, parts), (Outcome.UNAVAILABLE, (failures,))):
        for begin, end, number in some:
            for place in range(round(begin * 10), round(end * 10)):
                result.add(outcome, place / 10 + 0.05, number)
    return result


def test_an_outage_ends_with_the_first_answer_and_the_throughput_is_back_at_once() -> None:
    course = course_of((0, 5, 10), (9, 20, 10), failures=(5, 9, 3))
    recovery = find_recovery(course, 5.0, 5.0, 20.0)
    assert recovery == Recovery(100.0, 4.1, 4.1, {"unavailable": 120})


def test_a_slow_recovery_is_later_than_the_first_answer() -> None:
    course = course_of((0, 5, 10), (7, 10, 5), (10, 20, 10))
    recovery = find_recovery(course, 5.0, 5.0, 20.0)
    assert recovery.first_success == 2.1
    assert recovery.recovery == 4.9, "from 9.9 on, 95 of 100 are answered in a second"


def test_lower_throughput_without_an_outage_has_a_recovery_only() -> None:
    recovery = find_recovery(course_of((0, 5, 10), (5, 8, 4), (8, 20, 10)), 5.0, 5.0, 20.0)
    assert (recovery.first_success, recovery.recovery) == (0.0, 3.0)


def test_a_fault_without_effect_has_zeros() -> None:
    uneven = course_of(*((place, place + 1, 8 if place % 2 else 12) for place in range(20)))
    recovery = find_recovery(uneven, 6.0, 6.0, 20.0)
    assert (recovery.first_success, recovery.recovery) == (0.0, 0.0), "as low a second was seen before"


def test_a_slow_second_before_the_fault_does_not_excuse_a_slow_minute_after_it() -> None:
    course = course_of((0, 6, 10), (7, 10, 10), (10, 15, 0), (15, 75, 5), (75, 90, 10))
    recovery = find_recovery(course, 10.0, 10.0, 90.0)
    assert recovery.throughput_before == 90.0
    assert (recovery.first_success, recovery.recovery) == (5.1, 64.8), "from 74.8 on, 90 in a second, and 86 are enough"
    slower = find_recovery(course_of((0, 6, 10), (7, 10, 10), (10, 90, 5)), 10.0, 10.0, 90.0)
    assert slower.recovery is None
    as_before = find_recovery(course_of((0, 6, 10), (7, 10, 10), (10, 40, 10), (41, 90, 10)), 10.0, 10.0, 90.0)
    assert (as_before.first_success, as_before.recovery) == (0.0, 0.0)


def test_what_does_not_come_back_has_no_time() -> None:
    recovery = find_recovery(course_of((0, 5, 10)), 5.0, 5.0, 20.0)
    assert (recovery.first_success, recovery.recovery) == (None, None)
    half = find_recovery(course_of((0, 5, 10), (6, 20, 5)), 5.0, 5.0, 20.0)
    assert (half.first_success, half.recovery) == (1.1, None)


def test_pauses_that_are_usual_for_a_low_rate_are_no_outage() -> None:
    rare = OutcomeCourse(0.1)
    for second in range(20):
        rare.add(Outcome.OK, second + 0.35)
    assert find_recovery(rare, 5.0, 5.0, 20.0).first_success == 0.0


def test_a_second_fault_is_held_against_the_throughput_before_the_first() -> None:
    course = course_of((0, 5, 10), (6, 10, 5), (12, 20, 10))
    recovery = find_recovery(course, 5.0, 10.0, 20.0)
    assert (recovery.throughput_before, recovery.recovery) == (100.0, 2.1)
    assert find_recovery(course, 5.0, 5.0, 10.0).recovery is None


def test_nothing_before_the_fault_is_no_figure() -> None:
    assert find_recovery(course_of((6, 9, 1)), 5.0, 5.0, 9.0) == Recovery(None, None, None, {})


def test_operations_and_processes_add_up() -> None:
    one, other = course_of((0, 1, 2)), course_of((0, 2, 1), failures=(1, 2, 4))
    total = sum_courses({"search": one, "insert": OutcomeCourse.from_message(other.as_message())}, 0.1)
    assert total.answered(20) == [3] * 10 + [1] * 10
    assert total.failed(20) == [0] * 10 + [4] * 10
