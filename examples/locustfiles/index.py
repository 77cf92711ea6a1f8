"""HNSW or IVF, and at which recall?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="hnsw: async; ivf: async index-type=IVF_FLAT", require="search recall >= 0.9")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
