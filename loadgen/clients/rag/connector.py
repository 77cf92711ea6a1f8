"""Opens, warms and closes the engines of a variant, and makes what their clients take."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Never

from grpc import RpcError
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.schema import NodeWithScore
from pymilvus.exceptions import MilvusException

from loadgen.clients.layers import ASKED_TOGETHER, Vector
from loadgen.clients.outcomes import describe, is_cut, outcome_of
from loadgen.clients.rag.engine import Engine, make_engine, make_models
from loadgen.clients.rag.models import NONE, ModelError, ModelSpec, aclose_model, close_model
from loadgen.clients.rag.probing import explain_failure
from loadgen.clients.rag.stages import watch_spans
from loadgen.datasets import Narrowing, Row, SearchAnswer
from loadgen.measure.sample import Mode, Outcome
from loadgen.milvus.store import (
    StoreError,
    aclose_stores,
    close_stores,
    open_stores,
    warm_stores,
    warm_sync_stores,
)
from loadgen.milvus.store.opening import COUNT, async_client_of
from loadgen.settings.model import Settings
from loadgen.settings.values import DENSE

WARMING = "What is this about?"
"""Asked once before the load: the first call of a process costs half a second of CPU."""
LIMITED = (Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.FAILED)

logger = logging.getLogger("loadgen")


class RagConnector:
    """Implements `Connector`. A store is an `Engine`."""

    can_send_several = False
    search_kinds: tuple[str, ...] = (DENSE,)

    def open(self, settings: Settings, mode: Mode) -> list[Engine]:
        """Open one engine per connection; all share their models. Raises StoreError."""
        watch_spans()
        try:
            models = make_models(settings)
        except ModelError as error:
            raise StoreError(str(error)) from error
        try:
            return [make_engine(store, models, settings) for store in open_stores(settings, mode)]
        except BaseException:
            close_model(models.embedding)
            close_model(models.llm)
            raise

    def warm(self, stores: Sequence[Engine]) -> list[str]:
        """Connect, and ask one question, which is not counted. Raises StoreError if a model cannot answer."""
        seen = warm_sync_stores([one.store for one in stores])
        first = stores[0]
        first.tokens.count(WARMING)  # loads the tokenizer
        with judging("embedding", first.models.embedding_spec):
            first.models.embedding.get_query_embedding(WARMING)
            first.retriever.retrieve(WARMING)
        if first.models.llm_spec.name == NONE:
            return seen
        with judging("llm", first.models.llm_spec):
            answer = first.query_engine.query(WARMING)
            if isinstance(answer, StreamingResponse):
                answer.get_response()
        return seen

    async def awarm(self, stores: Sequence[Engine]) -> list[str]:
        """The same on the running loop."""
        seen = await warm_stores([one.store for one in stores])
        first = stores[0]
        first.tokens.count(WARMING)  # loads the tokenizer
        with judging("embedding", first.models.embedding_spec):
            await first.models.embedding.aget_query_embedding(WARMING)
            await first.retriever.aretrieve(WARMING)
        if first.models.llm_spec.name == NONE:
            return seen
        with judging("llm", first.models.llm_spec):
            answer = await first.query_engine.aquery(WARMING)
            if isinstance(answer, AsyncStreamingResponse):
                await answer.get_response()
        return seen

    def close(self, stores: Sequence[Engine]) -> None:
        """Close the blocking clients."""
        close_stores(one.store for one in stores)
        for models in {id(one.models): one.models for one in stores}.values():
            close_model(models.embedding)
            close_model(models.llm)

    async def aclose(self, stores: Sequence[Engine]) -> None:
        """Close the async clients, on the loop that used them."""
        await aclose_stores(one.store for one in stores)
        for models in {id(one.models): one.models for one in stores}.values():
            await aclose_model(models.embedding)
            await aclose_model(models.llm)

    def make_query(self, vectors: Sequence[Vector], settings: Settings, text: str = "") -> str:  # noqa: ARG002
        """The question: its vector is made when it is asked."""
        return text

    def vary_query(self, query: str, settings: Settings) -> str:  # noqa: ARG002 - the engine has the settings
        """The same question."""
        return query

    def narrow_query(self, query: str, narrowing: Narrowing) -> Never:
        """Not possible: the settings are refused."""
        raise NotImplementedError(f"a question cannot be narrowed ({query}, {narrowing})")

    def place_nodes(self, nodes: list[Any], partition: str) -> Never:
        """Not possible: documents are ingested, not rows."""
        raise NotImplementedError(f"{len(nodes)} nodes cannot be inserted into {partition}")

    def make_probe(self, row: Row, settings: Settings) -> Never:
        """Not possible: documents are ingested, not rows."""
        raise NotImplementedError(f"there is no probe for {row.row_id} in {settings.collection}")

    def make_node(self, row: Row, settings: Settings) -> Never:
        """Not possible: documents are ingested, not rows."""
        raise NotImplementedError(f"{row.row_id} cannot be inserted into {settings.collection}")

    def ask(self, store: Engine, queries: Sequence[str]) -> list[SearchAnswer]:
        """What is retrieved for some questions, on some threads. Raises what the retriever raises."""
        with ThreadPoolExecutor(ASKED_TOGETHER, "loadgen-asking") as threads:
            return [_answer(nodes) for nodes in threads.map(store.retriever.retrieve, queries)]

    async def aask(self, store: Engine, queries: Sequence[str]) -> list[SearchAnswer]:
        """The same on the loop of the engine."""
        places = asyncio.Semaphore(ASKED_TOGETHER)

        async def ask(query: str) -> list[NodeWithScore]:
            async with places:
                return await store.retriever.aretrieve(query)

        return [_answer(nodes) for nodes in await asyncio.gather(*(ask(query) for query in queries))]

    def count(self, store: Engine) -> int:
        """Number of chunks according to the blocking client."""
        return int(store.store.client.query(store.store.collection_name, **COUNT)[0]["count(*)"])

    async def acount(self, store: Engine) -> int:
        """Number of chunks according to the async client."""
        result = await async_client_of(store.store).query(store.store.collection_name, **COUNT)
        return int(result[0]["count(*)"])


def _answer(nodes: Sequence[NodeWithScore]) -> SearchAnswer:
    return SearchAnswer(tuple(node.node.node_id for node in nodes), tuple(node.score or 0.0 for node in nodes))


@contextmanager
def judging(setting: str, model: ModelSpec) -> Iterator[None]:
    """Log an answer that the server of a model refuses now and then, as under load.

    Raises StoreError for any other error of the model, and what Milvus raises.
    """
    try:
        yield
    except (MilvusException, RpcError):
        raise
    except Exception as error:
        is_answer = getattr(error, "status_code", None) is not None or is_cut(error)
        if not (is_answer and outcome_of(error) in LIMITED):
            raise StoreError(f"--{setting} {explain_failure(model, error)}") from error
        logger.warning("The first question, which is not counted, was not answered: %s", describe(error))
