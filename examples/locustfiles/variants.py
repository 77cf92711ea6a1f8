"""One connection or four?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async; async connections=4")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
