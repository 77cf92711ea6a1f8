"""Searches and inserts on separate schedules: an insert that stalls delays no search."""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, variants="async", arrival="poisson", rate="search: 200, insert: 20")


class Caller(AsyncUser):
    operations = ("search", "insert")

    @task
    async def search(self):
        await self.client.search(self.next_query())

    @task
    async def insert(self):
        await self.client.insert(self.next_nodes())
