"""How many searches a second, if 99 % take less than 50 ms?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async", find_rate="search p99 < 50 ms, search failures < 1 %")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
