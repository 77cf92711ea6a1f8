"""The asyncio twin: `aquery` of a query engine, `aretrieve` of a retriever, and `ainsert_nodes` of an index."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.response.schema import AsyncStreamingResponse
from llama_index.core.schema import NodeWithScore

from loadgen.clients.rag.client import ASK, RETRIEVE, RagClient
from loadgen.clients.rag.pipeline import Source, aingest
from loadgen.clients.rag.stages import WATCH, Watch
from loadgen.measure.sample import Mode


class AsyncClient(RagClient):
    """A failed operation is a sample with its outcome, and None here; nothing is raised.

    At the deadline an operation is cancelled.
    """

    mode = Mode.ASYNC

    async def ask(self, question: str) -> Any:
        """Answer a question; the sample ends with the last token, and its rows are the retrieved chunks."""
        token = self.begin(ASK)
        context = WATCH.set(watch := self._new_watch(ASK))
        try:
            async with asyncio.timeout(self._engine.deadline):
                answer = await watch.drive(self._answer(question, watch))
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, watch.finish(answered=False))
            return None
        finally:
            WATCH.reset(context)
        self._finish_ask(token, question, answer, watch)
        return answer

    async def retrieve(self, question: str) -> list[NodeWithScore] | None:
        """The chunks that are nearest to a question; they are the sample's rows."""
        token = self.begin(RETRIEVE)
        context = WATCH.set(watch := self._new_watch(RETRIEVE))
        try:
            async with asyncio.timeout(self._engine.deadline):
                nodes = await watch.drive(self._engine.retriever.aretrieve(question))
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error, watch.finish(answered=False))
            return None
        finally:
            WATCH.reset(context)
        self._finish_retrieve(token, question, nodes, watch)
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

    async def _answer(self, question: str, watch: Watch) -> Any:
        answer = await self._engine.query_engine.aquery(question)
        if isinstance(answer, AsyncStreamingResponse):
            await self._read(answer, watch)
        elif answer.source_nodes:
            watch.note_token()
        return answer

    async def _read(self, answer: AsyncStreamingResponse, watch: Watch) -> None:
        parts = []
        async for part in answer.response_gen:
            if part and answer.source_nodes:
                watch.note_token()
            parts.append(part)
        answer.response_txt = "".join(parts)
