"""What can be seen of a server and of this tool's own collection without changing anything."""

from contextlib import closing

import grpc
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.collection import Collection, Existing
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.leases import LeaseTable
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.model import Settings

LOOK_SECONDS = 10.0


def look_at_own(settings: Settings) -> Existing | None:
    """The collection of these settings; None if there is none. Blocks. Raises StoreError if the server fails."""
    try:
        with Collection(settings, LOOK_SECONDS) as collection:
            return collection.look()
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("inspect", settings, error)) from error


def read_clock(settings: Settings) -> float | None:
    """The server's clock, in seconds since 1970; None if it has none, like Milvus Lite. Blocks.

    Raises StoreError if the server fails.
    """
    try:
        with closing(LeaseTable(settings)) as table:
            return table.now()
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("read the clock beside", settings, error)) from error
