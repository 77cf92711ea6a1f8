"""Inserts, blocking and asyncio, side by side: `--nodes-per-insert` nodes in each operation."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_insert")


class SyncInsert(SyncUser):
    """A thread that inserts new nodes, one operation after another."""

    operations = ("insert",)

    @task
    def insert(self) -> None:
        self.client.insert(self.next_nodes())


class AsyncInsert(AsyncUser):
    """The same as a coroutine."""

    operations = ("insert",)

    @task
    async def insert(self) -> None:
        await self.client.insert(self.next_nodes())
