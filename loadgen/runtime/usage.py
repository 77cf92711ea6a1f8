"""What this process uses beside CPU time: memory, and bytes to and from the server.

psutil knows the connections of a process, but not what they have carried: the kernel is asked for that. Linux only.
"""

import ctypes
import math
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from loadgen.runtime.proc import LIBC, read_proc

TCP_INFO = 11
SENT_AND_RECEIVED = 120
"""Where `struct tcp_info` has tcpi_bytes_acked and tcpi_bytes_received, 64 bits each (linux/tcp.h, since Linux 4.1)."""
SIZE = 256
NEEDED = SENT_AND_RECEIVED + 16
FILES = "/proc/self/fd"
LISTED_EVERY = 20
"""Samples for which a list of the connections to the server is used, unless one of them ends: listing them asks for
every open file."""


class Traffic(NamedTuple):
    """Bytes to and from the server, with the framing of HTTP/2 and TLS, without that of TCP and IP."""

    sent: int
    received: int


class TrafficMeter:
    """Counts the bytes of this process's TCP connections to some ports, since it was asked before.

    Bytes are counted when the other side has acknowledged them. Those that a connection carried between the last sample
    and its end are missing, those of its first two seconds unless it replaces another, and those through a proxy.
    """

    def __init__(self, find_ports: Callable[[], Collection[int]]) -> None:
        self._find_ports = find_ports
        self._buffer = ctypes.create_string_buffer(SIZE)
        self._seen: dict[int, Traffic] = {}
        """By the inode of the socket, which no other one has at the time."""
        self._files: dict[int, int] = {}
        self._age = LISTED_EVERY

    def read(self) -> Traffic | None:
        """The bytes since the last call; None without a connection, or where the kernel does not count."""
        self._age += 1
        if self._age > LISTED_EVERY or not self._files:
            self._list()
        result = {
            inode: counts
            for inode, file in self._files.items()
            if _inode_of(file) == inode and (counts := self._ask(file)) is not None
        }
        if len(result) < len(self._files):
            self._age = LISTED_EVERY  # one has ended, and another may have been opened instead
        if not result:
            return None
        before = {inode: self._seen.get(inode, counts) for inode, counts in result.items()}
        self._seen = result
        sent = sum(counts.sent - before[inode].sent for inode, counts in result.items())
        received = sum(counts.received - before[inode].received for inode, counts in result.items())
        return Traffic(max(0, sent), max(0, received))

    def count(self) -> int:
        """The connections to the ports that are open now."""
        self._list()
        size, result = ctypes.c_uint32(SIZE), 0
        for file in self._files.values():
            size.value = SIZE
            failed = LIBC.getsockopt(file, socket.IPPROTO_TCP, TCP_INFO, self._buffer, ctypes.byref(size))
            result += not failed and self._buffer.raw[0] == ESTABLISHED
        return result

    def _list(self) -> None:
        """Find the sockets whose other end has one of the ports."""
        self._age, self._files = 0, {}
        ports = set(self._find_ports())
        try:
            files = [int(one) for one in os.listdir(FILES)] if ports else []  # noqa: PTH208 - a tenth of the time
        except OSError:
            return
        for file in files:
            if self._port_of(file) in ports and (inode := _inode_of(file)):
                self._files[inode] = file

    def _port_of(self, file: int) -> int:
        """The port of the other end; 0 for what is no TCP connection."""
        size = ctypes.c_uint32(SIZE)
        if LIBC.getpeername(file, self._buffer, ctypes.byref(size)):
            return 0
        family = struct.unpack_from("=H", self._buffer)[0]
        return struct.unpack_from("!H", self._buffer, 2)[0] if family in (socket.AF_INET, socket.AF_INET6) else 0

    def _ask(self, file: int) -> Traffic | None:
        size = ctypes.c_uint32(SIZE)
        if LIBC.getsockopt(file, socket.IPPROTO_TCP, TCP_INFO, self._buffer, ctypes.byref(size)):
            return None
        return Traffic(*struct.unpack_from("=QQ", self._buffer, SENT_AND_RECEIVED)) if size.value >= NEEDED else None


def _inode_of(file: int) -> int:
    """The inode of an open socket; 0 if the file is closed, or is something else."""
    try:
        known = os.fstat(file)
    except OSError:
        return 0
    return known.st_ino if stat.S_ISSOCK(known.st_mode) else 0


def read_memory(statm: Path = Path("/proc/self/statm")) -> float:
    """Resident memory of this process in bytes; nan where the system does not tell."""
    try:
        return int(read_proc(str(statm)).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return math.nan


ESTABLISHED = 1
"""The state of a TCP connection that both sides keep, in the first byte of `struct tcp_info`."""


def count_connections(ports: Collection[int]) -> int | None:
    """The open TCP connections of this process to some ports; None where the system does not tell."""
    meter = TrafficMeter(lambda: ports)
    return meter.count() if Path(FILES).is_dir() and sys.platform == "linux" else None
