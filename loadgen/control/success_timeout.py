"""Whether the server still answers: a run against a dead server is ended early."""

from dataclasses import dataclass

from loadgen.settings.model import Settings
from loadgen.settings.variants import longest_deadline


@dataclass(slots=True)
class SuccessWatch:
    """Judges from counts only; times are seconds of any monotonic clock.

    `limit` seconds without a single answer end the run; 0 never does. Time without attempts does not count: paused
    users do not mean a dead server.
    """

    limit: float
    _answered: int = -1
    _failed: int = 0
    _since: float = 0.0

    def restart(self, now: float) -> None:
        """Load begins now: ignore everything before."""
        self._answered, self._since = -1, now

    def judge(self, now: float, answered: int, failed: int, in_flight: int) -> str:
        """Why the run should end; empty if it should continue. Counts are totals of the run so far."""
        if answered != self._answered:
            self._answered, self._failed, self._since = answered, failed, now
            return ""
        failures = failed - self._failed
        if not (failures or in_flight):
            self._since = now
            return ""
        silent = now - self._since
        if not self.limit or silent < self.limit:
            return ""
        if failures:
            return f"no operation succeeded for {silent:.0f} s, {failures:,} failed"
        return f"no operation succeeded for {silent:.0f} s, {in_flight:,} are waiting for an answer"


def find_patience(settings: Settings) -> float:
    """Seconds without a success after which the run ends; at least an operation's deadline."""
    return max(settings.give_up_after, longest_deadline(settings) + 1) if settings.give_up_after else 0.0
