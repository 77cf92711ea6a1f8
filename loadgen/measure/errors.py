"""Describes exceptions in words, and counts them by kind: type and location. Every count is bounded."""

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

KINDS = 32
"""Maximum kinds per counter; further ones are counted together as `OTHER`."""
LONGEST_NAME = 60


def describe_error(error: BaseException) -> str:
    """The text of an exception, with its type if the text is empty or unclear without it (`KeyError: 'x'`)."""
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - third-party __str__
        text = ""
    plain = isinstance(error, RuntimeError | ValueError | OSError) and text
    return text if plain else f"{type(error).__name__}: {text}" if text else type(error).__name__


class ErrorKind(NamedTuple):
    """Exceptions of one type raised at one location."""

    name: str
    """The type: `ValueError`."""
    place: str
    """File and line: `search.py:12`; empty where unknown."""

    def __str__(self) -> str:
        """Such as: `ValueError at search.py:12`."""
        return f"{self.name} at {self.place}" if self.place else self.name


OTHER = ErrorKind("other", "")


def kind_of(error: BaseException) -> ErrorKind:
    """The type of an exception, and the innermost line of its traceback."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last is not None else ""
    return ErrorKind(_printable(type(error).__name__), _printable(place))


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:LONGEST_NAME]


class TaskErrors:
    """Exceptions that tasks raised, by variant and kind."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ErrorKind], int] = {}

    def __bool__(self) -> bool:
        """True if any was counted."""
        return bool(self._counts)

    def __iter__(self) -> Iterator[tuple[str, ErrorKind, int]]:
        """Variant, kind and number, in the order in which the kinds were first counted."""
        return ((variant, kind, number) for (variant, kind), number in list(self._counts.items()))

    @property
    def total(self) -> int:
        """Total number of exceptions."""
        return sum(number for _, _, number in self)

    def add(self, variant: str, kind: ErrorKind, number: int = 1) -> None:
        """Count exceptions of one kind."""
        key = (variant, kind)
        if key not in self._counts and len(self._counts) >= KINDS:
            key = (variant, OTHER)
        self._counts[key] = self._counts.get(key, 0) + number

    def as_message(self) -> list[list[str | int]]:
        """Plain values to send to the master; empty if nothing was counted."""
        return [[variant, kind.name, kind.place, number] for variant, kind, number in self]

    def merge(self, message: Sequence[Sequence[str | int]]) -> None:
        """Add what a worker's `as_message` reported."""
        for variant, name, place, number in message:
            self.add(str(variant), ErrorKind(str(name), str(place)), int(number))


class ErrorLog:
    """Logs the first exception of each kind with its traceback and counts the others. Not thread-safe."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._counts: dict[ErrorKind, int] = {}

    @property
    def counts(self) -> Mapping[ErrorKind, int]:
        """Occurrences of each kind, including the logged one."""
        return self._counts

    def note(self, error: BaseException, what: str) -> ErrorKind:
        """Count an exception; the first of its kind is logged after `what`, such as `Reader raised in a task`."""
        kind = kind_of(error)
        if kind not in self._counts and len(self._counts) >= KINDS:
            kind = OTHER
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] == 1:
            text = "".join(traceback.format_exception(error)) if kind is not OTHER else "(no more tracebacks are shown)"
            self._logger.error("%s; others like it are only counted\n%s", what, text)
        return kind

    def summarize(self, what: str) -> None:
        """Log the count of each kind that occurred more than once, after `what`, and reset."""
        for kind, number in self._counts.items():
            if number > 1:
                self._logger.error("%s %d times: %s", what, number, kind)
        self.clear()

    def clear(self) -> None:
        """Reset: the next error of each kind counts as the first."""
        self._counts = {}
