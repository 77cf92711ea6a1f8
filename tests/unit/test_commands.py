"""The commands that pods run before a run: what they wait for, and when they give up."""

import socket

import pytest

from loadgen.cli.heartbeat import Heartbeat, PreparationStatus, hear
from loadgen.cli.main import main
from loadgen.cli.prepare import await_server
from loadgen.cli.wait import GONE_SECONDS, SILENT_SECONDS, MasterLiveness, MasterObservation, is_listening, is_named
from loadgen.milvus.store import ServerInfo
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings


def refuse(setting: str) -> SettingsError:
    return SettingsError([Fault(setting, "", "is wrong", "Mend it.")])


def judge(liveness: MasterLiveness, now: float, *, named: bool | None, status: PreparationStatus | None = None) -> str:
    return liveness.judge(MasterObservation(named, status), now)


def test_a_master_whose_name_is_gone_for_long_has_ended() -> None:
    liveness = MasterLiveness(end=1e6)
    assert judge(liveness, 0, named=True) == ""
    assert judge(liveness, 10, named=False) == ""
    assert judge(liveness, 10 + GONE_SECONDS - 1, named=False) == ""
    assert "has ended" in judge(liveness, 10 + GONE_SECONDS, named=False)


def test_a_name_that_comes_back_has_not_gone() -> None:
    liveness = MasterLiveness(end=1e6)
    for now in (0, 100, 200, 300):
        assert judge(liveness, now, named=True) == ""
        assert judge(liveness, now + 10, named=False) == ""


def test_a_name_that_was_never_there_is_waited_for_as_long_as_a_node_may_be_sought() -> None:
    liveness = MasterLiveness(end=1e6, unnamed_seconds=900)
    assert judge(liveness, 50, named=False) == ""
    assert judge(liveness, 949, named=False) == ""
    assert "has had no name for 900 s" in judge(liveness, 950, named=False)
    patient = MasterLiveness(end=1000, unnamed_seconds=5000)
    assert judge(patient, 0, named=False) == ""
    assert "did not become ready" in judge(patient, 1000, named=False)


@pytest.mark.parametrize("status", [None, PreparationStatus.PREPARING])
def test_a_master_that_has_its_name_may_prepare_for_hours(status: PreparationStatus | None) -> None:
    liveness = MasterLiveness(end=21_600, unnamed_seconds=900, has_heartbeat=status is not None)
    for now in range(0, 800, 100):
        assert judge(liveness, now, named=False) == ""
    for now in range(800, 21_600, 100):
        assert judge(liveness, now, named=True, status=status) == ""
    assert "did not become ready" in judge(liveness, 21_600, named=True, status=status)


def test_a_silent_name_server_says_nothing_about_the_master() -> None:
    for first in (True, None):
        liveness = MasterLiveness(end=1e6, has_heartbeat=True)
        looks = ((0, first), (10, None), (5000, None))
        assert [judge(liveness, now, named=named) for now, named in looks] == ["", "", ""]


def test_a_master_that_was_heard_and_is_silent_has_ended_although_its_name_is_there() -> None:
    liveness = MasterLiveness(end=1e6, has_heartbeat=True)
    for now in (0, 50, 100):
        assert judge(liveness, now, named=True, status=PreparationStatus.PREPARING) == ""
    assert judge(liveness, 101, named=True) == ""
    assert judge(liveness, 101 + SILENT_SECONDS - 1, named=True) == ""
    assert (
        judge(liveness, 101 + SILENT_SECONDS, named=True)
        == f"has not answered for {SILENT_SECONDS:.0f} s: it has ended"
    )


def test_a_master_that_is_heard_again_goes_on() -> None:
    liveness = MasterLiveness(end=1e6, has_heartbeat=True)
    for start in (0, 100, 200):
        assert judge(liveness, start, named=True, status=PreparationStatus.PREPARING) == ""
        assert judge(liveness, start + 1, named=True) == ""
        assert judge(liveness, start + SILENT_SECONDS, named=True) == ""


def test_the_first_heartbeat_may_take_as_long_as_an_image_is_pulled() -> None:
    liveness = MasterLiveness(end=1e6, unnamed_seconds=900, has_heartbeat=True)
    assert judge(liveness, 0, named=True) == ""
    assert judge(liveness, 899, named=True) == ""
    assert "has not answered for 900 s" in judge(liveness, 900, named=True)
    assert judge(MasterLiveness(end=1e6), 20_000, named=True) == "", "without a heartbeat silence says nothing"


def test_a_preparation_that_failed_ends_the_wait_at_once_and_an_interrupted_one_is_awaited_again() -> None:
    liveness = MasterLiveness(end=1e6, unnamed_seconds=900, has_heartbeat=True)
    assert judge(liveness, 0, named=True, status=PreparationStatus.INTERRUPTED) == ""
    assert judge(liveness, 1 + GONE_SECONDS + SILENT_SECONDS, named=False) == "", "another node is sought"
    assert judge(liveness, 500, named=True) == ""
    assert judge(liveness, 600, named=True, status=PreparationStatus.PREPARING) == ""
    assert judge(liveness, 601, named=False) == ""
    assert "its name is gone" in judge(liveness, 601 + GONE_SECONDS, named=False), "the patience was for one move"
    assert judge(liveness, 700, named=True, status=PreparationStatus.FAILED) == "could not prepare its data"


def test_a_master_that_returns_is_awaited_as_long_as_one_that_has_no_address() -> None:
    liveness = MasterLiveness(end=1e6, unnamed_seconds=900, has_heartbeat=True, returns=True)
    for start in (0, 2000):
        assert judge(liveness, start, named=True, status=PreparationStatus.PREPARING) == ""
        assert judge(liveness, start + 1, named=False) == ""
        assert judge(liveness, start + 900, named=False) == ""
        assert judge(liveness, start + 1000, named=True, status=PreparationStatus.PREPARING) == ""
        assert judge(liveness, start + 1001, named=True) == ""
        assert judge(liveness, start + 1900, named=True) == ""
    assert judge(liveness, 4000, named=False) == ""
    assert "its name is gone" in judge(liveness, 4900, named=False)


def test_a_heartbeat_is_heard_over_both_families_until_its_last_word() -> None:
    with Heartbeat(0) as heartbeat:
        assert hear("127.0.0.1", heartbeat.port, 5) is PreparationStatus.PREPARING
        if socket.has_dualstack_ipv6():
            assert hear("::1", heartbeat.port, 5) is PreparationStatus.PREPARING
        heartbeat.parting = PreparationStatus.INTERRUPTED
        heartbeat.say_goodbye(0)
        assert hear("127.0.0.1", heartbeat.port, 5) is PreparationStatus.INTERRUPTED


def test_what_answers_otherwise_is_no_heartbeat() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills the backlog with one that is never accepted
            assert hear("127.0.0.1", port, 0.01) is None


def test_a_wait_ends_with_3_as_soon_as_the_preparation_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held, Heartbeat(0) as heartbeat:
        held.bind(("127.0.0.1", 0))
        heartbeat.say_goodbye(0)
        words = [f"127.0.0.1:{held.getsockname()[1]}", "--seconds", "21600", "--heartbeat", str(heartbeat.port)]
        assert main(["wait", *words]) == 3
    assert "could not prepare its data" in capsys.readouterr().out


def test_a_heartbeat_on_a_port_in_use_is_refused_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with Heartbeat(0) as heartbeat:
        assert main(["prepare", "-f", "none.py", "--heartbeat", str(heartbeat.port)]) == 2
    assert "Address already in use. End what listens there" in capsys.readouterr().err


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
