"""Searches, blocking and asyncio, side by side: which has the higher throughput, and from which concurrency on."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events)


class SyncSearch(SyncUser):
    """A thread that searches, waits for the answer, and searches again."""

    operations = ("search",)

    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    """The same as a coroutine."""

    operations = ("search",)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
