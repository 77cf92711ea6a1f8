"""Proxies of the environment: never towards loopback, and named where another host cannot be reached through one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.proxies import EXCEPTIONS, VARIABLES, find_proxy
from loadgen.milvus.server import start_server
from loadgen.milvus.server.replay import ReplayServer
from loadgen.milvus.store import aclose_stores, check_server, close_stores, open_stores, to_query, warm_stores
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.store_support import prepare_for, settings_for

EVERY = (*VARIABLES, "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class RefusingProxy:
    """Listens on loopback, keeps the first line of each connection, and closes it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.seen.append(connection.recv(1_000).decode(errors="replace").partition("\r\n")[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingProxy]:
    """One that every variable names, and no exception in the environment."""
    for name in (*EXCEPTIONS, "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RefusingProxy() as refusing:
        for name in EVERY:
            monkeypatch.setenv(name, refusing.uri)
        yield refusing


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_reached_without_a_proxy_by_every_client(lite_uri: str, proxy: RefusingProxy, host: str) -> None:
    settings = settings_for(lite_uri.replace("127.0.0.1", host), "proxies", rows=200)
    prepare_for(settings)
    with ReplayServer(lite_uri) as replay:
        replayed = settings.model_copy(update={"host": replay.uri})
        query = to_query(open_dataset(settings).queries()[0], settings)
        stores = open_stores(replayed, Mode.SYNC)
        result = [len(stores[0].query(query).ids or [])]
        close_stores(stores)

        async def ask() -> int:
            stores = open_stores(replayed, Mode.ASYNC)
            await warm_stores(stores)
            ids = (await stores[0].aquery(query)).ids or []
            await aclose_stores(stores)
            return len(ids)

        result.append(asyncio.run(ask()))
    assert (result, proxy.seen) == ([10, 10], [])


def test_the_embedded_server_is_started_without_a_proxy(proxy: RefusingProxy) -> None:
    server = start_server("lite", tell=print)
    try:
        assert check_server(Settings.parse({"host": server.uri})).kind == "lite"
    finally:
        server.stop()
    assert proxy.seen == []


def test_a_run_of_both_modes_takes_no_proxy(proxy: RefusingProxy, tmp_path: Path) -> None:
    phases = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0")
    run_locust(tmp_path, "--embedded", "lite", *SMALL, *phases, timeout=280, fresh=True).assert_good()
    assert proxy.seen == []


def test_another_host_is_sought_through_the_proxy_which_the_fault_names(proxy: RefusingProxy) -> None:
    with pytest.raises(SettingsError) as caught:
        check_server(Settings.parse({"host": "http://milvus.test:19530"}))
    (fault,) = caught.value.faults
    assert set(proxy.seen) == {"CONNECT milvus.test:19530 HTTP/1.1"}
    assert fault.setting == "host"
    assert f"through the proxy {proxy.uri} of grpc_proxy" in fault.problem
    assert "no_proxy" in fault.hint


@pytest.mark.parametrize("entry", ["milvus.test", ".test", "*.test", "vus.test", "milvus.test:19530", "*"])
def test_grpc_takes_the_proxy_that_the_fault_would_name(
    proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("no_proxy", entry)
    settings = Settings.parse({"host": "http://milvus.test:19530"})
    with pytest.raises(SettingsError) as caught:
        check_server(settings)
    named = find_proxy(settings.host, {"grpc_proxy": proxy.uri, "no_proxy": entry}) is not None
    assert ("through the proxy" in str(caught.value)) == named == bool(proxy.seen)
