"""Questions and ingests, timed: what the blocking and the asyncio client have in common."""

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from loadgen.clients.base import Client
from loadgen.clients.rag.engine import Engine
from loadgen.clients.rag.pipeline import STAGES as OF_INGEST
from loadgen.clients.rag.pipeline import Source
from loadgen.clients.rag.stages import FIRST_TOKEN, OF_ASK, OF_RETRIEVE, WITHIN_ASK, WITHIN_RETRIEVE, QuestionTimer
from loadgen.clients.rag.steps import Steps
from loadgen.clients.rag.tokens import TokenCounts
from loadgen.clients.tracing import trace_stub
from loadgen.datasets import Checks
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode, Sample, StageTimes

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

ASK, RETRIEVE, INGEST = "ask", "retrieve", "ingest"
TOKENS_IN, TOKENS_OUT = "tokens_in", "tokens_out"
DOCUMENTS, CHUNKS, TOKENS = "documents", "chunks", "tokens"
OPERATIONS = (
    Operation(
        ASK,
        stages=OF_ASK,
        repeated=WITHIN_ASK,
        items=(TOKENS_IN, TOKENS_OUT),
        is_checked=True,
        is_ranked=True,
        checked_as=RETRIEVE,
    ),
    Operation(RETRIEVE, stages=OF_RETRIEVE, repeated=WITHIN_RETRIEVE, is_checked=True, is_ranked=True),
    Operation(INGEST, stages=OF_INGEST, items=(DOCUMENTS, CHUNKS, TOKENS), writes=True),
)
"""The whole path from question to answer, its first half, and the path from document to chunks."""


class RagClient(Client):
    """One user's client over an engine."""

    operations = OPERATIONS
    timer: ClassVar[Callable[..., QuestionTimer]] = QuestionTimer
    """Creates that of each question; replaced to see what stages cost."""

    def __init__(
        self, store: Engine, emit: Callable[[Sample], None], checks: Checks | None = None, variant: str = ""
    ) -> None:
        super().__init__(emit, checks, variant)
        self._engine = store

    def _send_traces(self) -> None:
        store = self._engine.store
        below = store.client if self.mode is Mode.SYNC else store.aclient
        if below is not None:
            trace_stub(below)

    def _new_timer(self, operation: str) -> QuestionTimer:
        """That of a question; for a coroutine it also measures how long each stage blocks the loop."""
        steps = Steps(self.loop_holds) if self.mode is Mode.ASYNC else None
        return type(self).timer(FIRST_TOKEN if operation == ASK else "", steps)

    def _finish_ask(self, token: int, question: str, answer: Any, timer: QuestionTimer) -> None:
        """Create the sample of a question; its rows are the retrieved chunks.

        Of users that do both, only what `retrieve` finds is checked: the answers of both would be the same.
        """
        nodes = answer.source_nodes
        count = partial(count_answer, self._engine.tokens, question, answer, timer) if nodes else None
        self.end(token, len(nodes), None, timer.finish(answered=bool(nodes)), count)
        if RETRIEVE in self.refused:
            self._checks.keep(ASK, question, nodes)

    def _finish_retrieve(self, token: int, question: str, nodes: Sequence[Any], timer: QuestionTimer) -> None:
        """Create the sample of a retrieval."""
        self.end(token, len(nodes), stages=timer.finish(answered=False))
        self._checks.keep(RETRIEVE, question, nodes)

    def _finish_ingest(
        self, token: int, documents: Sequence[Source], chunks: Sequence["BaseNode"], stages: StageTimes
    ) -> None:
        """Create the sample of an ingest; its rows are the chunks that were inserted."""
        count = partial(count_ingest, self._engine.tokens, documents, chunks)
        self.end(token, len(chunks), None, stages, count)

    def _begin_ingest(self) -> int:
        """Start the clock of an ingest; what is right for a question changes with it."""
        self._permit(INGEST)
        self._checks.spoil()
        return self.begin(INGEST)

    def _require_in_time(self, started: float) -> None:
        """Raise TimeoutError after the deadline."""
        if perf_counter() - started > self._engine.deadline:
            raise TimeoutError(f"took longer than the deadline of {self._engine.deadline:g} s")


def count_answer(tokens: TokenCounts, question: str, answer: Any, timer: QuestionTimer) -> dict[str, int]:
    """The tokens of an answer: those that the model reports.

    If it reports none, those of the question and the chunks, without the prompt around them, and those of the answer;
    of a streamed one its parts.
    """
    if timer.usage is not None:
        return dict(zip((TOKENS_IN, TOKENS_OUT), timer.usage, strict=True))
    text = getattr(answer, "response", None)
    given = tokens.count(question) + tokens.count_nodes(answer.source_nodes)
    streamed = timer.parts if getattr(answer, "response_txt", None) else 0  # an empty answer has a part for its stages
    return {TOKENS_IN: given, TOKENS_OUT: streamed if text is None else tokens.count(text)}


def count_ingest(tokens: TokenCounts, documents: Sequence[Source], chunks: Sequence["BaseNode"]) -> dict[str, int]:
    """The documents, their chunks, and the tokens of the chunks, of each document counted once a process."""
    texts: dict[str | None, list[str]] = {}
    for chunk in chunks:
        texts.setdefault(chunk.ref_doc_id, []).append(getattr(chunk, "text", ""))
    known = {one.doc_id: one.document.node_id for one in documents}
    counted = sum(tokens.count_known(known.get(name or "", ""), some) for name, some in texts.items())
    return {DOCUMENTS: len(documents), CHUNKS: len(chunks), TOKENS: counted}
