"""How long each stage held the event loop: the time of the steps in which its coroutines ran and nothing else could."""


class LoopHolds:
    """Seconds by stage in one process. Added to on the loop, taken on the hub."""

    __slots__ = ("_seconds", "_taken")

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        """Since the process began: never reset, so that no addition is lost between the two threads."""
        self._taken: dict[str, float] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count one step."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def take(self) -> dict[str, float]:
        """Seconds since the previous call; stages that did not run are omitted."""
        before, self._taken = self._taken, self._seconds.copy()
        return {stage: more for stage, now in self._taken.items() if (more := now - before.get(stage, 0.0)) > 0}
