"""Questions and ingests, timed: what the blocking and the asyncio client have in common."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, ClassVar

from loadgen.clients.base import Client
from loadgen.clients.rag.engine import Engine
from loadgen.clients.rag.pipeline import STAGES as OF_INGEST
from loadgen.clients.rag.stages import FIRST_TOKEN, OF_ASK, OF_RETRIEVE, WITHIN_ASK, WITHIN_RETRIEVE, Watch
from loadgen.clients.rag.steps import Steps
from loadgen.datasets import Checks
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode, Sample

ASK, RETRIEVE, INGEST = "ask", "retrieve", "ingest"
OPERATIONS = (
    Operation(ASK, stages=OF_ASK, repeated=WITHIN_ASK, is_checked=True),
    Operation(RETRIEVE, stages=OF_RETRIEVE, repeated=WITHIN_RETRIEVE, is_checked=True),
    Operation(INGEST, stages=OF_INGEST, writes=True),
)
"""The whole path from question to answer, its first half, and the path from document to chunks."""


class RagClient(Client):
    """One user's client over an engine."""

    operations = OPERATIONS
    watch: ClassVar[Callable[..., Watch]] = Watch
    """Creates that of each question; replaced to see what stages cost."""

    def __init__(
        self, store: Engine, emit: Callable[[Sample], None], checks: Checks | None = None, variant: str = ""
    ) -> None:
        super().__init__(emit, checks, variant)
        self._engine = store

    def _new_watch(self, operation: str) -> Watch:
        """That of a question; of a coroutine it also notes how long each stage holds the loop."""
        steps = Steps(self.loop_holds) if self.mode is Mode.ASYNC else None
        return type(self).watch(FIRST_TOKEN if operation == ASK else "", steps)

    def _finish(self, token: int, operation: str, question: str, nodes: Sequence[Any], watch: Watch) -> None:
        """Create the sample of an operation that has ended; its rows are the chunks that were found.

        Of users that do both, only what `retrieve` finds is checked: the answers of both would be the same.
        """
        is_answered = operation == ASK and bool(nodes)
        self.end(token, len(nodes), stages=watch.finish(answered=is_answered))
        if operation == RETRIEVE or RETRIEVE in self.refused:
            self._checks.keep(operation, question, nodes)

    def _begin_ingest(self) -> int:
        """Start the clock of an ingest; what is right for a question changes with it."""
        self._permit(INGEST)
        self._checks.spoil()
        return self.begin(INGEST)

    def _require_in_time(self, started: float) -> None:
        """Raise TimeoutError after the deadline."""
        if perf_counter() - started > self._engine.deadline:
            raise TimeoutError(f"took longer than the deadline of {self._engine.deadline:g} s")
