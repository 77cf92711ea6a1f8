import itertools

import numpy as np
from loadgen import AsyncUser, SyncUser, plug
from llama_index.core.vector_stores.types import VectorStoreQuery
from locust import events, task

plug(events, recall_every=0)
VECTORS = np.load("queries.npy").astype("float32")  # (queries, dim)
QUERIES = [VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=10) for vector in VECTORS]
TURN = itertools.count()  # shared by all users of the process


class SyncSearch(SyncUser):
    @task
    def search(self):
        self.client.search(QUERIES[next(TURN) % len(QUERIES)])


class AsyncSearch(AsyncUser):
    @task
    async def search(self):
        await self.client.search(QUERIES[next(TURN) % len(QUERIES)])
