"""Errors in the settings: all of them together, each with a remedy."""

from collections.abc import Iterable
from typing import NamedTuple

from loadgen.text.plain_text import one_line

LONGEST_VALUE = 200
"""Maximum length of a value in a message, so that the problem after it stays readable."""


class Fault(NamedTuple):
    """One wrong setting: its name, the value that was given, what is wrong with it, and what to do."""

    setting: str
    value: str
    problem: str
    hint: str

    def __str__(self) -> str:
        """One line, such as: `--top-k 20000: is above 16384. Choose 1 to 16384.`."""
        flag = f"--{self.setting.replace('_', '-')}"
        given = f" {one_line(self.value, LONGEST_VALUE)}" if self.value else ""
        return one_line(f"{flag}{given}: {self.problem}. {self.hint}")


class SettingsError(ValueError):
    """The run cannot start with these settings. `faults` has every reason once, never only the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__(str(self))

    def __str__(self) -> str:
        """A head line and one line for each fault."""
        noun = "setting is" if len(self.faults) == 1 else "settings are"
        lines = [f"{len(self.faults)} {noun} wrong; nothing was sent:"]
        return "\n".join(lines + [f"  {fault}" for fault in self.faults])
