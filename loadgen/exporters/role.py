"""The role of a process in a run."""

from enum import StrEnum


class Role(StrEnum):
    """A process's role in a run. Each metric is exposed by one role, so that sums over processes are correct."""

    LOCAL = "local"
    WORKER = "worker"
    MASTER = "master"

    @property
    def makes_load(self) -> bool:
        """True if this process calls operations and counts them."""
        return self is not Role.MASTER

    @property
    def leads(self) -> bool:
        """True if this process starts and ends the phases of all, and counts their length."""
        return self is not Role.WORKER
