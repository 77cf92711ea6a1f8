"""HTTP proxies between this machine and a server: never used for loopback, and named if a connection fails.

gRPC's rules, tested with grpcio 1.85: of `grpc_proxy`, `https_proxy` and `http_proxy`, in lower case, the first that is
set counts, even if empty; only http:// is supported. Of `no_grpc_proxy` and `no_proxy` the first that is set lists
hosts without a proxy: domains with their subdomains, addresses, networks such as 10.0.0.0/8. `all_proxy` is not read.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
LOCAL_NAMES = ("localhost", "ip6-localhost", "ip6-loopback")
ON_LOOPBACK: dict[str, int] = {"grpc.enable_http_proxy": 0, "grpc.keepalive_permit_without_calls": 0}
"""No proxy, and no pings while nothing is in flight: pymilvus sends one every 10 s. The gRPC server of Milvus Lite
allows one in five minutes, and closes the connection then, at times when an operation begins (`Too many pings`)."""


def channel_options(address: str) -> dict[str, int]:
    """Options of a gRPC channel to this address (http://host:port or host:port)."""
    return dict(ON_LOOPBACK) if is_at_loopback(address) else {}


def is_at_loopback(address: str) -> bool:
    """Whether only this machine reaches the address (http://host:port or host:port)."""
    return is_loopback(_host_of(address))


def find_proxy(address: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The proxy through which gRPC reaches this address: the variable's name and its value without a password."""
    host = _host_of(address)
    name = next((name for name in VARIABLES if name in environment), "")
    value = environment.get(name, "")
    if not host or is_loopback(host) or not value.lower().startswith("http://"):
        return None
    listed = next((environment[name] for name in EXCEPTIONS if name in environment), "")
    if any(_excludes(entry.strip(), host) for entry in listed.split(",")):
        return None
    credentials, _, place = value[len("http://") :].rpartition("@")
    return name, f"http://{'***@' if credentials else ''}{place}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without brackets) is loopback, without resolving it."""
    name = host.lower().rstrip(".")
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address.is_loopback or address.is_unspecified or (mapped is not None and mapped.is_loopback)


def _host_of(address: str) -> str:
    """The host of an address; empty for a Unix socket or an invalid address."""
    if address.startswith("unix:"):
        return ""
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _excludes(entry: str, host: str) -> bool:
    if not entry:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except (ValueError, TypeError):
        domain = entry.lower().lstrip(".")
        return host.lower() == domain or host.lower().endswith(f".{domain}")
