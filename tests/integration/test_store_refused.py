"""A server that refuses while the collection is made: nothing half made is left, and the reason is reported soon."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from loadgen.measure.sample import Mode
from loadgen.milvus.server import start_server
from loadgen.milvus.store import LoadingLine, StoreError, open_stores, preparing
from loadgen.milvus.store.collection import Collection
from loadgen.milvus.store.patience import Patience
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.refusing_server import WORDS, Refusing, refusing_server
from tests.integration.store_support import count_rows, make_foreign, prepare_for, settings_for

NAME = "store_refused"
DENIED, AWAY = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE
STEPS = ("AlterCollection", "CreateIndex", "LoadCollection", "Insert", "Flush", "DescribeIndex", "Query")
"""RPCs after the collection was created; Milvus Lite is asked for all of them."""


@pytest.fixture
def relay(lite_uri: str) -> Iterator[Refusing]:
    with refusing_server(lite_uri) as refusing:
        yield refusing
    with client_of(lite_uri) as client:
        client.drop_collection(NAME)


@pytest.fixture
def settings(relay: Refusing) -> Settings:
    return settings_for(relay.uri, NAME, rows=200, batch_size=20)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of patience."""
    monkeypatch.setattr(preparing, "Patience", partial(Patience, seconds=2.0))


def exists(uri: str) -> bool:
    with client_of(uri) as client:
        return bool(client.has_collection(NAME))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [DENIED, grpc.StatusCode.UNIMPLEMENTED], ids=str)
def test_a_refusal_at_any_step_leaves_nothing(
    relay: Refusing, lite_uri: str, settings: Settings, step: str, status: grpc.StatusCode
) -> None:
    relay.refuse(step, status)
    with pytest.raises(StoreError) as caught:
        prepare_for(settings)
    assert relay.calls["CreateCollection"] == 1
    assert WORDS in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("(Connecting to Milvus)" in str(caught.value)) == (status is DENIED)
    assert not exists(lite_uri)
    relay.refused.clear()
    assert prepare_for(settings).rows == 200


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError("odd"), KeyboardInterrupt()], ids=repr)
def test_an_error_of_any_kind_leaves_nothing(
    lite_uri: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: Any) -> str:
        raise error

    monkeypatch.setattr(Collection, "settle", fail)
    with pytest.raises(type(error)):
        prepare_for(settings)
    assert not exists(lite_uri)


def test_what_cannot_be_dropped_again_is_named_with_the_command_that_does(
    relay: Refusing, lite_uri: str, settings: Settings
) -> None:
    relay.refuse("LoadCollection", DENIED)
    relay.refuse("DropCollection", DENIED)
    with pytest.raises(StoreError) as caught:
        prepare_for(settings)
    assert f"Collection '{NAME}' was left half made ({WORDS})" in str(caught.value)
    command = re.search(r'Have a user who may drop it: python -c "(.*)"\.', str(caught.value))
    assert command is not None, str(caught.value)
    assert exists(lite_uri)
    exec(command[1].replace(relay.uri, lite_uri), {})  # noqa: S102 - the command is what is tested
    assert not exists(lite_uri)


def test_a_refused_index_that_cannot_be_dropped_is_told_beside_the_fault(milvus_uri: str) -> None:
    with refusing_server(milvus_uri) as relay:
        relay.refuse("DropCollection", DENIED)
        with pytest.raises(SettingsError) as caught:
            prepare_for(settings_for(relay.uri, NAME, index_type="IVF_PQ", index_params="nlist=16,m=7"))
    index, left = caught.value.faults
    assert index.setting == "index_params"
    assert (left.setting, left.value, left.problem) == ("collection", NAME, f"was left half made ({WORDS})")
    with client_of(milvus_uri) as client:
        client.drop_collection(NAME)


def test_a_creation_that_was_done_and_denied_is_left_to_a_person(
    relay: Refusing, lite_uri: str, settings: Settings
) -> None:
    relay.refuse("CreateCollection", DENIED, done=True)
    with pytest.raises(StoreError) as caught:
        prepare_for(settings)
    assert "nobody can say whether this attempt made it" in str(caught.value)
    assert "drop_collection" in str(caught.value)
    assert exists(lite_uri)


def test_a_creation_that_was_refused_leaves_nothing_to_tell(relay: Refusing, settings: Settings) -> None:
    relay.refuse("CreateCollection", DENIED)
    with pytest.raises(StoreError) as caught:
        prepare_for(settings)
    assert "half made" not in str(caught.value)


def test_what_was_there_before_is_never_dropped(relay: Refusing, lite_uri: str, settings: Settings) -> None:
    prepare_for(settings)
    relay.refuse("Query", DENIED)
    with pytest.raises(StoreError):
        prepare_for(settings)
    assert count_rows(lite_uri, NAME) == 200
    with client_of(lite_uri) as client:
        client.drop_collection(NAME)
    make_foreign(lite_uri, NAME, dim=8, rows=5)
    relay.refused.clear()
    with pytest.raises(SettingsError):
        prepare_for(settings)
    assert count_rows(lite_uri, NAME) == 5


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("step", ["CreateCollection", *STEPS])
def test_a_server_that_is_unavailable_is_given_up_with_its_words(
    relay: Refusing, lite_uri: str, settings: Settings, step: str
) -> None:
    relay.refuse(step, AWAY)
    relay.refuse("Upsert", AWAY)  # what a refused insert is repeated with
    reported: list[str] = []
    with pytest.raises(StoreError) as caught:
        prepare_for(settings, reported.append)
    assert f'The server refuses and says "{WORDS}" (UNAVAILABLE); trying again for 2 s' in reported
    assert re.search(rf'the server refused for \d+ s and said "{WORDS}" \(UNAVAILABLE\)', str(caught.value))
    assert "\n" not in str(caught.value)
    assert relay.calls[step] + relay.calls["Upsert"] > 1
    assert not exists(lite_uri)
    if step == "Insert":
        assert "loading stopped after 0 rows" in str(caught.value)
        assert any(f'refused for 1 s: "{WORDS}"' in line for line in reported if isinstance(line, LoadingLine))


@pytest.mark.parametrize("done", [False, True], ids=["lost requests", "lost answers"])
def test_a_server_that_comes_back_gets_every_row_once(
    relay: Refusing, lite_uri: str, settings: Settings, done: bool
) -> None:
    relay.refuse("Insert", AWAY, times=3, done=done)
    reported: list[str] = []
    assert prepare_for(settings, reported.append).rows == 200
    assert count_rows(lite_uri, NAME) == 200
    assert sum(line.startswith("The server refuses") for line in reported) >= 1


@pytest.mark.usefixtures("hasty")
def test_a_server_that_dies_while_it_is_loaded_is_given_up() -> None:
    server = start_server("lite", tell=print)
    try:
        settings = settings_for(server.uri, NAME, rows=50_000, batch_size=20)
        reported: list[str] = []

        def tell(line: str) -> None:
            reported.append(line)
            if isinstance(line, LoadingLine) and line.loaded:
                server.stop()

        with pytest.raises(StoreError) as caught:
            prepare_for(settings, tell)
    finally:
        server.stop()
    assert re.search(r"loading stopped after [\d,]+ rows", str(caught.value))
    assert "Connection refused" in str(caught.value)
    assert "A run with the same settings reloads it." in str(caught.value)


def test_opening_a_store_gives_up_as_well(relay: Refusing, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_for(settings)
    monkeypatch.setattr("loadgen.milvus.store.opening.Patience", partial(Patience, seconds=1.0))
    relay.refuse("DescribeCollection", AWAY)
    for mode in Mode:
        with pytest.raises(StoreError, match=rf"cannot open collection '{NAME}'.*{WORDS}"):
            open_stores(settings, mode)


def test_the_command_ends_with_one_line_in_bounded_time(relay: Refusing, lite_uri: str, tmp_path: Path) -> None:
    relay.refuse("Insert", AWAY)
    relay.refuse("Upsert", AWAY)
    run = run_locust(tmp_path, "--host", relay.uri, "--collection", NAME, *SMALL, timeout=280)
    assert run.code == 2
    assert "Traceback" not in run.out + run.err
    assert f'The server refuses and says "{WORDS}" (UNAVAILABLE); trying again for 30 s' in run.err
    assert f"cannot prepare collection '{NAME}' on {relay.uri}: loading stopped after 0 rows" in run.err
    assert not exists(lite_uri)
