"""Which workers a run begins with, and when it is refused."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadgen.control import agents
from loadgen.control.errors import AgentError
from loadgen.control.messages import (
    Command,
    Prepare,
    Refuse,
)
from loadgen.control.states import State
from tests.unit.control_support import Cluster, closed_phases, cluster
from tests.unit.test_coordinator import add
from tests.unit.worker_support import WORKER


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def test_a_worker_that_cannot_be_prepared_refuses_the_run_and_nothing_else_is_sent(two: Cluster) -> None:
    two["b"].error = "no such host: milvus"
    with pytest.raises(AgentError) as caught:
        two.begin(closed_phases(1))
    assert str(caught.value) == "worker b cannot take part: no such host: milvus"
    assert Counter((name, command.kind) for name, command in two.network.sent) == {
        ("a", "prepare"): 1,
        ("b", "prepare"): 1,
    }
    assert two.coordinator.state is State.FAILED
    two.time.pass_by(30)
    assert {command.kind for _, command in two.network.sent[2:]} == {"confirm"}, "nor later"
    two["a"].error = "no such host: milvus"
    with pytest.raises(AgentError, match=r"^2 workers cannot take part: no such host: milvus$"):
        two.begin(closed_phases(1), run_id="both")
    two["a"].error = two["b"].error = ""
    assert two.begin(closed_phases(1), run_id="two").incomplete != ""
    two.carry_out()
    assert two.coordinator.run.incomplete == "", "another run may begin"


def test_a_worker_that_does_not_answer_in_time_refuses_the_run(two: Cluster) -> None:
    two.network.freeze("b")
    two.network.away.clear()
    with pytest.raises(AgentError, match="1 of 2 workers not ready within 120 s"):
        two.begin(closed_phases(1))


@pytest.mark.parametrize("answers", [False, True])
def test_a_run_that_is_ended_while_its_workers_are_prepared_does_not_begin(two: Cluster, answers: bool) -> None:
    def end(_command: Command) -> None:
        two.coordinator.end_run()
        if not answers:
            raise RuntimeError("the store was closed")

    two["b"].on_command = end
    with pytest.raises(AgentError, match="ended before it had begun" if answers else "the store was closed"):
        two.begin(closed_phases(1))
    assert two.coordinator.state is State.IDLE
    assert two.coordinator.run.over


def test_a_run_for_which_too_few_workers_come_is_refused_and_those_who_wait_begin_with_the_last(two: Cluster) -> None:
    with pytest.raises(AgentError, match="only 2 of 3 workers connected"):
        two.begin(closed_phases(1), expected=3)
    assert two.network.sent == []
    add(two, "c", after=30.0)
    two.begin(closed_phases(1), expected=3)
    assert {name for name, command in two.network.sent if isinstance(command, Prepare)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (replace(WORKER, version="0.0.9"), "it runs milvus-loadgen 0.0.9, this master 0.1.0"),
        (replace(WORKER, locustfile="another"), "it runs another locustfile than this master"),
        (replace(WORKER, parent="other key"), "another master on its machine has forked it, and is gone"),
        (None, "it has not said within 15 s what it runs"),
    ],
)
def test_a_worker_that_does_not_belong_here_is_refused_and_dismissed(
    two: Cluster, hello: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = two.begin(closed_phases(3))
    two.time.after(4.5, lambda: two.network.add("x", hello))  # type: ignore[arg-type]
    two.carry_out()
    assert run.incomplete == ""
    assert two.network.dismissed == ["x"]
    assert [command for name, command in two.network.sent if name == "x"] == [Refuse(reason)]
    assert [record.message for record in caplog.records if "x" in record.message.split()] == [
        f"Worker x {'is refused' if hello else 'cannot take part'}: {reason}"
    ]


def test_a_worker_that_the_master_has_forked_belongs_to_it(two: Cluster) -> None:
    two.network.add("forked", replace(WORKER, parent="key of the master"))
    two.begin(closed_phases(1))
    assert two["forked"].kinds() == ["prepare"]


def test_a_worker_that_never_says_what_it_runs_holds_up_the_start_for_a_while_only(two: Cluster) -> None:
    two.network.add("x", None)
    began = two.time()
    two.begin(closed_phases(1), expected=2)
    assert two.time() - began == pytest.approx(agents.GREET_WITHIN, abs=0.1)
    assert two.network.dismissed == ["x"]


# A run of one mode
