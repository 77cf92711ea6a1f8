"""Whether a look at the code of a user says for certain which operations it never performs."""

import builtins
import dis
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from loadgen.plugin.casting import OPERATIONS
from loadgen.users import LoadUser

OURS = ("loadgen", "locust")
"""Packages whose classes and functions perform nothing that a user's own code does not ask for."""
HARMLESS = OPERATIONS | {"client", "next_query", "next_nodes", "next_document", "in_flight", "phase", "number"}
"""Attributes that a task may use without leading out of what is seen here."""
WINDING = frozenset((
    "__import__", "compile", "delattr", "eval", "exec", "filter", "getattr", "globals", "locals", "map", "setattr",
    "super", "vars",
))  # fmt: skip
"""Functions of Python's own by which anything may be called."""
READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD", "IMPORT_NAME", "IMPORT_FROM")


def never_performs(kind: type[Any], operation: str) -> bool:
    """True where all the code of a user is understood and does not name the operation; False wherever that is open.

    What is called in another module, by way of a function or a task set, may perform anything.
    """
    if not issubclass(kind, LoadUser) or kind.style:
        return False
    codes = list(_own_functions(kind))
    return None not in codes and not any(_may_perform(one, kind, operation) for one in codes if one is not None)


def _own_functions(kind: type[Any]) -> Iterator[FunctionType | None]:
    """Tasks, and all that the user's own classes define; None for what is no plain function."""
    yield from (task if isinstance(task, FunctionType) else None for task in kind.tasks)
    for owner in kind.__mro__:
        if owner is not object and owner.__module__.split(".")[0] not in OURS:
            for name, part in vars(owner).items():
                if isinstance(part, FunctionType):
                    yield from () if part.__module__.split(".")[0] in OURS else (part,)
                elif callable(part) or hasattr(part, "__get__"):
                    yield from () if name in {"__dict__", "__weakref__"} else (None,)


def _may_perform(function: FunctionType, kind: type[Any], operation: str) -> bool:
    """Whether the function names the operation, or does what is not understood."""
    code = function.__code__
    return bool(code.co_freevars) or hasattr(function, "__wrapped__") or _leads_on(code, function, kind, operation)


def _leads_on(code: CodeType, function: FunctionType, kind: type[Any], operation: str) -> bool:
    for step in dis.get_instructions(code):
        name = str(step.argval)
        if step.opname not in READS:
            continue
        if name == operation or step.opname.startswith("IMPORT"):
            return True
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            if not _is_harmless(name, function):
                return True
        elif name not in HARMLESS and not isinstance(getattr(kind, name, None), FunctionType | int | float | str):
            return True
    parts = code.co_consts
    return any(isinstance(part, str) and operation in part for part in parts if part != function.__doc__) or any(
        _leads_on(part, function, kind, operation) for part in parts if isinstance(part, CodeType)
    )


def _is_harmless(name: str, function: FunctionType) -> bool:
    """A value, or a function of Python's own that calls nothing else."""
    if name in function.__globals__:
        value = function.__globals__[name]
        return not callable(value) and not isinstance(value, ModuleType)
    return name not in WINDING and hasattr(builtins, name)
