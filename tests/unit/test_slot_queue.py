"""A place in flight for each arrival, or a wait that ends."""

import pytest

from loadgen.users.slot_queue import Arrival, Drop, SlotQueue, TaskChoice

LOT = TaskChoice(0, print)


def arrival(due: float) -> Arrival:
    return Arrival(due, LOT)


def places(number: int, max_wait: float = 1.0) -> tuple[SlotQueue[str], list[Drop]]:
    reported: list[Drop] = []
    made: SlotQueue[str] = SlotQueue(max_wait, reported.append)
    made.fill("abcdef"[:number])
    return made, reported


def test_the_place_that_was_free_last_is_taken_first() -> None:
    made, reported = places(2)
    assert [made.arrive(arrival(0.0), 0.0), made.arrive(arrival(0.1), 0.1)] == ["b", "a"]
    assert made.taken == 2
    assert made.release("b", 0.2) is None
    assert made.arrive(arrival(0.3), 0.3) == "b"
    assert reported == []


def test_arrivals_wait_in_their_order_and_take_the_place_that_is_freed() -> None:
    made, reported = places(1)
    assert made.arrive(arrival(0.0), 0.0) == "a"
    assert made.arrive(arrival(0.1), 0.1) is None
    assert made.arrive(arrival(0.2), 0.2) is None
    assert made.release("a", 0.5) == arrival(0.1)
    assert made.release("a", 0.6) == arrival(0.2)
    assert made.release("a", 0.7) is None
    assert (made.taken, reported) == (0, [])


def test_who_has_waited_too_long_is_dropped_at_that_moment_and_who_came_later_is_not() -> None:
    made, reported = places(1, max_wait=0.5)
    made.arrive(arrival(0.0), 0.0)
    made.arrive(arrival(1.0), 1.0)
    made.arrive(arrival(1.4), 1.4)
    assert reported == []
    assert made.release("a", 1.6) == arrival(1.4)
    assert reported == [Drop((1.0,), 1.5)]


def test_without_a_wait_an_arrival_is_dropped_at_once() -> None:
    made, reported = places(1, max_wait=0.0)
    made.arrive(arrival(0.0), 0.0)
    made.arrive(arrival(1.0), 1.0001)
    assert reported == [Drop((1.0,), 1.0)]


@pytest.mark.parametrize("waiting", [0, 3])
def test_all_who_wait_are_given_up_together_at_the_end(waiting: int) -> None:
    made, reported = places(1)
    for number in range(waiting + 1):
        made.arrive(arrival(number / 10), number / 10)
    made.clear(0.5)
    assert reported == ([Drop((0.1, 0.2, 0.3), 0.5)] if waiting else [])
    assert made.release("a", 0.6) is None
