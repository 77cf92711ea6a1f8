"""How soon a search finds what was inserted: the time of `visible`, from the insert's answer to the first hit."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_freshness")


class SyncFreshness(SyncUser):
    """A thread that inserts new nodes, and searches until the last of them appears."""

    operations = ("insert", "visible")
    ignores = ("filter",)

    @task
    def insert_and_find(self) -> None:
        probe = self.next_probe()
        if self.client.insert(probe.nodes):
            with self.measure("visible"):
                self.client.find(probe)


class AsyncFreshness(AsyncUser):
    """The same as a coroutine."""

    operations = ("insert", "visible")
    ignores = ("filter",)

    @task
    async def insert_and_find(self) -> None:
        probe = self.next_probe()
        if await self.client.insert(probe.nodes):
            async with self.measure("visible"):
                await self.client.find(probe)
