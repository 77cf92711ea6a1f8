"""Runs the same queries on a sync and an async store, and counts the rows of each."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.datasets import Answer
from loadgen.milvus.store.opening import async_client_of

IN_FLIGHT = 16
"""With Strong consistency each search waits for a tick of the server; concurrent ones wait together."""
COUNT: dict[str, Any] = {"filter": "", "output_fields": ["count(*)"], "consistency_level": "Strong"}


def ask_sync(store: MilvusVectorStore, queries: Sequence[VectorStoreQuery]) -> list[Answer]:
    """The store's answers, queried on 16 threads. Raises what `query` raises."""
    with ThreadPoolExecutor(IN_FLIGHT, "loadgen-asking") as threads:
        return [_answer(result) for result in threads.map(store.query, queries)]


async def ask_async(store: MilvusVectorStore, queries: Sequence[VectorStoreQuery]) -> list[Answer]:
    """The same with `aquery`, on the loop of the store."""
    places = asyncio.Semaphore(IN_FLIGHT)

    async def ask(query: VectorStoreQuery) -> VectorStoreQueryResult:
        async with places:
            return await store.aquery(query)

    return [_answer(result) for result in await asyncio.gather(*(ask(query) for query in queries))]


def count_sync(store: MilvusVectorStore) -> int:
    """Number of rows according to the blocking client."""
    return int(store.client.query(store.collection_name, **COUNT)[0]["count(*)"])


async def count_async(store: MilvusVectorStore) -> int:
    """Rows that the async client counts."""
    return int((await async_client_of(store).query(store.collection_name, **COUNT))[0]["count(*)"])


def _answer(result: VectorStoreQueryResult) -> Answer:
    return Answer(tuple(result.ids or ()), tuple(result.similarities or ()))
