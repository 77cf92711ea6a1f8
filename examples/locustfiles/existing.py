"""Searches of a collection that another program has filled; nothing is written to it."""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, collection="papers", existing=True, variants="llamaindex/async; pymilvus/async")


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
