"""A reader who searches, sometimes searches again, and writes a note: on threads and as coroutines."""

from locust import SequentialTaskSet, between, events, task
from locust.exception import StopUser

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_reader", top_k=20, nodes_per_insert=2)
SEARCHES = 10_000


class SyncSession(SequentialTaskSet):
    """Three searches in a row, then back to the user's other tasks."""

    @task(3)
    def search_again(self):
        self.user.client.search(self.user.next_query())

    @task
    def enough(self):
        self.interrupt()


class SyncReader(SyncUser):
    """A thread: tasks are plain functions."""

    wait_time = between(0.01, 0.05)
    tasks = {SyncSession: 1}

    def on_start(self):
        self.searched = 0

    @task(5)
    def look(self):
        result = self.client.search(self.next_query())
        self.searched += 1
        if result is None or not result.ids:  # failed or empty: counted already
            return
        if self.searched >= SEARCHES:
            raise StopUser

    @task(2)
    def write(self):
        self.client.insert(self.next_nodes())

    @task(1)
    def take_back(self):
        self.client.delete(self.next_document())


class AsyncSession(SequentialTaskSet):
    @task(3)
    async def search_again(self):
        await self.user.client.search(self.user.next_query())

    @task
    async def enough(self):
        self.interrupt()


class AsyncReader(AsyncUser):
    """The same as a coroutine: `async def` and `await`, nothing else differs."""

    wait_time = between(0.01, 0.05)
    tasks = {AsyncSession: 1}

    async def on_start(self):
        self.searched = 0

    @task(5)
    async def look(self):
        result = await self.client.search(self.next_query())
        self.searched += 1
        if result is None or not result.ids:
            return
        if self.searched >= SEARCHES:
            raise StopUser

    @task(2)
    async def write(self):
        await self.client.insert(self.next_nodes())

    @task(1)
    async def take_back(self):
        await self.client.delete(self.next_document())
