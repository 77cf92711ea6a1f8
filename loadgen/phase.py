"""One measured window of a run, and the plan of all of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from loadgen.sample import Mode


@dataclass(frozen=True, slots=True)
class Phase:
    """One mode, one operation mix, one concurrency.

    A timed phase counts for `seconds` after `warmup_seconds` of the same load. A burst has `operations` instead: it is
    over when so many operations of one kind are answered, at most `concurrency` of them in flight.
    """

    number: int
    mode: Mode
    concurrency: int
    seconds: float = 0.0
    warmup_seconds: float = 0.0
    style: str = ""
    """For a burst: `sync` (one after another), `threads` or `async` (`asyncio.gather`)."""
    operation: str = ""
    operations: int = 0
    started_at: float = 0.0
    """Unix time at which its measured part begins, by the clock of the lead; 0 in a plan."""

    @property
    def users(self) -> int:
        """Users that Locust spawns for it: a burst is run by one."""
        return 1 if self.operations else self.concurrency

    @property
    def label(self) -> str:
        """What a log line calls this phase."""
        if self.operations:
            return f"{self.operation} x {self.operations}, {self.style}, {self.concurrency} in flight"
        return f"{self.mode}, {self.concurrency} users"

    def starting(self, now: float) -> Self:
        """The same phase, whose warm-up begins at this Unix time."""
        return replace(self, started_at=now + self.warmup_seconds)

    def as_message(self) -> dict[str, Any]:
        """Plain values for Locust's message between master and workers."""
        return asdict(self) | {"mode": str(self.mode)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`; keys it does not know are left out."""
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in message.items() if key in known}
        return cls(**(values | {"mode": Mode(values["mode"])}))


def timed_phases(
    modes: tuple[Mode, ...], concurrency: tuple[int, ...], rounds: int, length: tuple[float, float]
) -> tuple[Phase, ...]:
    """The phases of a compare run: so many rounds at each concurrency; `length` is (seconds, warm-up).

    A round is sync, async, async, sync: a steady drift of the machine or the server hits both modes alike.
    """
    seconds, warmup_seconds = length
    ordered = [(users, mode) for users in concurrency for _ in range(rounds) for mode in (*modes, *modes[::-1])]
    return tuple(Phase(number, mode, users, seconds, warmup_seconds) for number, (users, mode) in enumerate(ordered))


THREADS_AT_MOST = 64
"""Sync operations that a burst keeps in flight at most, each on a thread of its own."""


def burst_phases(styles: tuple[str, ...], counts: tuple[int, ...]) -> tuple[Phase, ...]:
    """The seed's table: searches first, all on the same rows, then the inserts; every style at every count."""
    phases: list[Phase] = []
    for operation in ("search", "insert"):
        for count in counts:
            for style in styles:
                flight = {"sync": 1, "threads": min(count, THREADS_AT_MOST), "async": count}[style]
                mode = Mode.ASYNC if style == "async" else Mode.SYNC
                phases.append(Phase(len(phases), mode, flight, style=style, operation=operation, operations=count))
    return tuple(phases)
