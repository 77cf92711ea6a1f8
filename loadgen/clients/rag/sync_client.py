"""The blocking twin: `query` of a query engine, `retrieve` of a retriever, and `insert_nodes` of an index."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from llama_index.core.base.response.schema import StreamingResponse
from llama_index.core.schema import NodeWithScore

from loadgen.clients.rag.client import ASK, RETRIEVE, RagClient
from loadgen.clients.rag.pipeline import Source, ingest
from loadgen.clients.rag.stages import TIMER, QuestionTimer
from loadgen.measure.sample import Mode


class SyncClient(RagClient):
    """A failed operation is a sample with its outcome, and None here; nothing is raised.

    A blocking call cannot be cancelled: one that returns after the deadline is a timeout.
    """

    mode = Mode.SYNC

    def ask(self, question: str) -> Any:
        """Answer a question; the sample ends with the last token, and its rows are the retrieved chunks."""
        token, started = self.begin(ASK), perf_counter()
        context = TIMER.set(timer := self._new_timer(ASK))
        try:
            answer = self._engine.query_engine.query(question)
            if isinstance(answer, StreamingResponse):
                self._read(answer, timer, started)
            elif answer.source_nodes:
                timer.note_token()
            self._require_in_time(started)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, timer.finish(answered=False))
            return None
        finally:
            TIMER.reset(context)
        self._finish_ask(token, question, answer, timer)
        return answer

    def retrieve(self, question: str) -> list[NodeWithScore] | None:
        """The chunks that are nearest to a question; they are the sample's rows."""
        token, started = self.begin(RETRIEVE), perf_counter()
        context = TIMER.set(timer := self._new_timer(RETRIEVE))
        try:
            nodes = self._engine.retriever.retrieve(question)
            self._require_in_time(started)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, timer.finish(answered=False))
            return None
        finally:
            TIMER.reset(context)
        self._finish_retrieve(token, question, nodes, timer)
        return nodes

    def ingest(self, documents: Sequence[Source]) -> int | None:
        """Read, split, embed and insert some documents; the number of chunks is returned, and is the sample's rows."""
        token, started = self._begin_ingest(), perf_counter()
        stages: dict[str, float] = {}
        try:
            chunks = ingest(self._engine.ingest_path, documents, stages)
            self._require_in_time(started)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, stages)
            return None
        self._finish_ingest(token, documents, chunks, stages)
        return len(chunks)

    def _read(self, answer: StreamingResponse, timer: QuestionTimer, started: float) -> None:
        parts = []
        for part in answer.response_gen:
            if part and answer.source_nodes:
                timer.note_token()
            parts.append(part)
            self._require_in_time(started)
        answer.response_txt = "".join(parts)
