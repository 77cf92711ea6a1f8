"""The asyncio twin: `aquery` of a query engine, `aretrieve` of a retriever, and `ainsert_nodes` of an index."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.response.schema import AsyncStreamingResponse
from llama_index.core.schema import NodeWithScore

from loadgen.clients.rag.client import ASK, RETRIEVE, RagClient
from loadgen.clients.rag.pipeline import Source, aingest
from loadgen.clients.rag.stages import TIMER, QuestionTimer
from loadgen.measure.sample import Mode


class AsyncClient(RagClient):
    """A failed operation is a sample with its outcome, and None here; nothing is raised.

    At the deadline an operation is cancelled.
    """

    mode = Mode.ASYNC

    async def ask(self, question: str) -> Any:
        """Answer a question; the sample ends with the last token, and its rows are the retrieved chunks."""
        token = self.begin(ASK)
        context = TIMER.set(timer := self._new_timer(ASK))
        try:
            async with asyncio.timeout(self._engine.deadline):
                answer = await timer.drive(self._answer(question, timer))
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, timer.finish(answered=False))
            return None
        finally:
            TIMER.reset(context)
        self._finish_ask(token, question, answer, timer)
        return answer

    async def retrieve(self, question: str) -> list[NodeWithScore] | None:
        """The chunks that are nearest to a question; they are the sample's rows."""
        token = self.begin(RETRIEVE)
        context = TIMER.set(timer := self._new_timer(RETRIEVE))
        try:
            async with asyncio.timeout(self._engine.deadline):
                nodes = await timer.drive(self._engine.retriever.aretrieve(question))
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, timer.finish(answered=False))
            return None
        finally:
            TIMER.reset(context)
        self._finish_retrieve(token, question, nodes, timer)
        return nodes

    async def ingest(self, documents: Sequence[Source]) -> int | None:
        """Read, split, embed and insert some documents; the number of chunks is returned, and is the sample's rows."""
        token = self._begin_ingest()
        stages: dict[str, float] = {}
        try:
            async with asyncio.timeout(self._engine.deadline):
                chunks = await aingest(self._engine.ingest_path, documents, stages, self.loop_holds)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, stages)
            return None
        self._finish_ingest(token, documents, chunks, stages)
        return len(chunks)

    async def _answer(self, question: str, timer: QuestionTimer) -> Any:
        answer = await self._engine.query_engine.aquery(question)
        if isinstance(answer, AsyncStreamingResponse):
            await self._read(answer, timer)
        elif answer.source_nodes:
            timer.note_token()
        return answer

    async def _read(self, answer: AsyncStreamingResponse, timer: QuestionTimer) -> None:
        parts = []
        async for part in answer.response_gen:
            if part and answer.source_nodes:
                timer.note_token()
            parts.append(part)
        answer.response_txt = "".join(parts)
