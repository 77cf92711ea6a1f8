"""Whether the server still answers: a run against one that has gone is ended, not measured to its end."""

from dataclasses import dataclass

from loadgen.settings.model import Settings
from loadgen.settings.variants import longest_deadline


@dataclass(slots=True)
class SuccessWatch:
    """Judges from counts alone; times are seconds of any clock that does not go back.

    `limit` seconds without a single answer end the run, 0 never does. It is silent while nothing is tried: users that
    pause are no dead server.
    """

    limit: float
    _answered: int = -1
    _failed: int = 0
    _since: float = 0.0

    def restart(self, now: float) -> None:
        """Load begins now: what went before says nothing."""
        self._answered, self._since = -1, now

    def judge(self, now: float, answered: int, failed: int, in_flight: int) -> str:
        """Why the run is to end; empty while it goes on. Counts are of the whole run so far."""
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
    """Seconds without a success that end the run: not before an operation could have met its deadline."""
    return max(settings.give_up_after, longest_deadline(settings) + 1) if settings.give_up_after else 0.0
