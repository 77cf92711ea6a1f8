"""The HTTP endpoint of one process."""

import errno
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.registry import Collector

PORTS = 100
"""Ports that are tried at most: as many processes of this tool can be on one machine."""
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what may stand in the setting
"""Addresses that stand for all of a machine's, each with one of them that can be asked."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`/metrics` on one port, served by a thread of its own."""

    bind: str
    port: int
    _server: WSGIServer

    @property
    def target(self) -> str:
        """`host:port` as Prometheus on this machine asks for it."""
        host = ANYWHERE.get(self.bind, self.bind)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"http://{self.target}/metrics"

    def close(self) -> None:
        """Stop answering; idempotent."""
        self._server.shutdown()
        self._server.server_close()


def serve(registry: Collector, bind: str, port: int) -> Endpoint:
    """Answer on this port, or on the next free one where it is taken; 0 takes any.

    Raises OSError where the address is not this machine's or no port is free.
    """
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
