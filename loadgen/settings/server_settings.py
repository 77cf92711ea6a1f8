"""Settings of the server and of the connections to it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from loadgen.settings.setting import OF_HOST, ON_PAGE, setting


class ServerSettings(BaseModel):
    """The server."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = setting(
        "", "address of Milvus or Zilliz Cloud (Locust's --host); default: start an embedded server", declares=ON_PAGE
    )
    token: SecretStr = setting(
        SecretStr(""),
        "token, or user:password; prefer LOADGEN_TOKEN to the command line",
        declares={"page": True, "address": "host"},
    )
    database: str = setting("", "database; default: the server's", declares=ON_PAGE)
    embedded: Literal["auto", "milvus", "lite"] = setting(
        "auto", "server to start without --host: Milvus standalone (extra 'server') or Milvus Lite"
    )
    connections: int = setting(
        1, "gRPC connections per variant and process, shared by its users in turn", ge=1, le=1024
    )
    deadline: float = setting(30.0, "time after which an unanswered operation is a timeout", unit="s", gt=0, le=600)
    retries: int = setting(0, "retries of a failed RPC by pymilvus; they count as latency", ge=0, le=75)
    server_metrics: str = setting(
        "", "addresses of Milvus's Prometheus metrics, joined with commas; default: those of an embedded Milvus"
    )
    ca_file: str = setting("", "PEM file of the CA that signed the server's certificate; enables TLS")
    client_cert_file: str = setting(
        "", "PEM file of the client certificate, for mutual TLS; requires its key", declares=OF_HOST
    )
    client_key_file: str = setting("", "PEM file of the client key, for mutual TLS", declares=OF_HOST)
    server_cert_file: str = setting(
        "", "PEM file of the server certificate: trust only this one, whatever --ca-file is"
    )
    server_name: str = setting("", "name in the server certificate, if it differs from the address")
