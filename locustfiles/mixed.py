"""Searches with some inserts and deletes among them; the numbers are the weights, change them to your own mix."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_mixed")


class SyncMixed(SyncUser):
    """A thread that searches most of the time, inserts, and deletes what was inserted before."""

    @task(16)
    def search(self) -> None:
        self.client.search(self.next_query())

    @task(3)
    def insert(self) -> None:
        self.client.insert(self.next_nodes())

    @task(1)
    def delete(self) -> None:
        self.client.delete(self.next_document())


class AsyncMixed(AsyncUser):
    """The same as a coroutine."""

    @task(16)
    async def search(self) -> None:
        await self.client.search(self.next_query())

    @task(3)
    async def insert(self) -> None:
        await self.client.insert(self.next_nodes())

    @task(1)
    async def delete(self) -> None:
        await self.client.delete(self.next_document())
