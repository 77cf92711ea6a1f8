"""The result of one check."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from loadgen.settings.faults import Fault
from loadgen.text.plain_text import one_line

WIDTH = 11
"""Characters of the longest name of a check."""


class CheckStatus(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """A run works, but its figures are of something else than one may think."""
    BAD = "bad"
    """A run fails, or its figures are wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the command's output."""

    check: str
    state: CheckStatus
    text: str
    remedy: str = ""
    """What to do; empty where nothing is to be done."""

    def __str__(self) -> str:
        """`note  cores       2 cores ...`, and the remedy on a line of its own."""
        line = f"{self.state:5} {self.check:{WIDTH}} {one_line(self.text)}"
        return f"{line}\n{'':{WIDTH + 6}} -> {one_line(self.remedy)}" if self.remedy else line


def from_faults(check: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    """Wrong settings as findings."""
    for fault in faults:
        given = f" {fault.value}" if fault.value else ""
        yield Finding(
            check, CheckStatus.BAD, f"--{fault.setting.replace('_', '-')}{given}: {fault.problem}", fault.hint
        )
