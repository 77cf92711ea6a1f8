"""What does each layer of the client cost, and in which stage?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="llamaindex/async; pymilvus/async; wire/async", stages=True)


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
