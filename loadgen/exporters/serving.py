"""The HTTP endpoint of one process."""

import errno
import socket
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.registry import Collector

PORTS = 100
"""Maximum ports to try: the maximum processes of this tool per machine."""
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a value of the setting
"""Wildcard addresses, each with an address to connect to."""
ALL = "*"
"""All interfaces, of IPv4 and of IPv6 if the machine has it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`/metrics` on one port, served by its own thread."""

    bind: str
    port: int
    _server: WSGIServer

    @property
    def is_for_others(self) -> bool:
        """Whether other machines reach it, under an address that is unknown here."""
        return self.bind in ANYWHERE

    @property
    def target(self) -> str:
        """`host:port` for a Prometheus on this machine."""
        host = ANYWHERE.get(self.bind, self.bind)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL for a browser."""
        return f"http://{self.target}/metrics"

    def close(self) -> None:
        """Stop answering; idempotent."""
        self._server.shutdown()
        self._server.server_close()


def serve(registry: Collector, bind: str, port: int) -> Endpoint:
    """Serve on this port, or on the next free one if it is taken; 0 picks any free port.

    Raises OSError if the address is not one of this machine's, or if no port is free.
    """
    if bind == ALL:
        bind = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - asked for
    last = min(port + PORTS, 65_536) if port else 1
    for wanted in range(port, last):
        try:
            server: Any = start_http_server(wanted, bind, registry)[0]
        except OSError as error:
            if error.errno != errno.EADDRINUSE or wanted == last - 1:
                raise
        else:
            return Endpoint(bind, server.server_port, server)
    raise AssertionError("unreachable")
