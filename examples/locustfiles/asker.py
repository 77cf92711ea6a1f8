"""A question and its answer: each `ask` is an operation, and the search within it is another."""

from locust import events, task

from loadgen import AsyncUser, Operation, SyncUser, plug

plug(events, collection="loadgen_ask", rows=1_000)
ASK = Operation("ask", stages=("retrieve", "generate"))


class SyncAsker(SyncUser):
    operations = (ASK, "search")

    @task
    def ask(self):
        with self.measure("ask") as call:
            result = self.client.search(self.next_query())
            if result is None:
                call.fail("nothing was retrieved")
                return
            call.rows = len(result.ids)
            call.stage("generate", answer(result))


class AsyncAsker(AsyncUser):
    """The same but for `async` and `await`."""

    operations = (ASK, "search")

    @task
    async def ask(self):
        async with self.measure("ask") as call:
            result = await self.client.search(self.next_query())
            if result is None:
                call.fail("nothing was retrieved")
                return
            call.rows = len(result.ids)
            call.stage("generate", answer(result))


def answer(result):
    """In place of a language model; returns the seconds that it took."""
    return 0.001 * len(result.ids)
