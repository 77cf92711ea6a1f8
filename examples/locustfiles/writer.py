from locust import events, task
from loadgen import AsyncUser, plug

plug(events, variants="async", consistency="Bounded")


class Writer(AsyncUser):
    operations = ("insert", "visible")

    @task
    async def write(self):
        probe = self.next_probe()
        if await self.client.insert(probe.nodes):
            async with self.measure("visible"):
                await self.client.find(probe)
