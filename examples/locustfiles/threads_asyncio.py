"""Threads or coroutines, with pymilvus alone."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, variants="threads: pymilvus/sync; asyncio: pymilvus/async", output_fields="id")


class Blocking(SyncUser):
    operations = ("search",)

    @task
    def search(self):
        self.client.search(self.next_query())


class Coroutine(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
