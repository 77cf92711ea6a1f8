"""Text that somebody else wrote, made safe to show: every character that is no print becomes visible as an escape.

Names, messages of a server, exceptions and values of a record may hold anything: control characters that a terminal
obeys, line breaks that forge a line of a log or a row of a table, overrides of the writing direction. Each output calls
one of these functions where it writes; nothing before that has to.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

LONGEST = 2_000
"""Characters of one text that are shown; a record may have names of any length."""
INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Categories of Unicode without a print: controls, formats (directions, joiners), surrogates, separators of lines."""
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, separators of lines, and bytes that were no UTF-8: no name, path or token has them."""
SUSPECT, SUSPECT_IN_LINES = re.compile(r"[^ -~]"), re.compile(r"[^ -~\n\t]")
"""What is worth a look: all but the printable characters of ASCII."""
LONGEST_LOG = 100_000
"""The same, of a record of the log."""
LINE_START = re.compile(r"\n(?=\S)")


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""The text in one line: a line break is shown as \n, an escape as \x1b. At most `longest` characters."""
    shown = str(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return SUSPECT.sub(_escape, shown)


def lines(text: str, longest: int = LONGEST_LOG) -> str:
    """The text with its line breaks and tabs kept, for a traceback; everything else as in `one_line`."""
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return SUSPECT_IN_LINES.sub(_escape, shown)


def escape_json(text: str) -> str:
    r"""JSON with all non-printable characters as \u escapes, which mean the same to a program."""
    return SUSPECT_IN_LINES.sub(lambda found: found[0] if _has_print(found[0]) else _utf16(found[0]), text)


def _has_print(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if _has_print(character) else character.encode("unicode_escape").decode("ascii")


def _utf16(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def new_console(file: TextIO, width: int | None = None, **given: Any) -> "Console":
    """A rich console that takes text as it is: no markup such as [red], no :emoji:, no highlighting."""
    from rich.console import Console  # only who draws a table pays for it

    return Console(file=file, width=width, markup=False, emoji=False, highlight=False, **given)


class VisibleFormatter(logging.Formatter):
    """What another formatter makes of a record, without characters that a terminal would obey.

    Lines after the first, as of a traceback, are indented: no text can forge a line of the log.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return LINE_START.sub("\n  ", lines(self._inner.format(record).rstrip("\n")))


def clean_logs(handlers: Iterable[logging.Handler]) -> None:
    """Let these handlers write through a `VisibleFormatter`. Idempotent."""
    for handler in handlers:
        if not isinstance(handler.formatter, VisibleFormatter):
            handler.setFormatter(VisibleFormatter(handler.formatter or logging.Formatter()))
