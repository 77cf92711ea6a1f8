"""Settings as keyword arguments of MilvusVectorStore and of pymilvus."""

import json
import logging
from typing import Any

from llama_index.vector_stores.milvus.utils import BM25BuiltInFunction

from loadgen.measure.sample import Mode
from loadgen.milvus.proxies import channel_options
from loadgen.milvus.store.ipv6 import bracket_ipv6, is_ipv6
from loadgen.milvus.store.shortfall import as_timeout
from loadgen.settings.model import Settings
from loadgen.text.masking import keep_token

TEXT, SPARSE = "text", "sparse_embedding"
"""LlamaIndex's names of the text field and of the BM25 field."""
SERVICE = "milvus.proto.milvus.MilvusService"
OPERATIONS = ("Search", "HybridSearch", "Query", "Insert", "Upsert", "Delete")
"""RPCs to which the deadline applies."""
OTHER_DEADLINE = 30.0
RECONNECTING = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 5_000,
    "grpc.max_reconnect_backoff_ms": 1_000,
}
"""A channel that is kept (`keep_channel`) would wait up to two minutes before it looks again for a restarted server.

The second is what gRPC allows an attempt to connect: 20 s by default."""


def store_arguments(settings: Settings, mode: Mode) -> dict[str, Any]:
    """For MilvusVectorStore: the same for both modes, except that only the async one has an async client."""
    own = {
        "collection_name": settings.collection,
        "dim": settings.dim,
        "similarity_metric": settings.metric,
        "consistency_level": settings.consistency,
        "index_config": settings.index_config,
        "search_config": settings.search_config,
        "batch_size": settings.batch_size,
        "upsert_mode": settings.upsert,
        "output_fields": list(settings.output_fields),
        "use_async_client": mode is Mode.ASYNC,
    }
    fields = _fields(settings) if settings.existing else {}
    return connection_arguments(settings, settings.deadline) | own | fields | _full_text(settings)


def _full_text(settings: Settings) -> dict[str, Any]:
    """The BM25 field that the server fills from the text; left to itself, LlamaIndex would look it up in each store."""
    if not settings.has_full_text:
        return {}
    field = settings.sparse_field or SPARSE
    function = BM25BuiltInFunction(settings.text_field or TEXT, field)
    return {"enable_sparse": True, "sparse_embedding_field": field, "sparse_embedding_function": function}


def _fields(settings: Settings) -> dict[str, Any]:
    """The fields of an existing collection."""
    result = {"embedding_field": settings.embedding_field, "text_key": settings.text_field}
    return result | ({"doc_id_field": settings.doc_id_field} if settings.doc_id_field else {})


def connection_arguments(settings: Settings, deadline: float) -> dict[str, Any]:
    """For pymilvus's clients: a separate connection on which each operation has this deadline, in seconds.

    gRPC enforces the deadline: pymilvus's own `timeout` costs the async client an `asyncio.wait_for` each
    time. `dedicated` gives a client its own channel, and the local pool gives each channel its own TCP connection.
    A shared channel would keep the options of its first user.
    """
    if is_ipv6(settings.host):
        bracket_ipv6()
    keep_token(settings.token.get_secret_value())
    arguments: dict[str, Any] = {
        "uri": settings.host,
        "token": settings.token.get_secret_value(),
        "dedicated": True,
        "grpc_options": {
            **RECONNECTING,
            "grpc.use_local_subchannel_pool": 1,
            "grpc.service_config": _service_config(deadline),
            **channel_options(settings.host),
        },
    }
    if settings.database:
        arguments["db_name"] = settings.database
    files = _tls_files(settings)
    if files or settings.host.lower().startswith("https:"):
        arguments |= files | {"secure": True}
    if settings.server_name:
        arguments["server_name"] = settings.server_name
    return arguments


def _tls_files(settings: Settings) -> dict[str, str]:
    """The given certificate files, by pymilvus's names.

    pymilvus trusts `server_pem_path` in one-way TLS and then ignores the client's files; with these it trusts
    `ca_pem_path`, which it reads in no other case. Here one file is trusted in both cases: the server's certificate
    if given, because that is stricter than its authority's, otherwise the authority's.
    """
    trusted = settings.server_cert_file or settings.ca_file
    if settings.client_cert_file:
        own = {"client_pem_path": settings.client_cert_file, "client_key_path": settings.client_key_file}
        return own | {"ca_pem_path": trusted}
    return {"server_pem_path": trusted} if trusted else {}


def _service_config(deadline: float) -> str:
    """The deadline on the operations; a longer one on other calls, so that a tight one does not prevent opening."""
    operations = [{"service": SERVICE, "method": method} for method in OPERATIONS]
    methods = [
        {"name": operations, "timeout": as_timeout(deadline)},
        {"name": [{}], "timeout": as_timeout(max(deadline, OTHER_DEADLINE))},
    ]
    return json.dumps({"methodConfig": methods})


def quiet_client_log() -> None:
    """Keep pymilvus from printing a traceback for each failed operation: failures are data here, and are counted."""
    for name in ("pymilvus.decorators", "pymilvus.client.connection_manager"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
