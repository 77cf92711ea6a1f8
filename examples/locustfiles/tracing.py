"""Stages of every search, and a traceparent with one in a thousand."""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async", stages=True, trace_sample=0.001)


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
