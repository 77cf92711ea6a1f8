"""The Milvus tutorial "RAG with LlamaIndex and the Milvus async API", each figure beside a fair one.

First its chapters: documents, index, query engine. Then its table, in bursts. Then the same searches and inserts by
equally many users in both modes. `--burst 10,50 --phase-seconds 2` runs in less than two minutes.
"""

from burst import OneAfterAnother, OnThreads, WithGather  # type: ignore[import-not-found] # beside this file
from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.clients.rag.chapters import Chapters

__all__ = ["OnThreads", "OneAfterAnother", "WithGather"]
plug(events, prologue=Chapters(documents="", embedding="local", llm="simulated"), concurrency="10,100")


class Blocking(SyncUser):
    """A thread that searches and inserts, one operation after another."""

    operations = ("search", "insert")

    @task
    def search_and_insert(self) -> None:
        self.client.search(self.next_query())
        self.client.insert(self.next_nodes())


class Asyncio(AsyncUser):
    """The same as a coroutine."""

    operations = ("search", "insert")

    @task
    async def search_and_insert(self) -> None:
        await self.client.search(self.next_query())
        await self.client.insert(self.next_nodes())
