"""The generator's health in a phase: ten calm looks a second, without which no comparison is valid."""

from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger


def watch(ledger: Ledger, start: float, seconds: float, share: float = 1.0) -> None:
    """Count the beats of this part of a phase that has just been opened."""
    for number in range(1, round(10 * seconds * share) + 1):
        ledger.beat(Beat(start + number / 10, 0.02, 0.1, 0.001, 0.001, 3))
