"""One connection to one collection: prepared calls, and the state that requests depend on."""

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import grpc.aio
from pymilvus.client import ts_utils
from pymilvus.client.abstract import CollectionSchema
from pymilvus.client.prepare import Prepare
from pymilvus.client.utils import check_status, is_successful
from pymilvus.decorators import retry_on_rpc_failure
from pymilvus.exceptions import DescribeCollectionException
from pymilvus.grpc_gen import milvus_pb2

from loadgen.clients.pymilvus.store import find_doc_id_field, select_document
from loadgen.clients.staging import time_async_call, time_call
from loadgen.clients.tracing import trace_call
from loadgen.clients.wire.answers import decode_count, decode_search, decode_written
from loadgen.clients.wire.channel import make_metadata, open_channel, read_config
from loadgen.clients.wire.rows import encode_rows
from loadgen.clients.wire.searches import PreparedSearch, build_search
from loadgen.measure.sample import Mode
from loadgen.milvus.store.arguments import SERVICE, connection_arguments
from loadgen.milvus.store.opening import find_fingerprint
from loadgen.settings.model import Settings

DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "Search": decode_search,
    "Insert": decode_written,
    "Upsert": decode_written,
    "Delete": decode_written,
    "Query": decode_count,
}
"""The calls, and what becomes of their answers."""
OTHERS: Mapping[str, Any] = {
    "Connect": milvus_pb2.ConnectResponse,
    "DescribeCollection": milvus_pb2.DescribeCollectionResponse,
}
"""The calls of the start, and the types of their answers."""


class WireStore:
    """A connection and a collection; users share it. Unusable until its `connect`."""

    mode: Mode
    search: Callable[..., Any]
    """Sends a serialised request. Of further arguments it takes the `timeout`, which replaces the deadline. Returns
    Hits, in async mode to be awaited."""
    insert: Callable[..., Any]
    """An upsert if the settings ask for it. Returns Written."""
    delete: Callable[..., Any]
    count: Callable[..., Any]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._collection = settings.collection
        self._config = read_config(connection_arguments(settings, settings.deadline))
        self._documents, self._is_by_key = find_doc_id_field(settings)
        self._schema: Mapping[str, Any] = {}
        self._channel: Any = None

    def encode(self, query: PreparedSearch, given: Mapping[str, Any]) -> bytes:
        """A search; with further arguments of pymilvus's `search` it is made by pymilvus."""
        if not given:
            return query.encode(self._last_write())
        request = build_search(query.arguments(**given), self._config.address, self._config.db_name)
        packed: bytes = request.SerializeToString()
        return packed

    def encode_rows(self, rows: list[dict[str, Any]], given: Mapping[str, Any]) -> bytes:
        """An insert or an upsert. Raises TypeError for further arguments that are unknown."""
        partition = _find_partition(given)
        return encode_rows(self._collection, rows, partition, self._schema, upserts=self.settings.upsert)

    def encode_deletion(self, ref_doc_id: str, given: Mapping[str, Any]) -> bytes:
        """A delete of the rows of a document. Raises TypeError for further arguments that are unknown."""
        expression = select_document(self._documents, ref_doc_id, is_by_key=self._is_by_key)
        request = Prepare.delete_request(self._collection, expression, _find_partition(given) or None, 0)
        packed: bytes = request.SerializeToString()
        return packed

    def encode_count(self) -> bytes:
        """A query for the number of rows, all that were written before it."""
        consistency = {"use_default_consistency": False, "consistency_level": 0, "guarantee_timestamp": 0}
        packed: bytes = Prepare.query_request(self._collection, "", ["count(*)"], [], **consistency).SerializeToString()
        return packed

    def note_write(self, timestamp: int) -> None:
        """Remember a write where pymilvus does, for searches that have to see it."""
        ts_utils.update_collection_ts(self._collection, timestamp, self._config.address, self._config.db_name)

    def _last_write(self) -> int:
        last: int = ts_utils.get_collection_ts(self._collection, self._config.address, self._config.db_name)
        return last

    def _open(self) -> tuple[Any, Any]:
        """Open the channel; returns its `Connect` and its `DescribeCollection`, for messages."""
        self._channel = open_channel(self._config, self.mode)
        calls = (
            self._channel.unary_unary(
                f"/{SERVICE}/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            for method, answer in OTHERS.items()
        )
        connect, describe = calls
        first = make_metadata(self._config)
        request = Prepare.register_request(None, socket.gethostname())
        described = Prepare.describe_collection_request(self._collection)
        return partial(connect, request, metadata=first), partial(describe, described, metadata=first)

    def _learn(self, connected: Any, described: Any) -> str:
        """Prepare the calls and keep the schema; returns the fingerprint of the data. Raises MilvusException."""
        check_status(connected.status)
        if not is_successful(described.status):
            status = described.status
            raise DescribeCollectionException(status.code, status.reason, status.error_code)
        self._schema = CollectionSchema(raw=described).dict()
        metadata = make_metadata(self._config, connected.identifier)
        self.search, self.delete, self.count = (self._prepare(one, metadata) for one in ("Search", "Delete", "Query"))
        self.insert = self._prepare("Upsert" if self.settings.upsert else "Insert", metadata)
        return find_fingerprint(dict(self._schema))

    def _prepare(self, method: str, metadata: tuple[tuple[str, str], ...]) -> Callable[..., Any]:
        """A call, with pymilvus's own retries if there are any."""
        rpc = self._channel.unary_unary(f"/{SERVICE}/{method}")
        if self.settings.stages:
            rpc = (time_call if self.mode is Mode.SYNC else time_async_call)(rpc)
        if self.settings.trace_sample:
            rpc = trace_call(rpc)
        call = self._make_call(rpc, DECODERS[method], metadata)
        if not self.settings.retries:
            return call
        return partial(retry_on_rpc_failure()(call), retry_times=self.settings.retries)

    def _make_call(self, rpc: Any, decode: Callable[[bytes], Any], metadata: Any) -> Callable[..., Any]:
        raise NotImplementedError


def _find_partition(given: Mapping[str, Any]) -> str:
    """The partition of a write. Raises TypeError for arguments that are unknown."""
    if unknown := given.keys() - {"partition_name", "timeout"}:
        raise TypeError(f"the wire client does not know {', '.join(sorted(unknown))}: omit it")
    return str(given.get("partition_name") or "")


class SyncStore(WireStore):
    """The blocking twin."""

    mode = Mode.SYNC

    def connect(self) -> str:
        """Connect and load the schema; returns the fingerprint of the data, empty if it has none."""
        connect, describe = self._open()
        return self._learn(connect(), describe())

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        if self._channel is not None:
            self._channel.close()

    def _make_call(self, rpc: Any, decode: Callable[[bytes], Any], metadata: Any) -> Callable[..., Any]:
        def call(request: bytes, **given: Any) -> Any:
            return decode(rpc(request, timeout=given.get("timeout"), metadata=metadata))

        return call


class AsyncStore(WireStore):
    """The asyncio twin; belongs to the loop that connects it."""

    mode = Mode.ASYNC

    async def connect(self) -> str:
        """Connect and load the schema; returns the fingerprint of the data, empty if it has none."""
        connect, describe = self._open()
        return self._learn(await connect(), await describe())

    async def close(self) -> None:
        """Close the connection; a second time does nothing."""
        if self._channel is not None:
            await self._channel.close()

    def _make_call(self, rpc: Any, decode: Callable[[bytes], Any], metadata: Any) -> Callable[..., Any]:
        constant = grpc.aio.Metadata(*metadata)

        async def call(request: bytes, **given: Any) -> Any:
            return decode(await rpc(request, timeout=given.get("timeout"), metadata=constant))

        return call
