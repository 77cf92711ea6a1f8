"""How the answers of an operation are spread over a phase whose length is not planned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from loadgen.measure.slices import Floats

PIECES_AT_MOST = 240
"""With more, two neighbours become one: at least half as many are left, however long the phase lasts."""


@dataclass(slots=True)
class Course:
    """Answered operations in consecutive pieces of equal length, from the start of the phase on."""

    seconds: float = 1.0
    """Length of a piece; doubled whenever there would be too many."""
    answered: list[int] = field(default_factory=list)

    def add(self, moments: Floats) -> None:
        """Count operations by the seconds from the start of the phase to their end."""
        while moments.max() >= PIECES_AT_MOST * self.seconds:
            self.widen()
        places = np.maximum(moments / self.seconds, 0.0).astype(np.int64)
        self._add_counts(np.bincount(places).tolist())

    def merge(self, other: Self) -> None:
        """Add the counts of another process, or of another part of this one."""
        counts = type(self)(other.seconds, list(other.answered))
        while self.seconds < counts.seconds:
            self.widen()
        while counts.seconds < self.seconds:
            counts.widen()
        self._add_counts(counts.answered)

    def complete(self, seconds: float) -> Self:
        """The pieces that had ended when the phase had lasted so long, also those in which nothing was answered."""
        result = type(self)(self.seconds, list(self.answered))
        while seconds >= (PIECES_AT_MOST + 1) * result.seconds:
            result.widen()
        number = math.floor(seconds / result.seconds)
        result.answered = [*result.answered, *[0] * (number - len(result.answered))][:number]
        return result

    def widen(self) -> None:
        """Make one piece of each two."""
        self.seconds *= 2
        self.answered = [sum(self.answered[at : at + 2]) for at in range(0, len(self.answered), 2)]

    def _add_counts(self, counts: list[int]) -> None:
        self.answered += [0] * (len(counts) - len(self.answered))
        for place, count in enumerate(counts):
            self.answered[place] += count

    def as_message(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {"seconds": self.seconds, "answered": self.answered}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        return cls(message["seconds"], list(message["answered"]))
