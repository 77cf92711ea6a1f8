"""What a locustfile does before the load, such as the chapters of a tutorial."""

from collections.abc import Callable
from typing import Any, Protocol

from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings


class Prologue(Protocol):
    """Given to `plug`."""

    def find_faults(self, settings: Settings, /) -> list[Fault]:
        """Why it cannot run, before any server is started or asked."""

    def run(self, settings: Settings, tell: Callable[[str], object], /) -> None:
        """Run it on a thread; `settings` have the address of the server, `tell` shows a line. What it raises is shown.

        Nothing of it counts. The run does not begin if it fails.
        """


def find_prologue(events: Any) -> Prologue | None:
    """The prologue of the locustfiles."""
    prologue: Prologue | None = getattr(events, "loadgen_prologue", None)
    return prologue


def check_prologue(events: Any, settings: Settings) -> None:
    """Raise SettingsError with all its faults."""
    prologue = find_prologue(events)
    if prologue is not None and (faults := prologue.find_faults(settings)):
        raise SettingsError(faults)
