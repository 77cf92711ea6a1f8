"""How the operations of a phase with faults end, over its time."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from loadgen.measure.sample import Outcome, Sample

PIECE_SECONDS = 0.1
PIECES_AT_MOST = 6_000
"""In a phase of more than ten minutes, pieces are longer."""
DROPPED = "dropped"
"""Arrivals that were never sent, in the place of an outcome."""


def piece_length(seconds: float) -> float:
    """Seconds of a piece of a phase of this length."""
    return max(PIECE_SECONDS, seconds / PIECES_AT_MOST)


@dataclass(slots=True)
class OutcomeCourse:
    """Operations by outcome in consecutive pieces of equal length, from the start of the measured part on."""

    seconds: float
    """Length of a piece."""
    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, outcome: str, moment: float, number: int = 1) -> None:
        """Count operations that ended at a moment (seconds from the start)."""
        pieces = self.counts.setdefault(outcome, [])
        place = max(0, math.floor(moment / self.seconds))
        if place >= len(pieces):
            pieces += [0] * (place + 1 - len(pieces))
        pieces[place] += number

    def merge(self, other: Self) -> None:
        """Add the counts of another process or operation, whose pieces are as long."""
        for outcome, numbers in other.counts.items():
            mine = self.counts.setdefault(outcome, [])
            mine += [0] * (len(numbers) - len(mine))
            for place, number in enumerate(numbers):
                mine[place] += number

    def answered(self, pieces: int) -> list[int]:
        """Usable answers in each of the first pieces."""
        return self._sum((Outcome.OK, Outcome.EMPTY), pieces)

    def failed(self, pieces: int) -> list[int]:
        """Failures and dropped arrivals in each of the first pieces."""
        return self._sum([name for name in self.counts if name not in (Outcome.OK, Outcome.EMPTY)], pieces)

    def _sum(self, outcomes: Iterable[str], pieces: int) -> list[int]:
        total = [0] * pieces
        for name in outcomes:
            for place, number in enumerate(self.counts.get(name, [])[:pieces]):
                total[place] += number
        return total

    def failures(self, begin: float, end: float) -> Counter[str]:
        """Failures by outcome between two moments, to whole pieces."""
        first, last = math.floor(begin / self.seconds), math.ceil(end / self.seconds)
        result = Counter({name: sum(numbers[first:last]) for name, numbers in self.counts.items()})
        return Counter({name: number for name, number in result.items() if number and name not in ("ok", "empty")})

    def as_message(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {"seconds": self.seconds, "counts": self.counts}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        return cls(message["seconds"], {name: list(numbers) for name, numbers in message["counts"].items()})


Courses = dict[str, OutcomeCourse]
"""By operation; of dropped arrivals the operation is unknown, and the key empty."""


def add_samples(courses: Courses, samples: Iterable[Sample], start: float, seconds: float) -> None:
    """Count the samples of a phase that began at `start` and lasts `seconds`; nested ones are part of another."""
    for one in samples:
        if not one.nested:
            course = courses.get(one.operation) or courses.setdefault(one.operation, _new_course(seconds))
            course.add(str(one.outcome), one.finished - start)


def add_dropped(courses: Courses, number: int, moment: float, seconds: float) -> None:
    """Count arrivals that were dropped at a moment of a phase that lasts `seconds`."""
    courses.setdefault("", _new_course(seconds)).add(DROPPED, moment, number)


def _new_course(seconds: float) -> OutcomeCourse:
    return OutcomeCourse(piece_length(seconds))


def courses_from_message(message: Mapping[str, Any]) -> Courses:
    """Read the courses of each operation from a report."""
    return {operation: OutcomeCourse.from_message(course) for operation, course in message.items()}


def merge_courses(courses: Courses, others: Mapping[str, OutcomeCourse]) -> None:
    """Add the counts of another process."""
    for operation, other in others.items():
        courses.setdefault(operation, OutcomeCourse(other.seconds)).merge(other)


def sum_courses(courses: Courses, seconds: float) -> OutcomeCourse:
    """All operations together."""
    total = OutcomeCourse(seconds)
    for one in courses.values():
        total.merge(one)
    return total
