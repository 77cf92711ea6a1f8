"""Unusable servers are reported within ten seconds, with a remedy."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest

from loadgen.milvus.store import check_server
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from tests.integration.store_support import guarded_milvus, silent_server


def fault_of(**given: Any) -> Fault:
    started = perf_counter()
    with pytest.raises(SettingsError) as caught:
        check_server(Settings.parse(given))
    assert perf_counter() - started < 10
    (fault,) = caught.value.faults
    return fault


def test_both_servers_tell_what_they_are(milvus_uri: str, lite_uri: str) -> None:
    assert check_server(Settings.parse({"host": milvus_uri})).kind == "milvus"
    assert check_server(Settings.parse({"host": lite_uri})).kind == "lite"


def test_a_closed_port_is_named_without_the_password(free_port: int) -> None:
    fault = fault_of(host=f"http://root:secret@127.0.0.1:{free_port}")
    assert (fault.setting, fault.value) == ("host", f"http://127.0.0.1:{free_port}"), "it is the token from here on"
    assert "Connection refused" in fault.problem
    assert "secret" not in str(fault)


def test_a_socket_that_never_answers_is_known_within_ten_seconds() -> None:
    with silent_server() as uri:
        fault = fault_of(host=uri)
    assert (fault.setting, fault.value) == ("host", uri)
    assert "did not answer within" in fault.problem


def test_tls_towards_a_server_without_it_is_a_fault_of_the_address(milvus_uri: str) -> None:
    fault = fault_of(host=milvus_uri.replace("http:", "https:"))
    assert fault.setting == "host"
    assert "handshake failed" in fault.problem
    assert "certificate" in fault.hint


@pytest.mark.parametrize("kind", ["milvus", "lite"])
def test_a_database_that_does_not_exist_is_named(kind: str, request: pytest.FixtureRequest) -> None:
    fault = fault_of(host=request.getfixturevalue(f"{kind}_uri"), database="nowhere")
    assert (fault.setting, fault.value) == ("database", "nowhere")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with guarded_milvus(tmp_path_factory.mktemp("guarded")) as uri:
        yield uri


def test_the_right_token_is_taken(guarded: str) -> None:
    assert check_server(Settings.parse({"host": guarded, "token": "root:Milvus"})).kind == "milvus"


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("", "is required by the server"),
        ("root:wrongsecret", "is rejected by the server"),
        ("wrongsecret", "is rejected"),
    ],
)
def test_a_wrong_token_is_told_and_never_shown(guarded: str, token: str, problem: str) -> None:
    fault = fault_of(host=guarded, token=token)
    assert (fault.setting, fault.value) == ("token", "")
    assert fault.problem.startswith(problem)
    assert "wrongsecret" not in str(fault)
