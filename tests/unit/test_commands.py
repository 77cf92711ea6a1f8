"""The commands that pods run before a run: what they wait for, and when they give up."""

import socket

import pytest

from loadgen.cli.main import main
from loadgen.cli.prepare import await_server
from loadgen.cli.wait import GONE_SECONDS, Watch, is_listening, is_named
from loadgen.milvus.store import ServerInfo
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings


def refuse(setting: str) -> SettingsError:
    return SettingsError([Fault(setting, "", "is wrong", "Mend it.")])


def test_a_master_whose_name_is_gone_for_long_has_ended() -> None:
    watch = Watch(end=1e6)
    assert watch.judge(named=True, now=0) == ""
    assert watch.judge(named=False, now=10) == ""
    assert watch.judge(named=False, now=10 + GONE_SECONDS - 1) == ""
    assert "has ended" in watch.judge(named=False, now=10 + GONE_SECONDS)


def test_a_name_that_comes_back_has_not_gone() -> None:
    watch = Watch(end=1e6)
    for now in (0, 100, 200, 300):
        assert watch.judge(named=True, now=now) == ""
        assert watch.judge(named=False, now=now + 10) == ""


def test_a_name_that_was_never_there_is_waited_for_as_long_as_a_node_may_be_sought() -> None:
    watch = Watch(end=1e6, unnamed_seconds=900)
    assert watch.judge(named=False, now=50) == ""
    assert watch.judge(named=False, now=949) == ""
    assert "has had no name for 900 s" in watch.judge(named=False, now=950)
    patient = Watch(end=1000, unnamed_seconds=5000)
    assert patient.judge(named=False, now=0) == ""
    assert "did not become ready" in patient.judge(named=False, now=1000)


def test_a_master_that_has_its_name_may_prepare_for_hours() -> None:
    watch = Watch(end=21_600, unnamed_seconds=900)
    for now in range(0, 800, 100):
        assert watch.judge(named=False, now=now) == ""
    for now in range(800, 21_600, 100):
        assert watch.judge(named=True, now=now) == ""
    assert "did not become ready" in watch.judge(named=True, now=21_600)


def test_a_silent_name_server_says_nothing_about_the_master() -> None:
    for first in (True, None):
        watch = Watch(end=1e6)
        looks = ((0, first), (10, None), (5000, None))
        assert [watch.judge(named=named, now=now) for now, named in looks] == ["", "", ""]


def test_names_and_ports_are_asked_for_as_they_are() -> None:
    assert is_named("127.0.0.1") is True
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not is_listening("127.0.0.1", port)
        listener.listen()
        assert is_listening("127.0.0.1", port)
        assert main(["wait", f"127.0.0.1:{port}"]) == 0


def test_a_master_that_does_not_come_is_told_with_a_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:  # bound, so that nobody else listens there, and not listening
        held.bind(("127.0.0.1", 0))
        assert main(["wait", f"127.0.0.1:{held.getsockname()[1]}", "--seconds", "0"]) == 3
    assert "did not become ready in time" in capsys.readouterr().out


def test_a_master_that_has_no_name_is_given_up_long_before_one_that_prepares(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.cli.wait.is_named", lambda _: False)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        assert main(["wait", address, "--seconds", "21600", "--unnamed-seconds", "0"]) == 3
    assert "it has ended, or was not scheduled" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["master", "master:", ":5557", "master:port"])
def test_what_is_no_address_of_a_master_is_refused(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["wait", address])
    assert ended.value.code == 2
    assert "is not HOST:PORT" in capsys.readouterr().err


def test_a_flag_that_a_command_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["wait", "127.0.0.1:1", "--rows", "3"])
    assert ended.value.code == 2
    assert "loadgen wait: --rows is not a flag" in capsys.readouterr().err


def test_what_waiting_cannot_mend_is_told_at_once() -> None:
    looks: list[Settings] = []

    def look(settings: Settings) -> ServerInfo:
        looks.append(settings)
        raise refuse("token")

    with pytest.raises(SettingsError, match="--token"):
        await_server(Settings(), 3600, look)
    assert len(looks) == 1


def test_a_server_that_does_not_answer_is_asked_again_until_the_time_is_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers: list[SettingsError | ServerInfo] = [refuse("host"), ServerInfo("v2", "milvus")]

    def look(_: Settings) -> ServerInfo:
        answer = answers.pop(0)
        if isinstance(answer, SettingsError):
            raise answer
        return answer

    await_server(Settings(), 3600, look)
    assert answers == []
    assert "Waiting for Milvus: is wrong" in capsys.readouterr().out
    answers.append(refuse("host"))
    with pytest.raises(SettingsError, match="--host"):
        await_server(Settings(), 0, look)
