"""What makes an operation good: it was answered, and meets conditions on its times, such as `first_token < 500 ms`."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.operation import NAME, Operation
from loadgen.measure.sample import Outcome, Sample
from loadgen.settings.faults import Fault, SettingsError

RESPONSE, SERVICE = WHOLE = ("response", "service")
"""Times that every operation has: from when it was due, and from when it started."""
TIME_UNITS = {"us": 1_000_000, "ms": 1_000, "s": 1}
"""Units per second."""
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OF_MANY = ("mean", "p50", "p90", "p95", "p99", "p99.9", "p99_9", "max")
EXAMPLE = 'Write for example "first_token < 500 ms, response < 3 s".'
FORM = re.compile(r"(?P<what>[^<>=]*?)\s*(?P<relation><=|>=|<|>)(?!=)\s*(?P<limit>.*)")
LIMIT = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>\S*)")


@dataclass(frozen=True, slots=True)
class Condition:
    """A limit on one time of each operation."""

    text: str
    operation: str
    """Empty: every operation that has the part."""
    part: str
    """`response`, `service` or a stage."""
    relation: str
    limit: float
    """Seconds."""

    @property
    def is_upper(self) -> bool:
        """True if less is better."""
        return self.relation.startswith("<")

    def applies(self, operation: str, stages: Iterable[str]) -> bool:
        """Whether an operation with these stages must meet it."""
        return self.operation == operation if self.operation else self.part in WHOLE or self.part in stages

    def find_met(self, samples: Sequence[Sample]) -> NDArray[np.bool_]:
        """Which of some samples meet it. One without the stage does not; of a repeated stage, every time must."""
        met: NDArray[np.bool_] = RELATIONS[self.relation](self._read(samples), self.limit)
        return met

    def _read(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        if self.part in WHOLE:
            finished = np.array([sample.finished for sample in samples])
            is_service = self.part == SERVICE
            begun = np.array([sample.started if is_service else sample.scheduled for sample in samples])
            took: NDArray[np.float64] = finished - begun
            return took
        result = [sample.stages.get(self.part, ()) for sample in samples]
        worst: Callable[..., float] = max if self.is_upper else min
        return np.array([worst(one, default=np.nan) if isinstance(one, tuple) else one for one in result])


@dataclass(frozen=True, slots=True)
class Objective:
    """The conditions of each operation of a run."""

    by_operation: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)
    """Of the declared operations."""
    usual: tuple[Condition, ...] = ()
    """Of all others: those on the whole time of any operation."""

    def __bool__(self) -> bool:
        """False if nothing is judged."""
        return bool(self.by_operation or self.usual)

    def of(self, operation: str) -> tuple[Condition, ...]:
        """What an operation must meet to be good; empty if it is not judged."""
        return self.by_operation.get(operation, self.usual)


NO_OBJECTIVE = Objective()


def make_objective(conditions: Sequence[Condition], operations: Iterable[Operation]) -> Objective:
    """The objective of a run with these operations; of equal names, the stages of all count."""
    if not conditions:
        return NO_OBJECTIVE
    stages: dict[str, set[str]] = {}
    for one in operations:
        stages.setdefault(one.name, set()).update(one.all_stages)
    return Objective(
        {name: tuple(one for one in conditions if one.applies(name, own)) for name, own in stages.items()},
        tuple(one for one in conditions if one.applies("", ())),
    )


def judge(samples: Sequence[Sample], conditions: Iterable[Condition]) -> NDArray[np.bool_]:
    """Which of some operations are good: answered, neither empty nor failed, with all conditions met."""
    good = np.array([sample.outcome is Outcome.OK for sample in samples], dtype=np.bool_)
    for one in conditions:
        good &= one.find_met(samples)
    return good


def parse_objective(text: str) -> tuple[Condition, ...]:
    """Read `[operation] <response, service or stage> <relation> <number> <unit>`, several joined by commas.

    Raises SettingsError with a fault for each condition that cannot be read.
    """
    objective, faults = read_conditions(text)
    if faults:
        raise SettingsError(faults)
    return objective


def read_conditions(text: str) -> tuple[tuple[Condition, ...], list[Fault]]:
    """The conditions that can be read, and a fault for each other one."""
    conditions: list[Condition] = []
    faults: list[Fault] = []
    for part in text.split(",") if text.strip() else ():
        try:
            conditions.append(_parse_condition(part.strip()))
        except SettingsError as error:
            faults += error.faults
    return tuple(conditions), faults


def _parse_condition(text: str) -> Condition:
    form = FORM.fullmatch(text)
    if form is None:
        _refuse(text, "has no comparison: <, <=, > or >=" if text else "is empty: a comma has no condition beside it")
    words = form["what"].split()
    if words and words[-1] in OF_MANY:
        without = " ".join(words[:-1]) or RESPONSE
        hint = f'Write "{without} {form["relation"]} {form["limit"]}".'
        _refuse(text, f"is on {words[-1]}, a figure of many operations, and an objective judges each by itself", hint)
    if len(words) not in (1, 2):
        _refuse(text, "does not start with response, service or a stage, with or without an operation before it")
    for word in words:
        if not NAME.fullmatch(word):
            _refuse(text, f"names '{word}', which is no name of an operation or a stage")
    limit = LIMIT.fullmatch(form["limit"])
    if limit is None:
        _refuse(text, f"has no valid limit (a number with its unit): '{form['limit']}'")
    unit = limit["unit"].lower().replace("µ", "u").replace("μ", "u")
    if unit not in TIME_UNITS:
        _refuse(text, f"{'has a limit without' if not unit else repr(unit) + ' is no'} unit of time: use us, ms or s")
    seconds = float(limit["number"]) / TIME_UNITS[unit]
    if not np.isfinite(seconds):
        _refuse(text, "has an infinite limit")
    if not seconds and form["relation"].startswith("<"):
        _refuse(text, "has a limit of 0, which no operation meets")
    operation, part = words if len(words) > 1 else ("", words[0])
    return Condition(text, operation, part, form["relation"], seconds)


def _refuse(text: str, problem: str, hint: str = EXAMPLE) -> NoReturn:
    raise SettingsError([Fault("objective", f'"{text}"', problem, hint)])
