"""The layer that is called by default: LlamaIndex's MilvusVectorStore, blocking and asyncio."""

from loadgen.clients.layers import Layer
from loadgen.clients.llamaindex.async_client import AsyncClient
from loadgen.clients.llamaindex.connector import StoreConnector
from loadgen.clients.llamaindex.sync_client import SyncClient
from loadgen.clients.vector_client import OPERATIONS
from loadgen.measure.sample import Mode

__all__ = ["LAYER", "AsyncClient", "SyncClient"]

LAYER = Layer(OPERATIONS, {Mode.SYNC: SyncClient, Mode.ASYNC: AsyncClient}, StoreConnector())
