"""Our flags must be given in full: an abbreviation may be a mistyped flag, or one of the next release."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

UNKNOWN = "unrecognized arguments: "
RUN = "loadgen run "
"""How the first argument of a process begins that `loadgen run NAME` has become."""
AMBIGUOUS = re.compile(r"(?<=ambiguous option: )(-[\w-]*)=.*(?= could match )", re.DOTALL)


def take_whole_flags_only(parser: Any, ours: Collection[str]) -> None:
    """Make an argparse parser reject abbreviations of our flags, by their names; those of others still work.

    Errors do not show the values: one of them might be a token.
    """
    find, refuse = parser._get_option_tuples, parser.error  # noqa: SLF001 - `allow_abbrev` is for all flags or none

    def find_whole(text: str) -> list[Any]:
        result: list[Any] = find(text)
        return [] if all(one[0].dest in ours for one in result) else result

    def error(message: str) -> None:
        known = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001
        refuse(say_unknown(message, known))

    parser._get_option_tuples = find_whole  # noqa: SLF001
    parser.error = error


def say_unknown(message: str, known: Iterable[str]) -> str:
    """The message of argparse with a suggestion, and without the values of flags."""
    if not message.startswith(UNKNOWN):
        return AMBIGUOUS.sub(r"\1", message)
    parts = message.removeprefix(UNKNOWN).split()
    flags = [part.partition("=")[0] for part in parts if part.startswith("-")]
    if not flags:
        return message
    return "; ".join(f"{flag} is not a flag{suggest(flag, known)}" for flag in dict.fromkeys(flags))


def suggest(flag: str, known: Iterable[str]) -> str:
    """A suggestion for a mistyped flag, as the end of a sentence; empty if none is close."""
    flags = [one for one in known if one.startswith("--")]
    close = [one for one in flags if one.startswith(flag)] or difflib.get_close_matches(flag, flags, n=1)
    return f". Did you mean {' or '.join(sorted(close)[:3])}? Flags are given in full" if close else ""


class SecretFlags(Collection[str]):
    """The secret flags of a parser, read on each access: locustfiles add theirs after ours."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def __iter__(self) -> Iterator[str]:
        """Each with its dashes."""
        for action in self._parser._actions:  # noqa: SLF001 - no other way to list them
            if getattr(action, "is_secret", False):
                yield from action.option_strings

    def __contains__(self, flag: object) -> bool:
        """Whether the value of exactly this flag is secret."""
        return any(flag == one for one in self)

    def __len__(self) -> int:
        """The number of secret flags."""
        return sum(1 for _ in self)
