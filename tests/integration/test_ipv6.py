"""A server at an IPv6 address: a real one behind a relay that listens on ::1."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server.replay import ReplayServer
from loadgen.milvus.store import aclose_stores, check_server, close_stores, open_stores, to_query, warm_stores
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.relay import StallingRelay
from tests.integration.store_support import prepare_for, settings_for


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")


@pytest.fixture
def uri(lite_uri: str) -> Iterator[str]:
    with StallingRelay(lite_uri, host="::1") as relay:
        assert relay.uri.startswith("http://[::1]:")
        yield relay.uri


def test_both_modes_search_at_an_ipv6_address(uri: str) -> None:
    settings = settings_for(uri, "ipv6", rows=200)
    assert prepare_for(settings).rows == 200
    query = to_query(open_dataset(settings).queries()[0], settings)
    stores = open_stores(settings, Mode.SYNC)
    result = [stores[0].query(query).ids or []]
    close_stores(stores)

    async def ask() -> list[str]:
        stores = open_stores(settings, Mode.ASYNC)
        await warm_stores(stores)
        ids = (await stores[0].aquery(query)).ids or []
        await aclose_stores(stores)
        return ids

    assert asyncio.run(ask()) == result[0]
    assert len(result[0]) == settings.top_k


def test_a_replaying_server_stands_before_an_ipv6_address(uri: str) -> None:
    with ReplayServer(uri) as replay:
        assert check_server(Settings.parse({"host": replay.uri})).kind == "lite"


def test_a_closed_port_of_an_ipv6_address_is_named_as_it_was_given() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(SettingsError) as caught:
        check_server(Settings.parse({"host": f"http://[::1]:{port}"}))
    (fault,) = caught.value.faults
    assert (fault.setting, fault.value) == ("host", f"http://[::1]:{port}")
    assert "Connection refused" in fault.problem


def test_the_command_compares_at_an_ipv6_address(uri: str, tmp_path: Path) -> None:
    phases = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0")
    run = run_locust(tmp_path, "--host", uri, "--collection", "ipv6_command", *SMALL, *phases, timeout=280)
    run.assert_good()
    assert min(run.counted[f"{mode} search"] for mode in Mode) > 0
