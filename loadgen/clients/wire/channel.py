"""gRPC channels like those of pymilvus, without its interceptors."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from pymilvus.client.connection_manager import ConnectionConfig

from loadgen.measure.sample import Mode

OPTIONS: Mapping[str, Any] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    "grpc.enable_retries": 1,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.keepalive_permit_without_calls": True,
}
"""The defaults of pymilvus."""


def read_config(arguments: Mapping[str, Any]) -> ConnectionConfig:
    """Where to connect and how, from the keyword arguments of pymilvus's clients."""
    own = {name: value for name, value in arguments.items() if name not in ("uri", "dedicated")}
    return ConnectionConfig.from_uri(arguments["uri"], **own)


def open_channel(config: ConnectionConfig, mode: Mode) -> Any:
    """A blocking channel, or one for the running loop. Connects when it is used."""
    library = grpc if mode is Mode.SYNC else grpc.aio
    given = config.get_handler_kwargs()
    options = list({**OPTIONS, **given.get("grpc_options", {})}.items())
    if not given.get("secure"):
        return library.insecure_channel(config.address, options=options)
    if given.get("server_name"):
        options.append(("grpc.ssl_target_name_override", given["server_name"]))
    return library.secure_channel(config.address, _read_credentials(given), options=options)


def make_metadata(config: ConnectionConfig, identifier: int | None = None) -> tuple[tuple[str, str], ...]:
    """What each call sends: the database, the token, and the number that the server gave to the connection."""
    pairs = [("dbname", config.db_name)]
    if config.token:
        pairs.append(("authorization", base64.b64encode(config.token.encode()).decode()))
    if identifier is not None:
        pairs.append(("identifier", str(identifier)))
    return tuple(pairs)


def _read_credentials(given: Mapping[str, Any]) -> grpc.ChannelCredentials:
    """One-way TLS with `server_pem_path`; otherwise two-way if all three files of the client are given."""
    if trusted := given.get("server_pem_path"):
        return grpc.ssl_channel_credentials(root_certificates=Path(trusted).read_bytes())
    files = [given.get(name) for name in ("ca_pem_path", "client_key_path", "client_pem_path")]
    return grpc.ssl_channel_credentials(*(Path(one).read_bytes() for one in files if all(files) and one))
