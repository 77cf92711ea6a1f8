"""Windows of something else next to the tool's phases, in the same process: a machine that drifts hits both."""

from typing import TYPE_CHECKING, Any

from loadgen.measure.phase import Phase

if TYPE_CHECKING:  # it imports Locust, which changes the process
    from loadgen.users import ProcessState


class Turns:
    """A conductor of phases, with another window before each one of an even number and after each of an odd number.

    With phases sync, async, async, sync, drift hits both sides in both modes alike.
    """

    def __init__(self, conductor: Any, process_state: "ProcessState") -> None:
        self.conductor = conductor
        self.process_state = process_state
        self.begin_plan, self.next_attempt = conductor.begin_plan, conductor.next_attempt
        self.next_phase, self.break_off = conductor.next_phase, conductor.break_off

    def begin(self, phase: Phase) -> list[Any]:
        """The other window first, if it is its turn."""
        if phase.number % 2 == 0:
            self.run_beside(phase)
        classes: list[Any] = self.conductor.begin(phase)
        return classes

    def measure(self, phase: Phase) -> None:
        """The tool's window."""
        self.conductor.measure(phase)

    def finish(self, phase: Phase) -> None:
        """The other window, if it is its turn."""
        self.conductor.finish(phase)
        if phase.number % 2:
            self.run_beside(phase)

    def run_beside(self, phase: Phase) -> None:
        """The other window. Called on the hub."""
