"""Faults as a user writes them: what is read, and what is refused before any load."""

import pytest

from loadgen.settings.fault_grammar import Action, PlannedFault, parse_fault, read_faults
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("20s pause server 5s", PlannedFault(20, Action.PAUSE, 5)),
        ("1500ms  kill server", PlannedFault(1.5, Action.KILL)),
        ("1m kill server 2.5s", PlannedFault(60, Action.KILL, 2.5)),
        ("20s restart server", PlannedFault(20, Action.RESTART)),
        ("20s latency 50ms 10s", PlannedFault(20, Action.LATENCY, 10, 0.05)),
        ("20s bandwidth 1.5MB/s 10s", PlannedFault(20, Action.BANDWIDTH, 10, 1.5e6)),
        ("20s bandwidth 64 KiB/s 10s", PlannedFault(20, Action.BANDWIDTH, 10, 65_536)),
        ("20s cut", PlannedFault(20, Action.CUT)),
        ("20s cut 3s", PlannedFault(20, Action.CUT, 3)),
        ("20s blackhole 5s", PlannedFault(20, Action.BLACKHOLE, 5)),
        ("20s command:kubectl delete pod 'a b'", PlannedFault(20, Action.COMMAND, command="kubectl delete pod 'a b'")),
        ('20s command: "a; b"', PlannedFault(20, Action.COMMAND, command="a; b")),
        ('20s command: "a" "b"', PlannedFault(20, Action.COMMAND, command='"a" "b"')),
    ],
)
def test_a_fault_is_a_second_and_what_happens_then(text: str, read: PlannedFault) -> None:
    assert parse_fault(text) == read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pause server 5s", "does not begin with a second such as 20s"),
        ("20 cut", "does not begin with a second such as 20s"),
        ("20s pause server", "names no known action with its times"),
        ("20s pause 5s", "names no known action with its times"),
        ("20s latency 50ms", "names no known action with its times"),
        ("20s bandwidth 5 10s", "names no known action with its times"),
        ("20s blackhole 0s", "has a time or an amount of 0"),
        ("20s command: ", "has no command after command:"),
    ],
)
def test_an_error_shows_the_whole_grammar_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_fault(text)
    [fault] = caught.value.faults
    assert fault.problem == problem
    assert "kill server [TIME]" in str(fault)
    assert "\n" not in str(fault)


def test_an_error_does_not_repeat_a_command() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_fault("20 command: curl -u me:secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("10s cut", "is outside a phase of 10 s"),
        ("0.9s cut", "is before second 1 of the phase, so there is no throughput to compare with"),
        ("8s pause server 2s", "ends at second 10, outside a phase of 10 s"),
        ("8s kill server", "has no restart after it"),
        ("2s pause server 4s; 5s restart server", "is not over when restart server begins"),
        ("2s latency 5ms 4s; 5s latency 9ms 1s", "is not over when the next latency begins"),
    ],
)
def test_what_a_phase_cannot_hold_is_refused(fault: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"fault": fault, "phase_seconds": 10})
    assert [one.problem for one in caught.value.faults] == [problem]


def test_all_faults_are_refused_together_with_those_of_a_foreign_server() -> None:
    texts = ["2s pause server 1s", "99s cut", "3s blackhole 1s", "nonsense"]
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"fault": texts, "phase_seconds": 10, "host": "http://milvus:19530"})
    assert [one.problem for one in caught.value.faults] == [
        "does not begin with a second such as 20s",
        "needs a server that this run has started, but --host is given",
        "is outside a phase of 10 s",
    ]


def test_faults_come_in_the_order_of_their_seconds() -> None:
    settings = Settings.parse({"fault": "7s cut; 2s kill server; 4s restart server"})
    assert [one.name for one in read_faults(settings)] == ["kill server", "restart server", "cut"]
