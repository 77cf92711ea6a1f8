"""The ports of an embedded server: distinct, kept until it listens, and a clear word about one that is taken."""

import socket
import sys

import pytest

from loadgen.milvus.server.errors import RefusedError
from loadgen.milvus.server.ports import reserve_ports


def occupy(number: int = 0) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", number))
    listener.listen()
    return listener


def test_two_reservations_at_once_share_no_port() -> None:
    with reserve_ports(0, 12) as one, reserve_ports(0, 12) as other:
        assert len({*one.numbers, *other.numbers}) == 24
        assert all(1024 <= number <= 65_535 for number in one.numbers)


def test_the_port_that_was_asked_for_comes_first() -> None:
    with reserve_ports(0, 1) as result:
        pass
    with reserve_ports(result.numbers[0], 3) as again:
        assert again.numbers[0] == result.numbers[0]
        assert len(set(again.numbers)) == 3


def test_a_port_that_is_in_use_is_refused_by_its_number() -> None:
    with occupy() as listener:
        number = listener.getsockname()[1]
        with pytest.raises(RefusedError, match=f"^port {number} is in use by another program; choose another, or 0"):
            reserve_ports(number, 12)


def test_a_port_can_be_had_again_once_its_reservation_is_over() -> None:
    with occupy() as listener:
        number = listener.getsockname()[1]
        with pytest.raises(RefusedError):
            reserve_ports(number, 2)
    with reserve_ports(number, 1) as first:
        assert first.numbers == (number,)
    with occupy(number) as again:
        assert again.getsockname()[1] == number


@pytest.mark.skipif(sys.platform != "linux", reason="ports are kept on Linux only")
def test_a_reserved_port_is_the_servers_and_nobody_elses() -> None:
    with reserve_ports(0, 1) as kept:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", kept.numbers[0]))
        with occupy(kept.numbers[0]) as server:
            assert server.getsockname()[1] == kept.numbers[0]
