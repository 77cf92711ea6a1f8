"""The leanest layer: requests spliced from ready bytes, over plain gRPC, and answers reduced to what was asked for."""

from loadgen.clients.layers import Layer
from loadgen.clients.vector_client import OPERATIONS
from loadgen.clients.wire.async_client import AsyncClient
from loadgen.clients.wire.connector import WireConnector
from loadgen.clients.wire.sync_client import SyncClient
from loadgen.measure.sample import Mode

__all__ = ["LAYER", "AsyncClient", "SyncClient"]

LAYER = Layer(OPERATIONS, {Mode.SYNC: SyncClient, Mode.ASYNC: AsyncClient}, WireConnector())
