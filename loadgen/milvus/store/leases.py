"""The collection of leases: one row per lease, in the database of the measured collection."""

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
from pymilvus import DataType, MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.holders import Holder
from loadgen.settings.conflicts import LEASES
from loadgen.settings.model import Settings

CALL_SECONDS = 10.0
REMOVE_SECONDS = 2.0
"""Time limit at the end of a process, which a dead server must not delay."""
LOGICAL_BITS = 18
"""Low bits of a Milvus timestamp that count within a millisecond; the rest is milliseconds since 1970."""
FIELDS = {"lease": 128, "collection": 512, "body": 4096}
"""Text fields and their maximum lengths; `lease` is the key."""
VECTOR = "unused"
"""A Milvus collection needs a vector field."""


class LeaseTable:
    """The rows, over a separate connection. Every method blocks and raises MilvusException or grpc.RpcError."""

    def __init__(self, settings: Settings) -> None:
        self._client = MilvusClient(**connection_arguments(settings, CALL_SECONDS))

    def close(self) -> None:
        """Close the connection; idempotent."""
        with contextlib.suppress(MilvusException, grpc.RpcError):
            self._client.close()

    @property
    def is_there(self) -> bool:
        """Whether the collection exists."""
        return bool(self._client.has_collection(LEASES))

    def open(self) -> None:
        """Create the collection if it does not exist, and load it. Others may do so concurrently."""
        if not self.is_there:
            with _unless_made(self._client):
                self._create()
        if not self._client.list_indexes(LEASES):  # its creator may not have finished
            index = self._client.prepare_index_params()
            index.add_index(VECTOR, index_type="FLAT", metric_type="L2")
            with _unless_indexed(self._client):
                self._client.create_index(LEASES, index)
        if self._client.get_load_state(LEASES)["state"] != LoadState.Loaded:
            self._client.load_collection(LEASES)

    def _create(self) -> None:
        about = "milvus-loadgen: who uses which collection now. It may be dropped while no run goes on."
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=about)
        for name, length in FIELDS.items():
            schema.add_field(name, DataType.VARCHAR, max_length=length, is_primary=name == "lease")
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=2)
        self._client.create_collection(LEASES, schema=schema, consistency_level="Strong", num_shards=1)

    def now(self) -> float | None:
        """Seconds by the server's own clock; None if it provides none, like Milvus Lite."""
        try:
            reported = int(self._client._get_connection().alloc_timestamp(timeout=CALL_SECONDS))  # noqa: SLF001
        except (AttributeError, MilvusException, grpc.RpcError):
            return None
        return (reported >> LOGICAL_BITS) / 1000 or None

    def read(self, *, strong: bool = True) -> list[Holder]:
        """The newest row of each lease. Strong consistency: includes every row written before this call."""
        rows = self._client.query(
            LEASES,
            filter='lease != ""',
            output_fields=["body"],
            consistency_level="Strong" if strong else "Eventually",
            timeout=CALL_SECONDS,
        )
        newest: dict[str, Holder] = {}
        for row in rows:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                holder = Holder.from_text(row["body"])
                if holder.lease not in newest or newest[holder.lease].beat < holder.beat:
                    newest[holder.lease] = holder
        return list(newest.values())

    def write(self, holder: Holder) -> None:
        """Add the row of a new heartbeat, then remove the previous one, so that a row exists at any time.

        As an upsert, so that inserts counted on the server do not include leases.
        """
        row: dict[str, Any] = {"lease": holder.row, "collection": holder.collection, "body": holder.as_text()}
        self._client.upsert(LEASES, [row | {VECTOR: [0.0, 0.0]}], timeout=CALL_SECONDS)
        if holder.beat > 1:
            self._client.delete(LEASES, ids=[f"{holder.lease}#{holder.beat - 1}"], timeout=CALL_SECONDS)

    def remove(self, holder: Holder) -> None:
        """Remove the row of this heartbeat and those just before and after it."""
        rows = [f"{holder.lease}#{beat}" for beat in range(holder.beat - 1, holder.beat + 2)]
        self._client.delete(LEASES, ids=rows, timeout=REMOVE_SECONDS)


@contextlib.contextmanager
def _unless_made(client: Any) -> Iterator[None]:
    """Ignore a failed creation if another run was faster."""
    try:
        yield
    except MilvusException:
        if not client.has_collection(LEASES):
            raise


@contextlib.contextmanager
def _unless_indexed(client: Any) -> Iterator[None]:
    """Ignore failed indexing if another run was faster."""
    try:
        yield
    except MilvusException:
        if not client.list_indexes(LEASES):
            raise
