"""IPv6 addresses such as http://[::1]:19530, which pymilvus 2.6 passes to gRPC without brackets.

`ConnectionConfig.from_uri` joins host and port as `::1:19530`, in which gRPC finds no port ("Misformatted domain
name"), or, with a port of four digits, another address altogether. Both clients of pymilvus take theirs from there.
"""

from typing import Any
from urllib.parse import urlsplit

from pymilvus.client.connection_manager import ConnectionConfig

MARK = "_loadgen_brackets_ipv6"


def is_ipv6(uri: str) -> bool:
    """Whether the host of an address is IPv6."""
    return not uri.startswith("unix:") and ":" in (urlsplit(uri).hostname or "")


def bracket_ipv6() -> None:
    """Make pymilvus restore the brackets of every IPv6 address in this process. Idempotent."""
    made_from_uri = ConnectionConfig.from_uri
    if hasattr(made_from_uri, MARK):
        return

    def from_uri(_kind: type[ConnectionConfig], /, uri: str, **given: Any) -> ConnectionConfig:
        config = made_from_uri(uri, **given)
        host, _, port = config.address.rpartition(":")
        if ":" in host and not host.startswith(("[", "unix:")):
            config.address = f"[{host}]:{port}"
        return config

    setattr(from_uri, MARK, True)
    ConnectionConfig.from_uri = classmethod(from_uri)
