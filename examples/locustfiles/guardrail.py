"""A run against production that ends itself."""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async", abort_when="failures > 5 %, search p99 > 1 s")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
