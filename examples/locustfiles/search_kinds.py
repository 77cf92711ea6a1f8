"""What does MMR cost beside a dense search?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async; async search-kind=mmr")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
