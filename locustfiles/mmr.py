"""MMR searches, blocking and asyncio: near rows that differ from each other, chosen from four times as many."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, search_kind="mmr")


class SyncMmr(SyncUser):
    """A thread that searches, waits for the answer, and searches again."""

    operations = ("search",)

    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncMmr(AsyncUser):
    """The same as a coroutine."""

    operations = ("search",)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
