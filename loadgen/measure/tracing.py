"""Sampled operations: their trace context (W3C), and the slowest of each phase."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from time import time_ns
from typing import Any, Self

from loadgen.measure.sample import Outcome, Sample, Trace

KEPT = 10
"""Slowest sampled operations that a phase keeps of each operation."""
NANOSECONDS = 1e9


class Tracer:
    """Draws the operations to sample, and their ids. Threads share it: each draw is one call of C code."""

    def __init__(self, share: float, draws: Random, ids: Random) -> None:
        self._share = share
        self._draw = draws.random
        self._ids = ids

    def start(self) -> Trace | None:
        """The trace of an operation that begins now; None: it is not sampled."""
        return None if self._draw() >= self._share else self._make(f"{self._ids.randrange(1, 1 << 128):032x}")

    def nest(self, outer: Trace) -> Trace:
        """That of an operation that is part of a sampled one."""
        return self._make(outer.trace_id, outer.span_id)

    def _make(self, trace_id: str, parent_id: str = "") -> Trace:
        return Trace(trace_id, f"{self._ids.randrange(1, 1 << 64):016x}", parent_id, time_ns())


def make_tracer(share: float, seed: int, worker: int) -> Tracer | None:
    """The tracer of a process; None if nothing is to be sampled.

    The seed decides which operations are sampled. Ids are random: those of two runs must differ.
    """
    return Tracer(share, Random(f"traces {seed} {worker}"), Random()) if share else None


@dataclass(frozen=True, slots=True)
class Traced:
    """A sampled operation."""

    operation: str
    trace_id: str
    outcome: Outcome
    seconds: float
    """Response time."""
    began: float
    """When it was due, in seconds since 1970 (UTC) by the clock of its machine."""

    @classmethod
    def of(cls, sample: Sample, trace: Trace) -> Self:
        """The sampled operation with this trace."""
        began = trace.began / NANOSECONDS - (sample.started - sample.scheduled)
        return cls(sample.operation, trace.trace_id, sample.outcome, sample.response_seconds, began)


class Traces:
    """The sampled operations of a phase: their number, and the slowest of each kind."""

    def __init__(self) -> None:
        self.sampled = 0
        self._slowest: dict[str, list[Traced]] = {}

    @property
    def slowest(self) -> list[Traced]:
        """By operation, the slowest first."""
        return [one for name in sorted(self._slowest) for one in self._slowest[name]]

    def add_all(self, samples: Iterable[Sample]) -> None:
        """Count those that were sampled; nested ones are part of another's trace."""
        for sample in samples:
            if sample.trace is not None and not sample.nested:
                self.sampled += 1
                self._keep(Traced.of(sample, sample.trace))

    def merge(self, other: "Traces") -> None:
        """Add those of another process."""
        self.sampled += other.sampled
        for one in other.slowest:
            self._keep(one)

    def _keep(self, one: Traced) -> None:
        kept = self._slowest.setdefault(one.operation, [])
        if len(kept) < KEPT or one.seconds > kept[-1].seconds:
            kept.append(one)
            kept.sort(key=lambda kept_one: (-kept_one.seconds, kept_one.trace_id))
            del kept[KEPT:]

    def as_message(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return {
            "sampled": self.sampled,
            "slowest": [asdict(one) | {"outcome": str(one.outcome)} for one in self.slowest],
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        made = cls()
        made.sampled = int(message["sampled"])
        for one in message["slowest"]:
            made._keep(Traced(**one | {"outcome": Outcome(one["outcome"])}))
        return made
