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
            found = self.client.search(self.next_query())
            if found is None:
                call.fail("nothing was retrieved")
                return
            call.rows = len(found.ids)
            call.stage("generate", answer(found))


class AsyncAsker(AsyncUser):
    """The same but for `async` and `await`."""

    operations = (ASK, "search")

    @task
    async def ask(self):
        async with self.measure("ask") as call:
            found = await self.client.search(self.next_query())
            if found is None:
                call.fail("nothing was retrieved")
                return
            call.rows = len(found.ids)
            call.stage("generate", answer(found))


def answer(found):
    """In place of a language model; returns the seconds that it took."""
    return 0.001 * len(found.ids)
