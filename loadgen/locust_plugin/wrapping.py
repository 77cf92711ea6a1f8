"""Wrapped functions, and modules with functions replaced for one other module only."""

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("loadgen")


class Instead:
    """A module or an object with some of its functions replaced, for code that gets this instead."""

    def __init__(self, original: Any, **replaced: Any) -> None:
        self._original = original
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        """Everything else is looked up in the original."""
        return getattr(self._original, name)

    def replaces(self, name: str) -> bool:
        """Whether this function is one of ours."""
        return name in self.__dict__


def and_then(original: Callable[..., Any], then: Callable[[Any], object]) -> Callable[..., Any]:
    """The function, followed by a call of `then` with its result."""

    def both(*given: Any, **named: Any) -> Any:
        result = original(*given, **named)
        then(result)
        return result

    return both


def unless(skip: Callable[[], bool], original: Callable[..., object]) -> Callable[..., None]:
    """The function, which does nothing if `skip()`."""

    def held(*given: Any, **named: Any) -> None:
        if not skip():
            original(*given, **named)

    return held


def log_instead(kind: type[Exception], original: Callable[..., object]) -> Callable[..., None]:
    """The function, whose exceptions of one type are logged in one line, if they have a text, without a traceback."""

    def caught(*given: Any, **named: Any) -> None:
        try:
            original(*given, **named)
        except kind as error:
            if str(error):
                logger.error("%s", error)  # noqa: TRY400 - without a traceback

    return caught


def only_if(check: Callable[[Any], bool], original: Callable[..., object]) -> Callable[..., None]:
    """The method, which does nothing unless `check(self)`."""

    def checked(self: Any, *given: Any, **named: Any) -> None:
        if check(self):
            original(self, *given, **named)

    return checked


def wrap_once(owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
    """Replace a method of a class by a wrapped one, unless that was done before."""
    original = getattr(owner, name)
    if not hasattr(original, "is_wrapped"):
        wrapped = wrap(original)
        wrapped.is_wrapped = True
        setattr(owner, name, wrapped)
