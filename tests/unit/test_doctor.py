"""`loadgen doctor`: each check, with a machine and a server as they may be."""

import json
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from pymilvus.exceptions import MilvusException

from loadgen.cli.doctor import command, machine, server
from loadgen.cli.doctor.finding import CheckStatus, Finding, from_faults
from loadgen.cli.main import main
from loadgen.milvus.store import ServerInfo
from loadgen.settings.addresses import split_address
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings

NEEDS = ["locust<3,>=2.47", "pymilvus>=2.6.16,<3", 'h5py>=3; extra == "datasets"']


def states(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(one.check, one.state.value) for one in findings]


def test_packages_of_the_wrong_version_or_none_are_named_with_the_command_that_helps() -> None:
    have = {"locust": "2.46.0"}

    def installed(name: str) -> str:
        if name not in have:
            raise PackageNotFoundError(name)
        return have[name]

    old, absent, python = machine.check_packages(lambda _: NEEDS, installed)
    assert (old.state, old.remedy) == (CheckStatus.BAD, "pip install 'locust<3,>=2.47'")
    assert "locust 2.46.0 is not within" in old.text
    assert (absent.text, absent.remedy) == ("pymilvus is not installed", "pip install 'pymilvus<3,>=2.6.16'")
    assert python.state is CheckStatus.OK
    assert python.text.startswith("Python 3.")
    have.update(locust="2.47.1", pymilvus="2.6.17")
    [fine] = machine.check_packages(lambda _: NEEDS, installed)
    assert fine.text.endswith(", locust 2.47.1, pymilvus 2.6.17"), "an extra is not needed"


def test_a_package_that_is_not_installed_at_all_is_named() -> None:
    def wanted(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    [result] = machine.check_packages(wanted)
    assert result.state is CheckStatus.BAD
    assert sys.prefix in result.text


def test_the_packages_of_this_environment_are_those_the_tool_was_tested_with() -> None:
    assert states(machine.check_packages()) == [("packages", "ok")]


@pytest.mark.parametrize(
    ("text", "cores"),
    [("150000 100000\n", 1.5), ("max 100000\n", 4.0), ("800000 100000\n", 4.0), ("strange\n", 4.0), (None, 4.0)],
)
def test_cores_are_those_of_the_process_or_of_its_container(text: str | None, cores: float, tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    if text is not None:
        quota.write_text(text)
    assert machine.count_cores(4, quota) == cores


@pytest.mark.parametrize(
    ("cores", "load", "wanted"),
    [
        (4.0, 0.3, ["ok", "ok"]),
        (4.0, 1.1, ["ok", "note"]),
        (1.5, 0.3, ["note", "ok"]),
        (1.0, 2.0, ["note", "note"]),
    ],
)
def test_few_cores_and_other_work_are_noted(cores: float, load: float, wanted: list[str]) -> None:
    assert [one.state for one in machine.check_cores(cores, load)] == wanted


def test_few_open_files_no_uvloop_and_proxies_are_noted() -> None:
    assert machine.check_files(1_024).remedy == "ulimit -n 65536 in the shell that starts locust."
    assert (machine.check_files(4_096).state, machine.check_files(-1).text) == (CheckStatus.OK, "no limit")
    assert machine.check_loop(lambda _: None).state is CheckStatus.NOTE
    assert machine.check_loop(lambda _: object()).state is CheckStatus.OK
    proxies = machine.check_proxies({"http_proxy": "http://user:secret@proxy", "HTTPS_PROXY": "", "PATH": "/bin"})
    assert (proxies.state, "http_proxy set" in proxies.text) == (CheckStatus.NOTE, True)
    assert "secret" not in str(proxies)
    assert machine.check_proxies({"no_proxy": "*"}).state is CheckStatus.OK


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("http://milvus:19531", ("milvus", 19531)),
        ("https://user:pw@in01.example.com", ("in01.example.com", 443)),
        ("http://[::1]:19530/db", ("::1", 19530)),
        ("milvus", ("milvus", 19530)),
    ],
)
def test_an_address_has_a_host_and_a_port(host: str, wanted: tuple[str, int]) -> None:
    assert split_address(host) == wanted


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(_name: str, _port: int, **_: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 1)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    ("host", "addresses", "status"),
    [
        ("http://127.0.0.1:19530", ["127.0.0.1"], "note"),
        ("http://milvus:19530", ["10.0.0.7"], "note"),
        ("http://milvus:19530", ["10.0.0.8"], "ok"),
        ("http://milvus:19530", [], "bad"),
    ],
)
def test_a_server_on_this_machine_is_noted(
    monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str], status: str
) -> None:
    resolve(monkeypatch, *addresses)
    assert server.check_place(host, {"10.0.0.7", "127.0.0.1"}).state == status


def test_a_round_trip_is_the_median_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.001, 1.0, 1.5, 2.0, 2.001, 3.0, 3.001, 4.0, 4.001] + [0.0, 0.02] * 5)
    monkeypatch.setattr("loadgen.cli.doctor.server.time.perf_counter", lambda: next(times))
    monkeypatch.setattr(socket, "create_connection", lambda *_: socket.socket())
    [near] = server.check_distance("http://milvus")
    assert (near.state, near.text) == (CheckStatus.OK, "a round trip takes 1.00 ms")
    [far] = server.check_distance("http://milvus")
    assert (far.state, far.text) == (CheckStatus.NOTE, "a round trip takes 20.00 ms")

    def refuse(*_: object) -> socket.socket:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("loadgen.cli.doctor.server.time.perf_counter", lambda: 0.0)
    assert list(server.check_distance("http://milvus")) == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"host": "https://milvus"}, "ok"),
        ({"host": "http://milvus", "token": "root:Milvus"}, "note"),
        ({"host": "http://localhost:19530", "token": "root:Milvus"}, "ok"),
        ({"host": "http://milvus"}, "ok"),
    ],
)
def test_a_token_in_the_clear_is_noted(given: dict[str, object], status: str) -> None:
    encryption = server.check_encryption(Settings.parse(given))
    assert encryption.state == status
    assert "root" not in str(encryption)


def test_versions_and_kinds_of_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[ServerInfo | SettingsError] = iter(
        [
            ServerInfo("v2.5.4", "milvus"),
            ServerInfo("v3.0.0", "milvus"),
            ServerInfo("milvus_lite-3.2", "lite"),
            SettingsError([Fault("token", "", "is required by the server", "Set LOADGEN_TOKEN.")]),
        ]
    )

    def check(_: Settings) -> ServerInfo:
        answer = next(answers)
        if isinstance(answer, SettingsError):
            raise answer
        return answer

    monkeypatch.setattr("loadgen.milvus.store.check_server", check)
    result = [server.check_milvus(Settings())[1][0] for _ in range(4)]
    assert [one.state for one in result] == ["ok", "note", "note", "bad"]
    assert "2.3, 2.4, 2.5, 2.6" in result[1].text
    assert (result[3].text, result[3].remedy) == ("--token: is required by the server", "Set LOADGEN_TOKEN.")


@pytest.mark.parametrize(
    ("there", "status", "words"),
    [(100.5, "ok", "0.50 s ahead"), (98.0, "note", "2.00 s behind"), (None, "ok", "does not tell")],
)
def test_clocks_that_differ_are_noted(there: float | None, status: str, words: str) -> None:
    clock = server.check_clock(there, 100.0)
    assert (clock.state, words in clock.text) == (status, True)


def test_a_finding_is_a_line_and_its_remedy_another() -> None:
    [result] = from_faults("settings", [Fault("top_k", "0", "is below 1", "Choose 1 to 16384.")])
    assert str(result) == "bad   settings    --top-k 0: is below 1\n                  -> Choose 1 to 16384."
    assert str(Finding("a", CheckStatus.OK, "x\x1b[2J")) == "ok    a           x\\x1b[2J"


def test_the_exit_code_follows_from_what_is_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Finding("x", CheckStatus.NOTE, "a"), Finding("y", CheckStatus.BAD, "b")
    assert command.conclude([one], as_json=False) == 0
    assert command.conclude([one, two], as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Ready. 0 to mend, 1 note, 0 ok.",
        "Not ready. 1 to mend, 1 note, 0 ok.",
    ]
    monkeypatch.setattr(command, "check_machine", lambda: iter([one]))
    given: list[Settings | SettingsError] = [
        SettingsError([Fault("top_k", "0", "is below 1", "Choose 1 to 16384.")]),
        Settings(),
    ]

    def read(_arguments: object, program: str, *, needs_host: bool) -> Settings:
        assert (program, needs_host) == ("loadgen doctor", False)
        each = given.pop(0)
        if isinstance(each, SettingsError):
            raise each
        return each

    monkeypatch.setattr("loadgen.locust_plugin.command_line.reading.read_run", read)
    assert main(["doctor", "--json"]) == 1
    reported = json.loads(capsys.readouterr().out)
    assert [each["check"] for each in reported["findings"]] == ["x", "settings"]
    assert reported["counts"] == {"ok": 0, "note": 1, "bad": 1}
    assert main(["doctor"]) == 0
    assert "no --host" in capsys.readouterr().out


def test_a_server_that_dies_while_it_is_looked_at_is_a_finding_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(_settings: Settings) -> None:
        raise MilvusException(message="server is gone")

    monkeypatch.setattr("loadgen.milvus.store.looking.LeaseTable", connect)
    result = server.look_at_clock(Settings.parse({"host": "http://milvus:19530"}))
    assert (result.check, result.state) == ("clock", CheckStatus.BAD)
    assert "server is gone" in result.text
