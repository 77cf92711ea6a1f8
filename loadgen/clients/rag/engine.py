"""What a client of the RAG path calls: one connection with its retriever and its query engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import environ
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import LLM
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.rag.documents import make_splitter
from loadgen.clients.rag.models import OPENAI_KEY, SERVER, SIMULATED, THREADS, ModelSpec, make_embedding, make_llm
from loadgen.clients.rag.pipeline import IngestPath
from loadgen.clients.rag.stages import time_async_search, time_search
from loadgen.clients.rag.tokens import TokenCounts
from loadgen.settings.model import Settings
from loadgen.settings.rag_settings import KEY_VARIABLES
from loadgen.text.masking import keep_secret

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a variant; all its connections and users share them."""

    embedding: BaseEmbedding
    llm: LLM
    embedding_spec: ModelSpec
    llm_spec: ModelSpec


@dataclass(frozen=True, slots=True)
class Engine:
    """One connection."""

    store: MilvusVectorStore
    models: Models
    retriever: BaseRetriever
    query_engine: BaseQueryEngine
    ingest_path: IngestPath
    deadline: float
    """Seconds that an operation may take."""
    tokens: TokenCounts = field(default_factory=TokenCounts)
    """Counts the tokens that no model reports."""


def make_models(settings: Settings) -> Models:
    """Load or connect the models of a variant. Raises ModelError."""
    specs = embedding_spec(settings), llm_spec(settings)
    return Models(make_embedding(specs[0], find_place(settings)), make_llm(specs[1]), *specs)


def make_engine(store: MilvusVectorStore, models: Models, settings: Settings) -> Engine:
    """The index over an open store, with its default prompts and its default response mode.

    The searches of the store's clients are timed from here on.
    """
    store.client.search = time_search(store.client.search)
    if store.aclient is not None:
        store.aclient.search = time_async_search(store.aclient.search)
    index = VectorStoreIndex.from_vector_store(store, embed_model=models.embedding)
    result = {"similarity_top_k": settings.top_k}
    query_engine = index.as_query_engine(llm=models.llm, streaming=settings.stream, **result)
    path = IngestPath(make_splitter(settings.chunk_size, settings.chunk_overlap), models.embedding, index)
    return Engine(store, models, index.as_retriever(**result), query_engine, path, settings.deadline)


def embedding_spec(settings: Settings) -> ModelSpec:
    """The embedding model of these settings."""
    return _make_spec("embedding", settings, {"batch_size": 64})


def llm_spec(settings: Settings) -> ModelSpec:
    """The language model of these settings."""
    return _make_spec("llm", settings, {})


def _make_spec(model: str, settings: Settings, more: Mapping[str, Any]) -> ModelSpec:
    name, url = getattr(settings, model), getattr(settings, f"{model}_url")
    if name.partition(":")[0] == SIMULATED:
        url = url or settings.simulated_url
    key = "" if name.partition(":")[0] == SIMULATED else find_key(model, url, environ)  # it asks for none
    keep_secret(key)
    return ModelSpec(name, url, key, timeout=settings.deadline, is_traced=settings.trace_sample > 0, **more)


def find_key(model: str, url: str, variables: Mapping[str, str]) -> str:
    """The API key of a model; that of OpenAI is sent to OpenAI alone."""
    own = variables.get(KEY_VARIABLES[model], "")
    return own or ("" if url else variables.get(OPENAI_KEY, ""))


def find_place(settings: Settings) -> str:
    """Where questions are embedded."""
    if settings.embed_in != AUTO:
        return settings.embed_in
    return SERVER if embedding_spec(settings).is_remote else THREADS
