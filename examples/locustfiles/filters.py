"""What does a tenant filter cost?"""

from locust import events, task

from loadgen import AsyncUser, plug

plug(events, metadata="tenant:int:100", variants='async; async filter="tenant == {tenant}"')


class Searcher(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
