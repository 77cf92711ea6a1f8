"""Questions to an index of documents: whole answers of a language model, and retrieval alone, blocking and asyncio."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, client="rag", collection="loadgen_rag", top_k=3)


class SyncQuestions(SyncUser):
    """A thread that asks, waits for the answer, and asks again."""

    operations = ("ask", "retrieve")

    @task
    def ask(self) -> None:
        self.client.ask(self.next_question())

    @task
    def retrieve(self) -> None:
        self.client.retrieve(self.next_question())


class AsyncQuestions(AsyncUser):
    """The same as a coroutine."""

    operations = ("ask", "retrieve")

    @task
    async def ask(self) -> None:
        await self.client.ask(self.next_question())

    @task
    async def retrieve(self) -> None:
        await self.client.retrieve(self.next_question())
