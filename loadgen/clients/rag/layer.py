"""The layer of the RAG path: questions to an index of documents, blocking and asyncio."""

from loadgen.clients.layers import Layer
from loadgen.clients.rag.async_client import AsyncClient
from loadgen.clients.rag.client import OPERATIONS
from loadgen.clients.rag.connector import RagConnector
from loadgen.clients.rag.data import DocumentSource
from loadgen.clients.rag.sync_client import SyncClient
from loadgen.measure.sample import Mode

__all__ = ["LAYER", "AsyncClient", "SyncClient"]

LAYER = Layer(OPERATIONS, {Mode.SYNC: SyncClient, Mode.ASYNC: AsyncClient}, RagConnector(), DocumentSource())
