"""How a phase recovers from a fault: figures from its answers in pieces of 0.1 s.

*First success*: the end of the longest time without an answer from the fault on. A time that is no longer than the
longest one before the first fault, by more than a piece, is no outage; then the figure is 0: answers never stopped.
*Recovery*: when the throughput over one second first reaches 95 % of the throughput before the first fault, after the
lowest second from the fault on. It never fell, and the figure is 0, if that second is not below both 95 % and the
lowest one before the first fault, and no stretch below 95 % is longer, by more than a second, than twice the longest
one before the fault: one slow second before it does not excuse minutes after it. Both count from the fault to the next
fault or to the end of the phase.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loadgen.measure.outcome_course import OutcomeCourse

RECOVERED = 0.95
"""Share of the throughput before the fault."""
SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from a fault; None: not before the next fault or the end of the phase."""

    throughput_before: float | None
    """Answers per second before the first fault of the phase."""
    first_success: float | None
    recovery: float | None
    failures: dict[str, int]
    """By outcome, from the fault to the next one or to the end of the phase."""


def find_recovery(course: OutcomeCourse, first: float, begin: float, end: float) -> Recovery:
    """The recovery from a fault at `begin` in a phase whose first fault was at `first`, looking until `end`."""
    piece = course.seconds
    answered = course.answered(math.floor(end / piece + piece / 2))
    before = answered[: math.floor(first / piece)]
    low = math.ceil(begin / piece - piece / 2)
    after = answered[low:]
    failures = dict(sorted(course.failures(begin, end).items()))
    rate = sum(before) / (len(before) * piece) if sum(before) else None
    if rate is None:
        return Recovery(None, None, None, failures)

    def seconds(place: int) -> float:
        return max(0.0, round((low + place) * piece - begin, 3))

    success = _find_success(before, after)
    width = max(1, round(SECOND / piece))
    place = _find_recovered(before, after, rate * piece * width, width)
    first_success = None if success is None else seconds(success) if success else 0.0
    recovery = None if place is None or first_success is None else max(first_success, seconds(place) if place else 0.0)
    return Recovery(round(rate, 3), first_success, recovery, failures)


def _find_success(before: Sequence[int], after: Sequence[int]) -> int | None:
    """How many pieces had passed when an answer ended the outage; 0 if there was none, None if it did not end."""
    length, end = _longest_gap(after)
    if length <= _longest_gap(before)[0] + 1:
        return 0
    return None if end == len(after) else end + 1


def _longest_gap(answered: Iterable[int]) -> tuple[int, int]:
    """The longest run of pieces without an answer, or of other zeros: its length, and the place after it."""
    best, run = (0, 0), 0
    for place, number in enumerate(answered):
        run = 0 if number else run + 1
        best = max(best, (run, place + 1))
    return best


def _find_recovered(before: Sequence[int], after: Sequence[int], usual: float, width: int) -> int | None:
    """The first piece of the second that reaches the threshold; 0 if no second was low, None if none reaches it."""
    totals, earlier = _sums(after, width), _sums(before, width)
    enough = RECOVERED * usual
    if not len(totals):
        return None
    lowest = totals.min()
    longest, usual_run = (_longest_gap(some >= enough)[0] for some in (totals, earlier))
    if lowest >= min(enough, earlier.min() if len(earlier) else enough) and longest <= 2 * usual_run + width:
        return 0
    last = int(np.flatnonzero(totals == lowest)[-1])
    reached = np.flatnonzero(totals[last:] >= enough)
    return last + int(reached[0]) if len(reached) else None


def _sums(counts: Sequence[int], width: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The sums of `width` consecutive pieces."""
    total = np.concatenate(([0], np.cumsum(np.asarray(counts, dtype=np.int64))))
    return total[width:] - total[:-width] if len(counts) >= width else np.zeros(0, dtype=np.int64)
