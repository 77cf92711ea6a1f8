"""Free ports, reserved for a server until it listens."""

import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from loadgen.milvus.server.errors import RefusedError

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - the socket never listens; Milvus binds its ports on every address
PORTS = (
    "proxy",
    "proxy_internal",
    "etcd",
    "root_coord",
    "query_coord",
    "query_node",
    "index_coord",
    "index_node",
    "data_coord",
    "data_node",
    "etcd_peer",
    "metrics",
)
"""The ports of a Milvus standalone."""
ON_LOOPBACK = ("etcd", "etcd_peer")
"""Those that listen on loopback only. The others cannot: Milvus 2.3.5 has no setting for it."""
UNUSED = ("index_coord",)
"""Those on which nothing listens."""
KEEPS = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Port numbers reserved for this process; a context manager that releases them.

    Linux lets the server listen on a port that is bound here without listening, as both sides set SO_REUSEADDR, and
    gives such a port neither to a search for a free one nor to an outgoing connection. So two runs that start at
    the same moment do not meet. Elsewhere the numbers are merely distinct, and a collision shows as a failed start.
    """

    numbers: tuple[int, ...]
    sockets: tuple[socket.socket, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for held in self.sockets:
            held.close()


def reserve_ports(first: int, count: int) -> Reservation:
    """`count` distinct ports, the first of them `first`, or a free one if that is 0.

    Raises `RefusedError` if `first` is taken or not allowed.
    """
    sockets: list[socket.socket] = []
    try:
        for number in (first, *[0] * (count - 1)):
            sockets.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            _bind(sockets[-1], number)
    except BaseException:
        for held in sockets:
            held.close()
        raise
    numbers = tuple(int(held.getsockname()[1]) for held in sockets)
    if not KEEPS:
        for held in sockets:
            held.close()
    return Reservation(numbers, tuple(sockets))


def hold_ports(numbers: Sequence[int]) -> Reservation:
    """Keep the ports of a server that has ended for its next start; those that are taken meanwhile are not held."""
    sockets: list[socket.socket] = []
    for number in numbers if KEEPS else ():
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            _bind(held, number)
        except RefusedError:
            held.close()
            continue
        sockets.append(held)
    return Reservation(tuple(numbers), tuple(sockets))


def _bind(held: socket.socket, number: int) -> None:
    if number:  # connections of a server that has just ended (TIME_WAIT) are no reason to call its port busy
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((EVERY_ADDRESS, number))
    except OSError as error:
        if not number:
            raise
        problem = "is in use by another program" if error.errno == errno.EADDRINUSE else f"({error.strerror})"
        raise RefusedError(f"port {number} {problem}; choose another, or 0 for a free one") from None
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after the search, which it would make less strict
