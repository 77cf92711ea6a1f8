"""A TCP relay in front of a server that delays all answers for part of each second."""

import socket
import threading
import time
from typing import Self
from urllib.parse import urlsplit


class StallingRelay:
    """Listens on a free port of this machine; `uri` is for clients. Answers wait while the server seems to stall.

    `host` is a loopback address, of IPv4 or IPv6.
    """

    def __init__(self, upstream: str, stall: float = 0.0, every: float = 1.0, host: str = "127.0.0.1") -> None:
        parts = urlsplit(upstream)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 0)
        self._stall = stall
        self._every = every
        self._over = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._sockets: list[socket.socket] = [self._listener]
        shown = f"[{host}]" if ":" in host else host
        self.uri = f"http://{shown}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def slow_down(self, stall: float, every: float) -> None:
        """Stall so long from now on."""
        self._every, self._stall = every, stall

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                continue
            server.settimeout(None)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(one)
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, stalls: bool) -> None:
        try:
            while data := source.recv(65_536):
                if stalls and (place := time.monotonic() % self._every) < self._stall:
                    time.sleep(self._stall - place)
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._over = True
        for one in self._sockets:
            one.close()
