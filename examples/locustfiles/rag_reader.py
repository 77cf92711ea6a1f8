from locust import events, task
from loadgen import AsyncUser, plug

plug(events, client="rag", variants="async", collection="loadgen_rag", top_k=3)


class Reader(AsyncUser):
    operations = ("ask",)

    @task
    async def ask(self):
        answer = await self.client.ask(self.next_question())
        if answer is not None:  # None: failed, and counted
            assert answer.source_nodes
