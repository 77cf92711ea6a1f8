"""Hybrid searches, blocking and asyncio: vectors and BM25 fused by rank. Needs Milvus 2.5, or Milvus Lite."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_hybrid", search_kind="hybrid")


class SyncHybrid(SyncUser):
    """A thread that searches, waits for the answer, and searches again."""

    operations = ("search",)

    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncHybrid(AsyncUser):
    """The same as a coroutine."""

    operations = ("search",)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
