"""Users that search twice a second, so that the workers of this measurement do not take the master's CPU."""

from locust import constant_throughput, events, task

from loadgen import AsyncUser, plug

plug(events, mode="async", collection="loadgen_master", rows=300, dim=16, clusters=8, queries=50, record="")


class Slow(AsyncUser):
    wait_time = constant_throughput(2)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
