"""Who conducts a run: workers that are late, lost, silent, foreign or return, and what a phase or a run lacks then."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import cast

import numpy as np
import pytest

from loadgen.control import agents, closed
from loadgen.control.errors import AgentError
from loadgen.control.fault_schedule import FaultSchedule, Injector
from loadgen.control.messages import (
    Answer,
    Command,
    Failure,
    FromAgent,
    IsOver,
    OpenWindow,
    Prepare,
    Refuse,
    Report,
    Stop,
)
from loadgen.control.run import RETURN_WITHIN
from loadgen.control.states import State
from loadgen.datasets import GroundTruth
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.unit.control_support import WORKER, Cluster, closed_phases, cluster

BURST = Phase(0, Mode.SYNC, 1, style="sync", operation="search", operations=10)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def lose(made: Cluster, name: str, after: float) -> None:
    made.time.after(after, lambda: made.network.remove(name))


def add(made: Cluster, name: str, after: float) -> None:
    made.time.after(after, lambda: made.network.add(name))


# A plan of phases


def test_a_plan_that_nobody_disturbs_is_complete_and_every_operation_is_in_its_phase(two: Cluster) -> None:
    run = two.begin(closed_phases(3))
    two.carry_out()
    assert (run.completed, run.incomplete, run.over) == (3, "", True)
    assert [two.operations(number) for number in range(3)] == [80, 80, 80], "8 users, one a second, 10 s"
    assert [window.seconds for window in two.ledger.windows.values()] == [10.0, 10.0, 10.0]
    assert [(window.workers_lost, window.connections) for window in two.ledger.windows.values()] == [(0, 4)] * 3
    assert two["a"].kinds() == ["prepare", *["announce", "enter", "open_window", "drain"] * 3, "stop"]
    assert two.coordinator.state is State.IDLE


def test_a_phase_that_loses_a_worker_is_marked_and_the_plan_goes_on_without_it(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.completed == 2
    assert run.incomplete == "phase 1 lacked 1 of 2 workers; phase 2 lacked 1 of 2 workers"
    assert [window.workers_lost for window in two.ledger.windows.values()] == [1, 1]
    assert two.operations(0) == 10 * 4 + 6 * 4, "what b has reported before counts"
    assert two.operations(1) == 80
    assert two.outside() == {}


def test_a_phase_that_loses_a_worker_is_measured_again_where_another_has_come(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=60.0)
    lose(two, "b", after=5.5)
    add(two, "c", after=40.0)
    two.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [(window.phase.attempt, window.workers_lost) for window in two.ledger.windows.values()] == [(1, 0), (0, 0)]
    assert [two.operations(number) for number in range(2)] == [80, 80]
    assert two.outside() == {"ok": 10 * 4 + 6 * 4}, "the first attempt counts in no phase"
    assert two["c"].kinds()[0] == "prepare"


@pytest.mark.parametrize("back_after", [3.0, 0.0], ids=["seen", "back before anybody looked"])
def test_a_worker_that_was_away_within_a_phase_has_it_measured_again(two: Cluster, back_after: float) -> None:
    def blink() -> None:
        two.network.freeze("b")
        if back_after:
            two.time.after(back_after, lambda: two.network.thaw("b"))
        else:
            two.network.thaw("b")

    run = two.begin(closed_phases(1), worker_grace=60.0)
    two.time.after(3.5, blink)
    two.carry_out()
    assert (run.completed, run.incomplete) == (1, "")
    assert (two.ledger.windows[0].phase.attempt, two.operations(0)) == (1, 80)
    assert "prepare" not in two["b"].kinds()[1:], "it is the same process, and is ready"


def test_a_phase_that_loses_workers_every_time_is_marked_after_three_attempts(two: Cluster) -> None:
    def swap(number: int) -> None:
        two.network.remove("b" if number == 0 else f"b{number}")
        two.network.add(f"b{number + 1}")

    run = two.begin(closed_phases(1), worker_grace=60.0)
    for number in range(5):
        two.time.after(5.5 + 10.0 * number, partial(swap, number))
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers"
    assert two.ledger.windows[0].phase.attempt == 2


def test_nobody_waits_twice_for_workers_that_do_not_come(two: Cluster) -> None:
    run = two.begin(closed_phases(3), worker_grace=60.0)
    began = two.time()
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.completed == 3
    assert two.time() - began == pytest.approx(3 * 10 + 60, abs=2.0)


def test_forked_workers_that_are_all_silent_for_a_while_have_their_phase_measured_again(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=120.0, are_workers_replaced=False)
    for name in "ab":
        two.time.after(5.5, partial(two.network.freeze, name))
        two.time.after(12.5, partial(two.network.thaw, name))
    two.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [(window.phase.attempt, window.workers_lost) for window in two.ledger.windows.values()] == [(1, 0), (0, 0)]


def test_forked_workers_that_do_not_come_back_are_waited_for_shortly(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=120.0, are_workers_replaced=False)
    began = two.time()
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers; phase 2 lacked 1 of 2 workers"
    assert two.time() - began == pytest.approx(2 * 10 + RETURN_WITHIN, abs=2.0)


def test_a_plan_whose_last_worker_is_lost_ends_and_keeps_what_was_reported(two: Cluster) -> None:
    run = two.begin(closed_phases(4))
    lose(two, "a", after=12.5)
    lose(two, "b", after=13.5)
    two.carry_out()
    assert run.incomplete == "ended early: 1 of 4 phases (no worker is left after phase 2)"
    assert [window.workers_lost for window in two.ledger.windows.values()] == [0, 2]
    assert two.operations(0) == 80
    assert 0 < two.operations(1) < 40
    assert 2.0 <= two.ledger.windows[1].seconds <= 4.0, "as long as b has reported"


def test_a_plan_whose_last_worker_is_lost_before_its_users_have_started_ends_as_soon(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two["a"].starts_in = two["b"].starts_in = 1e6
    lose(two, "a", after=2.5)
    lose(two, "b", after=3.5)
    began = two.time()
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (no worker is left after phase 1)"
    assert two.time() - began < 30, "nobody waits two minutes for users of a worker that has gone"


def test_the_last_worker_may_be_silent_also_after_another_was_waited_for_in_vain(two: Cluster) -> None:
    run = two.begin(closed_phases(3), worker_grace=20.0)
    lose(two, "b", after=5.5)
    two.time.after(38.0, lambda: two.network.freeze("a"))
    two.time.after(45.0, lambda: two.network.thaw("a"))
    two.carry_out()
    assert run.completed == 3
    assert "no worker is left" not in run.incomplete


def test_a_worker_that_comes_late_is_prepared_and_taught_before_it_counts(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    run.ground_truths = (GroundTruth(2, np.array([[0, 1]]), np.array([[0.9, 0.8]])),)
    two.time.run(two.coordinator.teach)
    add(two, "c", after=4.5)
    two.carry_out()
    assert run.incomplete == ""
    assert two["c"].kinds()[:4] == ["prepare", "learn", "enter", "open_window"]
    (opened,) = [c for c in two["c"].done if isinstance(c, OpenWindow) and c.phase.number == 0]
    assert opened.elapsed == pytest.approx(5.0, abs=0.6), "it ends with the others"
    assert two["c"].kinds()[-5:] == ["announce", "enter", "open_window", "drain", "stop"]


def test_a_late_worker_that_cannot_take_part_is_dismissed_and_the_run_goes_on(two: Cluster) -> None:
    def join() -> None:
        two.network.add("c").error = "no route to milvus"

    run = two.begin(closed_phases(1))
    two.time.after(4.5, join)
    two.carry_out()
    assert run.incomplete == ""
    assert two.network.dismissed == ["c"]
    assert Refuse("no route to milvus") in [command for name, command in two.network.sent if name == "c"]


def test_a_worker_that_leaves_after_its_phase_is_counted_does_not_mark_it(two: Cluster) -> None:
    run = two.begin(closed_phases(1))
    stop = two.coordinator.stop

    def late() -> None:
        two.network.remove("b")
        stop()

    two.coordinator.stop = late  # type: ignore[method-assign]
    two.carry_out()
    assert run.incomplete == ""
    assert (two.ledger.windows[0].workers_lost, two.ledger.windows[0].connections) == (0, 4)


def test_users_that_never_start_end_the_plan(two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "USERS_WITHIN", 12.0)
    run = two.begin(closed_phases(2))
    two["a"].starts_in = two["b"].starts_in = 1e6
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (only 0 of 8 users started within 12 s)"
    assert "open_window" not in two["a"].kinds()
    assert two.outside() == {}


def test_the_window_opens_when_all_users_have_started(two: Cluster) -> None:
    two.begin(closed_phases(1))
    began = two.time()
    two["b"].starts_in = 7.0
    two.carry_out()
    assert two["a"].ledger.windows[0].start - began == pytest.approx(7.0, abs=0.5)
    assert two.operations(0) == 80


def test_users_that_all_end_by_themselves_end_the_plan(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    for name in ("a", "b"):
        two.time.after(4.5, partial(setattr, two[name], "gone", 4))
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (all users of phase 1 ended by themselves)"
    assert two.time() - 1000 < 10, "nobody waits for the phase's end"


def test_some_users_that_end_by_themselves_are_noted_and_the_plan_goes_on(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: setattr(two["a"], "gone", 3))
    two.carry_out()
    assert run.completed == 2
    assert run.incomplete == "3 of 8 users ended before phase 1 did"
    assert [window.users_gone for window in two.ledger.windows.values()] == [3, 0]


def test_users_that_a_lost_worker_has_taken_along_have_not_ended_by_themselves(two: Cluster) -> None:
    run = two.begin(closed_phases(1))
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers"
    assert two.ledger.windows[0].users_gone == 0


# Bursts


def test_a_burst_is_over_where_one_worker_says_so(two: Cluster) -> None:
    run = two.begin([BURST])
    two.time.after(3.0, lambda: two["a"].over.add(0))
    two.carry_out()
    assert run.incomplete == ""
    assert any(isinstance(command, IsOver) for command in two["b"].done)


@pytest.mark.parametrize("others", [("c",), ()])
def test_a_burst_whose_worker_vanishes_is_begun_again_or_marked_and_never_waited_for(
    two: Cluster, others: Sequence[str]
) -> None:
    run = two.begin([BURST], worker_grace=20.0)
    lose(two, "a", after=3.0)
    for name in others:
        add(two, name, after=10.0)
        two.time.after(30.0, lambda: two["b"].over.add(0))
    two.carry_out()
    assert two.ledger.windows[0].phase.attempt == len(others)
    assert run.incomplete == ("" if others else "phase 1 lacked 1 of 2 workers")


# The start


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


def follow(made: Cluster, users: int = 8, run_time: float = 60.0) -> None:
    """Begin a run of one mode."""
    made.begin()
    made.spawn_users(users)
    phase = Phase(0, Mode.SYNC, users)
    made.time.run(lambda: made.coordinator.follow(phase, lambda: users, run_time))


def test_a_run_of_one_mode_counts_from_when_all_users_have_started(two: Cluster) -> None:
    two["b"].starts_in = 7.0
    began = two.time()
    follow(two)
    two.time.pass_by(6.9)
    assert two.screen.opened == []
    assert two.coordinator.state is State.READY
    two.time.pass_by(20.1)
    ((phase, left),) = two.screen.opened
    assert phase.concurrency == 8
    assert left == pytest.approx(53.0, abs=0.2)
    two.time.run(two.coordinator.stop)
    assert two["a"].ledger.windows[0].start - began == pytest.approx(7.0, abs=0.2)
    assert two.ledger.windows[0].seconds == pytest.approx(20.0, abs=0.2)
    assert two.operations(0) == 8 * 20


def test_a_run_of_one_mode_that_is_stopped_before_its_users_have_started_counts_nothing(two: Cluster) -> None:
    two["b"].starts_in = 1e6
    follow(two)
    two.time.pass_by(20)
    two.time.run(two.coordinator.stop)
    two.coordinator.end_run()
    two.time.pass_by(10)
    assert two.screen.opened == []
    assert two.ledger.windows[0].operation_stats == {}
    assert two.coordinator.run.incomplete == "only 4 of 8 users had started, but counting begins with the last"


def test_users_that_end_by_themselves_in_a_run_of_one_mode_are_noted(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    two["a"].gone = 3
    two.time.pass_by(5)
    two.time.run(two.coordinator.note_end)
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "3 users ended before the end of the run"
    assert two.ledger.windows[0].users_gone == 3


def test_workers_that_leave_because_they_are_told_to_stop_are_no_loss(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    for name in ("a", "b"):

        def leave(command: Command, name: str = name) -> None:
            if isinstance(command, Stop):
                two.time.after(0.5, lambda: two.network.remove(name))

        two[name].on_command = leave
    two.time.run(two.coordinator.stop)
    two.time.pass_by(2)
    two.coordinator.agents.present()
    assert two.ledger.windows[0].workers_lost == 0
    assert two.coordinator.run.incomplete == ""


def test_a_worker_that_is_lost_in_a_run_of_one_mode_is_marked(two: Cluster) -> None:
    follow(two)
    lose(two, "b", after=10.5)
    two.time.pass_by(20)
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "lost 1 of 2 workers"
    assert (two.ledger.windows[0].workers_lost, two.ledger.windows[0].connections) == (1, 2)


def test_a_worker_that_falls_silent_as_a_run_is_stopped_is_marked(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    two.network.freeze("b")
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "lost 1 of 2 workers"
    assert two.ledger.windows[0].workers_lost == 1


def test_a_worker_that_joins_a_run_of_one_mode_counts_from_then_on(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(5)
    two.network.add("c")
    two.time.pass_by(5)
    assert two["c"].kinds() == ["prepare", "enter", "open_window"]
    two["c"].spawn(4)
    two.time.pass_by(5)
    two.time.run(two.coordinator.stop)
    assert two["c"].ledger.windows[0].operation_stats[Mode.SYNC, "search"].operations == 20
    assert two.operations(0) == sum(
        two[name].ledger.windows[0].operation_stats[Mode.SYNC, "search"].operations for name in ("a", "b", "c")
    )


# A server that does not answer


@pytest.mark.parametrize(
    ("outcome", "given", "reason", "after"),
    [
        (Outcome.UNAVAILABLE, {"give_up_after": 10}, "no operation succeeded for 10 s, 80 failed", 11),
        (None, {"give_up_after": 10}, "no operation succeeded for 10 s, 8 are waiting for an answer", 11),
        (
            None,
            {"give_up_after": 5, "deadline": 19},
            "no operation succeeded for 20 s, 8 are waiting for an answer",
            21,
        ),
    ],
)
def test_a_run_against_a_server_that_answers_nothing_is_given_up(
    two: Cluster, outcome: Outcome | None, given: dict[str, float], reason: str, after: float
) -> None:
    run = two.begin(closed_phases(2, seconds=60.0), "one", **given)
    two["a"].outcome = two["b"].outcome = outcome
    began = two.time()
    two.carry_out()
    words = f"{reason}: is the server at http://***@milvus:19530 alive?"
    assert two.process.ended == [words]
    assert run.incomplete == f"ended early: 0 of 2 phases ({words})"
    assert two.time() - began == pytest.approx(after, abs=3.0)


@pytest.mark.parametrize(
    ("outcome", "limit"), [(Outcome.UNAVAILABLE, 0), (Outcome.OK, 10), (Outcome.EMPTY, 10), (None, 0)]
)
def test_a_run_goes_on_where_the_server_answers_or_nobody_gives_up(
    two: Cluster, outcome: Outcome | None, limit: int
) -> None:
    run = two.begin(closed_phases(1, seconds=60.0), give_up_after=limit)
    two["a"].outcome = two["b"].outcome = outcome
    two.carry_out()
    assert (two.process.ended, run.completed) == ([], 1)


def test_a_run_whose_own_server_has_died_ends(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: setattr(two.process, "death", "the embedded server has ended: out of memory"))
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (the embedded server has ended: out of memory)"
    assert two.time() - 1000 < 8


class Fault(FaultSchedule):
    """A fault whose recovery limit ends at a moment."""

    def __init__(self, now: Callable[[], float], until: float) -> None:
        super().__init__((), cast("Injector", None), 0.0)
        self.is_in_effect = lambda: now() < until

    def suspends(self) -> bool:
        return self.is_in_effect()


@pytest.mark.parametrize(
    ("death", "reason"), [("", "no operation succeeded for 10 s"), ("the embedded server has ended", "has ended")]
)
def test_a_fault_suspends_the_end_of_a_silent_or_dead_server_until_its_limit(
    two: Cluster, death: str, reason: str
) -> None:
    run = two.begin(closed_phases(1, seconds=90.0), give_up_after=10)
    run.drill = Fault(two.time, two.time() + 40)
    two["a"].outcome = two["b"].outcome = Outcome.UNAVAILABLE
    two.process.death = death
    began = two.time()
    two.carry_out()
    assert reason in run.incomplete
    assert two.time() - began == pytest.approx(40 if death else 50, abs=4.0)


def test_a_worker_that_cannot_go_on_ends_the_run_with_its_words_and_the_first_counts(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: two["b"].send(Failure("its event loop has died", "one")))
    two.time.after(4.6, lambda: two["a"].send(Failure("other words", "one")))
    two.carry_out()
    assert two.process.ended == ["worker b: its event loop has died"]
    assert run.incomplete == "ended early: 0 of 2 phases (worker b: its event loop has died)"


# The network


def some(copies: Sequence[float]) -> Callable[[Command | FromAgent], Sequence[float]]:
    """A third of all messages have this fate."""
    random = Random(7)
    return lambda _message: copies if random.random() < 1 / 3 else (0.0,)


@pytest.mark.parametrize("copies", [(), (0.0, 0.0), (0.0, 3.0), (1.3,), (0.7, 2.1, 2.2)])
def test_messages_that_are_lost_repeated_or_late_change_nothing(two: Cluster, copies: Sequence[float]) -> None:
    run = two.begin(closed_phases(2, seconds=30.0))
    two.network.fate = some(copies)
    two.carry_out()
    two.time.pass_by(10)
    assert run.incomplete == ""
    for name in ("a", "b"):
        numbers = [command.sequence for command in two[name].done]
        assert len(numbers) == len(set(numbers)), "no command is carried out twice"
    counted = [
        sum(two[name].ledger.windows[number].operation_stats[Mode.SYNC, "search"].operations for name in ("a", "b"))
        for number in range(2)
    ]
    assert [two.operations(number) for number in range(2)] == counted
    assert min(counted) > 200


def test_what_is_said_of_another_run_is_dropped_and_logged(two: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "loadgen")
    two.begin(closed_phases(1))
    old = Ledger()
    old.open(Phase(0, Mode.ASYNC, 8, seconds=10), 100.0, 110.0)
    old([Sample(Mode.ASYNC, "search", 100.5, 100.5, 101.0, Outcome.OK, 1)] * 50)
    body = old.take_report(111.0)
    hear = two.coordinator.receive
    hear("a", Report("an earlier one", body["sequence"], body))
    hear("a", Failure("I was too slow", "an earlier one"))
    call = two.coordinator.agents._caller.begin("one", {"a": OpenWindow(Phase(0, Mode.SYNC, 1))})
    two.network.workers["a"].done.clear()
    hear("b", Answer("an earlier one", call.sequence))
    hear("a", Answer("an earlier one", call.sequence + 1))
    assert call.pending == set(), "a has answered"
    assert "b" not in call.answers
    assert two.ledger.windows == {}
    assert two.process.ended == []
    assert [record.message for record in caplog.records if "Dropped" in record.message] == [
        "Dropped a report of a: it is of run an earlier one",
        "Dropped a failure of a: it is of run an earlier one",
    ]


def test_a_worker_that_is_stopped_across_the_end_of_a_run_brings_nothing_of_it_into_the_next(two: Cluster) -> None:
    two.begin(closed_phases(1))
    two.time.after(5.5, lambda: two.network.freeze("b"))
    two.carry_out()
    assert two.coordinator.run.incomplete == "phase 1 lacked 1 of 2 workers"
    plan = tuple(replace(phase, mode=Mode.ASYNC) for phase in closed_phases(2))
    run = two.begin(plan, run_id="two", expected=1)
    two.time.after(5.0, lambda: two.network.thaw("b"))
    two.carry_out()
    assert run.incomplete == ""
    assert {mode for window in two.ledger.windows.values() for mode, _ in window.operation_stats} == {Mode.ASYNC}
    assert {mode for mode, _ in two.ledger.outside} <= {Mode.ASYNC}
    assert [command.run_id for command in two["b"].done if isinstance(command, Prepare)] == ["one", "two"]
    assert two.operations(1) == 80, "it takes part again"


def test_reports_are_confirmed_so_that_later_ones_say_what_is_new_only(two: Cluster) -> None:
    two.begin(closed_phases(3))
    two.carry_out()
    body = two["a"].ledger.take_report(two.time())
    assert body["windows"] == []


def test_a_coordinator_that_is_closed_looks_after_nobody(two: Cluster) -> None:
    two.begin(closed_phases(1))
    two.coordinator.close()
    two.network.add("c")
    two.time.pass_by(5)
    assert two["c"].done == []
