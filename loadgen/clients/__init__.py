"""The twins: one operation in, one sample out."""

from loadgen.clients.async_client import AsyncClient
from loadgen.clients.base import ClosedError
from loadgen.clients.sync_client import SyncClient

__all__ = ["AsyncClient", "ClosedError", "SyncClient"]
