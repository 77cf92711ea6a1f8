"""Memory of the load generator, and bytes between it and the server, over a phase."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


@dataclass(slots=True)
class Usage:
    """One process in one phase."""

    memory: float = 0.0
    """Maximum of resident bytes."""
    sent: float = 0.0
    received: float = 0.0
    """Bytes in `watched` seconds."""
    watched: float = 0.0

    def add(self, wall: float, memory: float, sent: float, received: float) -> None:
        """Count one sample of `wall` seconds; nan is unknown."""
        if not math.isnan(memory):
            self.memory = max(self.memory, memory)
        if not math.isnan(sent):
            self.sent += sent
            self.received += received
            self.watched += wall

    def merge(self, message: Mapping[str, Any]) -> None:
        """Add the values of `as_message` of the same process."""
        self.memory = max(self.memory, message["memory"])
        self.sent += message["sent"]
        self.received += message["received"]
        self.watched += message["watched"]

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to the master."""
        return asdict(self)


class TotalUsage(NamedTuple):
    """All processes of a phase; nan is unknown."""

    memory: float
    """Bytes: the sum of the maxima."""
    sent: float
    """Bytes per second."""
    received: float


def add_up(every: Iterable[Usage]) -> TotalUsage:
    """The sum over processes. What one of them does not know is unknown of all."""
    known = list(every)
    memory = sum(one.memory for one in known) if known and all(one.memory for one in known) else math.nan
    if not known or not all(one.watched > 0 for one in known):
        return TotalUsage(memory, math.nan, math.nan)
    sent, received = (sum(getattr(one, name) / one.watched for one in known) for name in ("sent", "received"))
    return TotalUsage(memory, sent, received)
