"""Whether a Milvus answers at the address, accepts the token and has the database, decided within ten seconds."""

import os
import re
import threading
from dataclasses import dataclass

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from loadgen.milvus.proxies import find_proxy
from loadgen.milvus.store.arguments import connection_arguments, quiet_client_log
from loadgen.milvus.store.errors import is_denied, server_words, status_of
from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.text.surroundings import is_in_pod

CONNECT_SECONDS = 6.0
CALL_SECONDS = 3.0
ALL_SECONDS = 9.0
REFUSALS = ("auth check failure", "unauthenticated", "invalid token", "permission deny", "permission denied")
"""Messages of several server versions for a wrong token, in lower case."""
GRANT = "Grant the user of --token the privileges that the documentation lists (Connecting to Milvus)"
SILENT = "before receiving settings frame"
"""Text of gRPC, in lower case, when a connection was accepted and nothing was said on it."""
UNCONNECTED = "failed to connect to all addresses"
"""Texts of gRPC when no server was reached; all other texts are from a server."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The server that answered."""

    version: str
    """As reported by the server, such as `v2.3.5-lite` (the standalone that pip installs) or `milvus_lite-3.2.2`."""
    kind: str
    """`milvus`, `lite` (Milvus Lite) or `zilliz` (Zilliz Cloud)."""

    def __str__(self) -> str:
        """For a log line."""
        return f"{self.kind} {self.version}"


def check_server(settings: Settings) -> ServerInfo:
    """Ask the server for its version and its collections. Blocks for at most ten seconds.

    Raises SettingsError with a fault on `host`, `token` or `database`.
    """
    quiet_client_log()
    answer: list[ServerInfo | BaseException] = []

    def ask() -> None:
        try:
            answer.append(_ask(settings))
        except BaseException as error:  # noqa: BLE001 it is raised again in the calling thread
            answer.append(error)

    # In a separate thread, because not every wait in the client has a timeout: name resolution has none.
    asking = threading.Thread(target=ask, name="loadgen-check", daemon=True)
    asking.start()
    asking.join(ALL_SECONDS)
    if not answer:
        raise SettingsError([_host_fault(settings, f"did not answer within {ALL_SECONDS:g} s")])
    if isinstance(answer[0], ServerInfo):
        return answer[0]
    if isinstance(answer[0], MilvusException | grpc.RpcError | OSError | ValueError):
        raise SettingsError([_fault_of(settings, answer[0])]) from answer[0]
    raise answer[0]


def _ask(settings: Settings) -> ServerInfo:
    client = MilvusClient(**connection_arguments(settings, CALL_SECONDS), timeout=CONNECT_SECONDS)
    try:
        version = str(client.get_server_version(timeout=CALL_SECONDS))
        client.list_collections(timeout=CALL_SECONDS)  # the version needs no authorization
        kind = "lite" if version.startswith("milvus_lite") else str(client.get_server_type())
    finally:
        client.close()
    return ServerInfo(version, kind)


def _fault_of(settings: Settings, error: BaseException) -> Fault:
    words = server_words(error)
    status, details = status_of(error)
    reported = f"{words} {details}".lower()
    if is_denied(error) and settings.token.get_secret_value():
        return Fault("token", "", f"is of a user who may not do this ({words})", f"{GRANT}.")
    unauthenticated = status in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
    # gRPC calls a certificate for another name "UNAUTHENTICATED" as well
    if unauthenticated or (UNCONNECTED not in reported and any(refusal in reported for refusal in REFUSALS)):
        problem = "is rejected by the server" if settings.token.get_secret_value() else "is required by the server"
        return Fault("token", "", problem, "Set LOADGEN_TOKEN to the token, or to user:password.")
    if settings.database and "database" in reported:
        hint = "Create it first, or omit --database for the default one."
        return Fault("database", settings.database, f"cannot be used ({words})", hint)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED or "timeout" in reported or SILENT in reported:
        return _host_fault(settings, f"accepts a connection but did not answer within {CONNECT_SECONDS:g} s")
    if status is grpc.StatusCode.UNAVAILABLE:
        last = re.sub(r"^[A-Z_]+: ", "", details.rpartition("; last error: ")[2]).rstrip(".")
        return _host_fault(settings, f"cannot be reached ({last or words})")
    return _host_fault(settings, f"does not answer as a Milvus does ({details or words})")


def _host_fault(settings: Settings, problem: str) -> Fault:
    tls = any((settings.ca_file, settings.server_cert_file, settings.host.lower().startswith("https:")))
    hint = "Start Milvus there, or give another address."
    if not is_in_pod():
        hint = "Start Milvus there, give another address, or none to start a server."
    if tls:
        hint += " With TLS, check the certificate files and --server-name as well."
    elif "Socket closed" in problem:
        hint += " If it speaks TLS, write https:// and name the certificate files."
    if proxy := name_proxy(settings):
        problem += f", {proxy}"
        hint += " To reach it without the proxy, add the host to no_proxy."
    return Fault("host", without_secret(settings.host), problem, hint)


def explain_failure(doing: str, settings: Settings, error: BaseException, step: str = "") -> str:
    """One line about a collection that cannot be prepared or opened: the server's message, with a remedy.

    `step` precedes the message, such as `loading stopped after 300 rows: `.
    """
    where = f"collection '{settings.collection}' on {without_secret(settings.host)}"
    line = f"cannot {doing} {where}: {step}{server_words(error)}"
    if is_denied(error):
        line += f". {GRANT}"
    elif status_of(error)[0] is grpc.StatusCode.UNAVAILABLE and (proxy := name_proxy(settings)):
        line += f", {proxy}"
    return line


def name_proxy(settings: Settings) -> str:
    """Name the proxy from the environment between here and the server; empty if there is none."""
    proxy = find_proxy(settings.host, os.environ)
    return f"through the proxy {proxy[1]} of {proxy[0]}" if proxy else ""
