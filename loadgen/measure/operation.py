"""Operations as data: named, timed units of work of a client or a locustfile."""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

NAMES_AT_MOST = 32
"""Maximum operation names per run: each becomes a label of several metric series and a row of every table."""
STAGES_AT_MOST = 32
"""Maximum stage names per run, over all operations."""
ITEMS_AT_MOST = 32
"""Maximum names of items, such as `tokens_out`, per run, over all operations."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class OperationNameError(ValueError):
    """The name of an operation or a stage cannot be used; the text gives the reason and a remedy."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A unit of work. Raises OperationNameError unless the name is a lower-case word of at most 40 characters."""

    name: str
    stages: tuple[str, ...] = ()
    """Declared stages, such as `embed`; others may be reported as well."""
    repeated: tuple[str, ...] = ()
    """Declared stages that may occur many times in one operation, such as `inter_token`: a histogram of every time."""
    items: tuple[str, ...] = ()
    """Declared names of what it counts besides rows, such as `tokens_out`; others may be reported as well."""
    writes: bool = False
    """It changes rows, so a run with it has the collection to itself."""
    is_checked: bool = False
    """Its answers are compared with the exact neighbours, so it has a recall."""
    is_ranked: bool = False
    """Its answers are in order of relevance and compared with expected documents, so it has a reciprocal rank."""
    checked_as: str = ""
    """The operation whose answers are checked in its place where a user declares both; empty: none."""
    takes: Literal["", "query", "nodes"] = ""
    """What the client's method takes that can be prepared before a burst; empty: it cannot be part of one."""

    def __post_init__(self) -> None:
        for what, names in (("stages", self.stages), ("items", self.items)):
            if isinstance(names, str):
                raise OperationNameError(f"the {what} of {self.name!r} are {names!r}, not a tuple of names")
        stages, items = (("stage", stage) for stage in self.all_stages), (("item", item) for item in self.items)
        for what, name in (("operation", self.name), *stages, *items):
            check_name(what, name)

    @property
    def all_stages(self) -> tuple[str, ...]:
        """Those that occur once, and the repeated ones."""
        return (*self.stages, *self.repeated)

    def __str__(self) -> str:
        """Its name."""
        return self.name


def check_name(what: str, name: object) -> str:
    """The name of an operation, a stage or an item (`what`). Raises OperationNameError if it is invalid."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise OperationNameError(
            f"{name!r:.60} is not a name of a{'n' if what[0] in 'oi' else ''} {what}: "
            "use a lower-case letter, then letters, digits and _, 40 characters at most"
        )
    return name


def find_operation(one: object, known: Mapping[str, Operation]) -> Operation:
    """The operation that a declaration refers to; `known` are those of the client. Raises OperationNameError."""
    if isinstance(one, Operation):
        if one.name in known:
            raise OperationNameError(f"{one.name!r} is an operation of the client: name it as text")
        return one
    name = check_name("operation", one)
    return known.get(name) or Operation(name)


class Names:
    """The names used in a process's run, bounded because each becomes a label. Thread-safe."""

    def __init__(self, what: str, most: int, known: Iterable[str] = ()) -> None:
        self._what = what
        self._most = most
        self._lock = threading.Lock()
        self._known = frozenset(known)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def add(self, name: str) -> str:
        """Register a name and return it. Raises OperationNameError if it is invalid or exceeds the limit."""
        if name in self._known:
            return name
        check_name(self._what, name)
        with self._lock:
            if len(self._known | {name}) > self._most:
                raise OperationNameError(
                    f"{self._what} {name!r} would be name {self._most + 1} of a run that may have {self._most}: "
                    f"use one name for one kind of {self._what}, and keep what varies, such as an id, out of it"
                )
            self._known |= {name}
        return name
