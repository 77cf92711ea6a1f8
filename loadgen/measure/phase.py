"""One measured window of a run, and the plan of all windows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, TypeVar

from loadgen.measure.rate_curve import Points, RateCurve
from loadgen.measure.sample import Mode
from loadgen.text.listing import count_of

L = TypeVar("L", int, float)
Curves = tuple[tuple[str, Points], ...]
"""For each operation (empty: any) points of its rate; seconds since the measured part began."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One variant, one operation mix, one concurrency or one rate of arrivals.

    A timed phase counts for `seconds` after `warmup_seconds` of the same load. A burst has `operations` instead: it is
    over when that many operations of one kind are answered, at most `concurrency` of them in flight.
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
    model: str = "closed"
    """`closed`, or `constant` or `poisson` for arrivals at `rate`, with a concurrency of 0."""
    rate: float = 0.0
    """Arrivals per second over all processes; 0 in the closed model."""

    curves: Curves = ()
    """Rates by operation or over time, whose mean over the measured part is `rate`; empty: `rate` at all times."""

    started_at: float = 0.0
    """Unix time at which its measured part begins, by the clock of the coordinator; 0 in a plan."""

    attempt: int = 0
    """Number of earlier attempts: a phase that loses workers is repeated once replacements are present."""

    workers: int = 0
    """Number of processes that take part, of those that are present; 0: all of them."""

    variant: str = ""
    """Name of what is compared; defaults to the mode."""
    is_drill: bool = False
    """Faults happen in it."""

    note: str = ""
    """What is known before it, for log and page; empty for most."""

    def __post_init__(self) -> None:
        if not self.variant:
            object.__setattr__(self, "variant", self.mode.value)

    @property
    def is_open(self) -> bool:
        """True where operations start on schedule, whatever the earlier ones do."""
        return self.rate > 0

    @property
    def level(self) -> float:
        """The load level, which the phases of all variants share: the rate, or the concurrency."""
        return self.rate or self.concurrency

    @property
    def users(self) -> int:
        """Users that Locust spawns for it: a burst is run by one, arrivals by none."""
        return 1 if self.operations else self.concurrency

    @property
    def label(self) -> str:
        """Description of the phase in log lines."""
        if self.operations:
            return f"{self.operation} x {self.operations}, {self.style}, {self.concurrency} in flight"
        on = f" on {count_of(self.workers, 'worker')}" if self.workers else ""
        if self.is_open:
            note = f" ({self.note})" if self.note else ""
            return f"{self.variant}, {self.rate:g}/s {self.model}{on}{note}"
        return f"{self.variant}, {count_of(self.concurrency, 'user')}{on}"

    def starting(self, now: float) -> Self:
        """The same phase, whose warm-up begins at this Unix time."""
        return replace(self, started_at=now + self.warmup_seconds)

    def as_message(self) -> dict[str, Any]:
        """Plain values for Locust's message between master and workers."""
        return asdict(self) | {"mode": str(self.mode)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`; ignores unknown keys."""
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in message.items() if key in known}
        curves = tuple(
            (name, tuple((float(at), float(rate)) for at, rate in points)) for name, points in values.get("curves", ())
        )
        return cls(**(values | {"mode": Mode(values["mode"]), "curves": curves}))


Compared = tuple[str, Mode]
"""Name and mode of a variant."""


def timed_phases(
    variants: Sequence[Compared], concurrency: tuple[int, ...], rounds: int, length: tuple[float, float]
) -> tuple[Phase, ...]:
    """The phases of a comparison: `rounds` at each concurrency; `length` is (seconds, warm-up).

    A round runs the variants forward and back (A B C C B A): steady drift of the machine or the
    server then affects all of them equally.
    """
    seconds, warmup_seconds = length
    ordered = _order(variants, concurrency, rounds)
    return tuple(
        Phase(number, mode, users, seconds, warmup_seconds, variant=name)
        for number, (users, (name, mode)) in enumerate(ordered)
    )


def open_phases(
    variants: Sequence[Compared],
    arrivals: tuple[str, tuple[float, ...]],
    rounds: int,
    length: tuple[float, float],
    curves: Curves = (),
) -> tuple[Phase, ...]:
    """The same plan for the open model; `arrivals` is (model, rates)."""
    model, rates = arrivals
    seconds, warmup_seconds = length
    return tuple(
        Phase(number, mode, 0, seconds, warmup_seconds, model=model, rate=rate, curves=curves, variant=name)
        for number, (rate, (name, mode)) in enumerate(_order(variants, rates, rounds))
    )


def scaled_phases(
    make_phases: Callable[[tuple[L, ...]], tuple[Phase, ...]], levels: tuple[L, ...], workers: tuple[int, ...]
) -> tuple[Phase, ...]:
    """The phases at these load levels; with numbers of `workers`, the one level for each number.

    The load of a worker is then the same in all phases (weak scaling).
    """
    if not workers:
        return make_phases(levels)
    (level,) = levels
    phases = make_phases(tuple(level * number for number in workers))
    return tuple(_scale(phase, round(phase.level / level)) for phase in phases)


def _scale(phase: Phase, workers: int) -> Phase:
    """The phase of this many workers, each with its curves."""
    curves = tuple((name, RateCurve(points).scaled(workers).points) for name, points in phase.curves)
    return replace(phase, workers=workers, curves=curves)


def _order(variants: Sequence[Compared], levels: tuple[L, ...], rounds: int) -> list[tuple[L, Compared]]:
    return [(level, one) for level in levels for _ in range(rounds) for one in (*variants, *variants[::-1])]


THREADS_AT_MOST = 64
"""Maximum sync operations that a burst keeps in flight, each on its thread."""


def burst_phases(operations: Iterable[str], styles: tuple[str, ...], counts: tuple[int, ...]) -> tuple[Phase, ...]:
    """The tutorial's table: one operation after the other, every style at every count."""
    phases: list[Phase] = []
    for operation in operations:
        for count in counts:
            for style in styles:
                flight = {"sync": 1, "threads": min(count, THREADS_AT_MOST), "async": count}[style]
                mode = Mode.ASYNC if style == "async" else Mode.SYNC
                phases.append(Phase(len(phases), mode, flight, style=style, operation=operation, operations=count))
    return tuple(phases)
