"""Foreign text made safe to show: every unprintable character is escaped, and secrets are masked.

Names, messages of a server, exceptions and values of a record may contain anything: control characters that a terminal
interprets, line breaks that forge a line of a log or a row of a table, overrides of the writing direction. Each output
calls one of these functions where it writes; no earlier code has to.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from loadgen.text.masking import mask_secrets

if TYPE_CHECKING:
    from rich.console import Console

LONGEST = 2_000
"""Maximum characters shown of one text; a record may have names of any length."""
INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unprintable Unicode categories: controls, formats (directions, joiners), surrogates, line separators."""
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators, and bytes that were not UTF-8: no name, path or token contains them."""
SUSPECT, SUSPECT_IN_LINES = re.compile(r"[^ -~]"), re.compile(r"[^ -~\n\t]")
"""Characters to check: all except printable ASCII."""
LONGEST_LOG = 100_000
"""Maximum characters of a log record."""
LINE_START = re.compile(r"\n(?=\S)")


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""The text in one line: a line break is shown as \n, an escape as \x1b. At most `longest` characters."""
    shown = mask_secrets(str(text))
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return SUSPECT.sub(_escape, shown)


def lines(text: str, longest: int = LONGEST_LOG) -> str:
    """The text with its line breaks and tabs kept, for a traceback; everything else as in `one_line`."""
    shown = mask_secrets(text)
    shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    return SUSPECT_IN_LINES.sub(_escape, shown)


def escape_json(text: str) -> str:
    r"""JSON with all unprintable characters as \u escapes, equivalent for programs."""
    return SUSPECT_IN_LINES.sub(lambda match: match[0] if _has_print(match[0]) else _utf16(match[0]), text)


def _has_print(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return character if _has_print(character) else character.encode("unicode_escape").decode("ascii")


def _utf16(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def new_console(file: TextIO, width: int | None = None, **given: Any) -> "Console":
    """A rich console that prints text as is: no markup such as [red], no :emoji:, no highlighting."""
    from rich.console import Console  # imported only when a table is printed

    return Console(file=file, width=width, markup=False, emoji=False, highlight=False, **given)


class VisibleFormatter(logging.Formatter):
    """Wraps another formatter and escapes control characters that a terminal would interpret.

    Lines after the first, as of a traceback, are indented: no text can forge a line of the log.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return LINE_START.sub("\n  ", lines(self._inner.format(record).rstrip("\n")))


def clean_logs(handlers: Iterable[logging.Handler]) -> None:
    """Make these handlers use a `VisibleFormatter`. Idempotent."""
    for handler in handlers:
        if not isinstance(handler.formatter, VisibleFormatter):
            handler.setFormatter(VisibleFormatter(handler.formatter or logging.Formatter()))
