"""The objective of a run: which operations it applies to, and conditions that none of them can meet."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from loadgen.locust_plugin.preparation.run_plan import clients_of, modes_of, operations_of, staged_of
from loadgen.measure.objective import WHOLE, Condition, Objective, make_objective, parse_objective, read_conditions
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode
from loadgen.results.requirements import Requirement
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings

CLOSE = 0.75
"""Similarity above which a name counts as mistyped."""


class Metering(Protocol):
    """What is known about the operations of a run."""

    def expect(self, settings: Settings, operations: Mapping[Mode, Iterable[Operation]], objective: Objective) -> None:
        """Pre-register their series."""


class Judged(Protocol):
    """What judges operations."""

    objective: Objective


def expect_operations(settings: Settings, everyone: Iterable[type[Any]], metering: Metering, ledger: Judged) -> None:
    """Pre-register the series of all operations that users can perform, and have them judged from the next phase on.

    Raises SettingsError for an invalid objective.
    """
    operations = operations_of(everyone, clients_of(settings), staged_of(settings))
    every = [one for some in operations.values() for one in some]
    ledger.objective = make_objective(parse_objective(settings.objective), every)
    metering.expect(settings, operations, ledger.objective)


def find_objective_faults(
    settings: Settings, wanted: Sequence[Requirement], everyone: Collection[type[Any]] = ()
) -> list[Fault]:
    """Conditions that cannot be read, or that no operation of the run can meet; required goodput that nothing defines.

    `everyone` are the user classes, if known: without them, names cannot be checked.
    """
    conditions, faults = read_conditions(settings.objective)
    required = [one for one in wanted if one.figure == "goodput"]
    if not conditions and not faults:
        hint = 'Add for example --objective "response < 100 ms".'
        return [
            Fault("require", f'"{one.text}"', "is of the goodput, without an --objective", hint) for one in required
        ]
    operations = _find_operations(settings, everyone)
    if not operations:
        return faults
    faults += [
        Fault("objective", f'"{one.text}"', *problem)
        for one in conditions
        if (problem := _find_problem(one, operations)) is not None
    ]
    objective = make_objective(conditions, operations)
    names = sorted({one.name for one in operations})
    faults += _find_contradictions(objective, names)
    for one in required:
        if one.operation in names and not faults and not objective.of(one.operation):
            reported = f"is of the goodput of {one.operation}, which no condition of --objective is on"
            hint = f'Add for example "{one.operation} response < 1 s".'
            faults.append(Fault("require", f'"{one.text}"', reported, hint))
    return faults


def _find_operations(settings: Settings, everyone: Collection[type[Any]]) -> list[Operation]:
    """Those that the users of the run's variants declare; an invalid declaration is reported separately."""
    modes = modes_of(settings)
    try:
        result = operations_of(everyone, clients_of(settings), staged_of(settings))
    except ValueError:
        return []
    return [one for mode, some in result.items() if mode in modes for one in some]


def _find_problem(one: Condition, operations: Sequence[Operation]) -> tuple[str, str] | None:
    """The problem with a condition, and the remedy."""
    names = sorted({operation.name for operation in operations})
    if one.operation and one.operation not in names:
        hint = _correct(one, one.operation, names) or f"Use one of {', '.join(names)}."
        return f"is of {one.operation}, which no user of this run performs", hint
    own = [operation for operation in operations if one.operation in ("", operation.name)]
    stages = sorted({stage for operation in own for stage in operation.all_stages})
    known = [*WHOLE, *stages]
    if one.part in known:
        return None
    whose = f"no stage of {one.operation}" if one.operation else "a stage of no operation of this run"
    hint = _correct(one, one.part, known) or f"Use one of {', '.join(known)}."
    return f"is of {one.part}, which is {whose}", hint


def _correct(one: Condition, word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=CLOSE)
    return f'Did you mean "{one.text.replace(word, close[0], 1)}"?' if close else ""


def _find_contradictions(objective: Objective, names: Iterable[str]) -> Iterator[Fault]:
    """Conditions on one time of one operation that exclude each other, each pair once."""
    reported = set()
    for name in names:
        own = objective.of(name)
        for upper in (one for one in own if one.is_upper):
            for lower in (one for one in own if not one.is_upper and one.part == upper.part):
                touches = lower.limit == upper.limit and (lower.relation, upper.relation) == (">=", "<=")
                if lower.limit >= upper.limit and not touches and (upper, lower) not in reported:
                    reported.add((upper, lower))
                    problem = f'excludes "{lower.text}", so no {name} can be good'
                    yield Fault("objective", f'"{upper.text}"', problem, "Remove one of the two.")
