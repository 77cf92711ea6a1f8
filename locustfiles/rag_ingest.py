"""Ingests, blocking and asyncio: `--documents-per-ingest` documents are read, split, embedded and inserted in each."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, client="rag", collection="loadgen_rag_ingest", top_k=1)


class SyncIngest(SyncUser):
    """A thread that ingests documents, one operation after another."""

    operations = ("ingest",)

    @task
    def ingest(self) -> None:
        self.client.ingest(self.next_documents())


class AsyncIngest(AsyncUser):
    """The same as a coroutine."""

    operations = ("ingest",)

    @task
    async def ingest(self) -> None:
        await self.client.ingest(self.next_documents())
