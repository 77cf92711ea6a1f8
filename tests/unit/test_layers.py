"""A client layer is a folder and one line of registration: variants name it, and users get their client of it."""

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from locust import task

from loadgen.clients import Client, Layer, find_layer
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode
from loadgen.settings.faults import SettingsError
from loadgen.settings.variants import CLIENTS, DEFAULT_CLIENT, parse_variant
from loadgen.users import AsyncUser, SyncUser
from tests.unit.stage import stage


class EchoClient(Client):
    mode = Mode.SYNC
    operations = (Operation("echo"),)

    def __init__(self, store: Any, *shared: Any) -> None:
        super().__init__(*shared)
        self.store = store

    def echo(self, _query: Any) -> None:
        self.end(self.begin("echo"), 3)


class EchoUser(SyncUser):
    @task
    def echo(self) -> None:
        self.client.echo(self.next_query())


class QuietAsync(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second layer, as a folder of its own would bring it."""
    module: Any = ModuleType("echo_layer")
    module.LAYER = Layer(EchoClient.operations, {Mode.SYNC: EchoClient}, find_layer().connector)
    monkeypatch.setitem(sys.modules, "echo_layer", module)
    monkeypatch.setitem(CLIENTS, "echo", "echo_layer")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_registered_layer_has_both_modes_with_the_operations_that_it_declares(name: str) -> None:
    layer = find_layer(name)
    assert set(layer.clients) == set(Mode)
    for mode, kind in layer.clients.items():
        assert kind.mode is mode
        assert kind.operations == layer.operations
        assert all(callable(getattr(kind, operation.name)) for operation in layer.operations)


def test_llamaindex_is_the_default_and_searches_inserts_and_deletes() -> None:
    assert DEFAULT_CLIENT == "llamaindex"
    reported = [(operation.name, operation.writes) for operation in find_layer().operations]
    assert reported == [("search", False), ("insert", True), ("delete", True)]


def test_a_layer_that_is_not_registered_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        SettingsError, match=r"names an unknown client: 'grpc'. Choose llamaindex, pymilvus, wire, rag\."
    ):
        parse_variant("grpc/async")


@pytest.mark.usefixtures("echo")
def test_one_line_registers_a_layer_for_the_variants() -> None:
    variant = parse_variant("echo/sync top-k=5")
    assert (variant.client, variant.mode, variant.text) == ("echo", "sync", "echo/sync top-k=5")
    with pytest.raises(SettingsError, match="Choose llamaindex, pymilvus, wire, rag, echo"):
        parse_variant("grpc/async")


@pytest.mark.usefixtures("echo")
def test_a_user_has_the_client_of_its_variants_layer() -> None:
    store = object()
    with stage(EchoUser, store=store) as on:
        on.process_state.clients = {"sync": "echo", "async": "llamaindex"}
        on.start(1)
        (user,) = (greenlet.args[0] for greenlet in on.runner.user_greenlets)
        assert type(user.client) is EchoClient
        assert user.client is user.timed_client
        assert user.client.store is store
        on.wait_until(lambda: len(on.samples) >= 5, "five samples")
        on.stop()
        assert {(sample.variant, sample.operation, sample.rows) for sample in on.samples} == {("sync", "echo", 3)}


@pytest.mark.usefixtures("echo")
def test_other_users_have_the_default_layers() -> None:
    with stage(QuietAsync) as on:
        on.process_state.clients = {"sync": "echo"}
        on.start(1)
        (user,) = (greenlet.args[0] for greenlet in on.runner.user_greenlets)
        assert type(user.client) is find_layer().clients[Mode.ASYNC]
        on.stop()


def test_what_layers_share_imports_none_of_them() -> None:
    code = (
        "import sys, loadgen.clients; print(sorted({'llama_index', 'loadgen.clients.llamaindex'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
