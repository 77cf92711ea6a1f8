"""A fault drill: searches and inserts while the server is killed and started again; then every insert is looked for."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_drill", phase_seconds=60.0, rounds=1, concurrency="8", fault=("15s kill server 5s",))


class SyncDrill(SyncUser):
    """A thread that searches and inserts."""

    operations = ("search", "insert")

    @task(4)
    def search(self) -> None:
        self.client.search(self.next_query())

    @task
    def insert(self) -> None:
        self.client.insert(self.next_nodes())


class AsyncDrill(AsyncUser):
    """The same as a coroutine."""

    operations = ("search", "insert")

    @task(4)
    async def search(self) -> None:
        await self.client.search(self.next_query())

    @task
    async def insert(self) -> None:
        await self.client.insert(self.next_nodes())
