"""A plan with several numbers of workers: the first of those that are there take part, with the same load each."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from locust import User, task

from loadgen.locust_plugin.coordination.participants import dispatch_to
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.measure.phase import Phase, open_phases, scaled_phases, timed_phases
from loadgen.measure.sample import Mode
from loadgen.settings.model import Settings
from tests.unit.control_support import Cluster, cluster

WORKERS = (1, 2, 4)
VARIANTS = (("sync", Mode.SYNC),)


def plan(workers: tuple[int, ...] = WORKERS, users: int = 2) -> tuple[Phase, ...]:
    """One phase for each number of workers."""
    phases = scaled_phases(lambda levels: timed_phases(VARIANTS, levels, 1, (10.0, 0.0)), (users,), workers)
    return tuple(Phase(n, one.mode, one.concurrency, 10.0, workers=one.workers) for n, one in enumerate(phases[::2]))


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with cluster(monkeypatch, "a", "b", "c", "d") as made:
        yield made


def heard(made: Cluster, number: int) -> list[str]:
    return sorted(made.ledger.windows[number].heard)


def test_each_worker_has_the_same_load_in_every_phase() -> None:
    assert [(one.workers, one.concurrency) for one in plan()] == [(1, 2), (2, 4), (4, 8)]
    assert plan()[1].label == "sync, 4 users on 2 workers"
    rates = scaled_phases(lambda levels: open_phases(VARIANTS, ("poisson", levels), 1, (10.0, 0.0)), (12.5,), (1, 3))
    assert [(one.workers, one.rate) for one in rates[::2]] == [(1, 12.5), (3, 37.5)]
    assert rates[-1].label == "sync, 37.5/s poisson on 3 workers"


def test_rates_by_operation_and_over_time_grow_with_the_workers() -> None:
    """Else all phases would be offered the same, and a server that keeps up would seem not to scale."""
    curves = (("search", ((0.0, 10.0), (20.0, 30.0))),)
    phases = scaled_phases(
        lambda levels: open_phases(VARIANTS, ("poisson", levels), 1, (20.0, 0.0), curves), (20.0,), (1, 3)
    )
    assert [(one.rate, one.curves[0][1]) for one in phases[::2]] == [
        (20.0, ((0.0, 10.0), (20.0, 30.0))),
        (60.0, ((0.0, 30.0), (20.0, 90.0))),
    ]


@pytest.mark.parametrize(
    ("text", "load", "problem"),
    [
        ("search p99 < 5 ms at 16", {"concurrency": "8"}, ""),
        (
            "search p99 < 5 ms at 8",
            {"concurrency": "8"},
            "is at 8, but --concurrency times --scale-workers is 16 and 32",
        ),
        ("search p99 < 5 ms at 200/s", {"arrival": "poisson", "rate": "50"}, ""),
        (
            "search p99 < 5 ms at 50/s",
            {"arrival": "poisson", "rate": "50"},
            "is at 50/s, but --rate is 100/s and 200/s",
        ),
    ],
)
def test_a_requirement_may_be_at_the_load_of_all_workers_together(
    text: str, load: dict[str, str], problem: str
) -> None:
    given: dict[str, Any] = {"require": [text], "scale_workers": "2,4", "record": ""}
    settings = Settings.parse(given | load)
    assert [fault.problem for fault in find_faults(settings)] == ([problem] if problem else [])


def test_without_numbers_of_workers_all_take_part() -> None:
    phases = scaled_phases(lambda levels: timed_phases(VARIANTS, levels, 1, (10.0, 0.0)), (2, 4), ())
    assert [(one.workers, one.concurrency, one.label) for one in phases[::2]] == [
        (0, 2, "sync, 2 users"),
        (0, 4, "sync, 4 users"),
    ]


def test_the_first_workers_take_part_and_the_others_are_left_alone(four: Cluster) -> None:
    run = four.begin(plan())
    four.carry_out()
    assert (run.completed, run.incomplete) == (3, "")
    assert [heard(four, number) for number in range(3)] == [["a"], ["a", "b"], ["a", "b", "c", "d"]]
    assert [four.operations(number) for number in range(3)] == [20, 40, 80]
    assert [window.connections for window in four.ledger.windows.values()] == [2, 4, 8]
    assert [window.workers_lost for window in four.ledger.windows.values()] == [0, 0, 0]
    assert four["d"].kinds() == ["prepare", "announce", "enter", "open_window", "drain", "stop"]
    assert four.outside() == {}


def test_a_worker_that_takes_no_part_may_leave(four: Cluster) -> None:
    run = four.begin(plan((1, 2)))
    four.time.after(5.5, lambda: four.network.remove("d"))
    four.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [window.workers_lost for window in four.ledger.windows.values()] == [0, 0]


def test_a_worker_that_joins_takes_no_part_in_the_current_phase(four: Cluster) -> None:
    run = four.begin(plan((1, 2)))
    four.time.after(3.0, lambda: four.network.add("aa"))
    four.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [heard(four, number) for number in range(2)] == [["a"], ["a", "aa"]]
    assert [four.operations(number) for number in range(2)] == [20, 40]


def test_a_phase_that_loses_one_of_its_workers_is_measured_again_with_the_next(four: Cluster) -> None:
    run = four.begin(plan((1, 2)))
    four.time.after(15.5, lambda: four.network.remove("b"))
    four.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert (four.ledger.windows[1].phase.attempt, heard(four, 1)) == (1, ["a", "c"])
    assert [four.operations(number) for number in range(2)] == [20, 40]


def test_a_phase_for_which_a_worker_is_missing_is_marked(four: Cluster) -> None:
    run = four.begin(plan())
    four.time.after(5.5, lambda: four.network.remove("d"))
    four.carry_out()
    assert run.incomplete == "phase 3 lacked 1 of 4 workers"
    assert [window.workers_lost for window in four.ledger.windows.values()] == [0, 0, 1]


class Idle(User):
    @task
    def work(self) -> None: ...


class Node(SimpleNamespace):
    def __init__(self, name: str) -> None:
        super().__init__(id=name, user_classes_count={}, users=0)


def spread(environment: Any, users: int, *later: str) -> dict[str, int]:
    """The users that Locust gives to each of the workers a, b, c and those that join later."""
    dispatcher = environment.dispatcher_class([Node(name) for name in "abc"], [Idle])
    for name in later:
        dispatcher.add_worker(Node(name))
    dispatcher.new_dispatch(target_user_count=users, spawn_rate=users)
    (*_, last) = dispatcher
    return {name: sum(counts.values()) for name, counts in last.items()}


def test_locust_gives_users_to_those_that_take_part_only() -> None:
    environment = SimpleNamespace()
    chosen: list[set[str] | None] = [{"a", "c"}]
    dispatch_to(environment, lambda: chosen[0])
    assert spread(environment, 6) == {"a": 3, "c": 3}
    assert spread(environment, 6, "d") == {"a": 3, "c": 3}
    chosen[0] = None
    assert spread(environment, 6) == {"a": 2, "b": 2, "c": 2}
    assert spread(environment, 8, "d") == {"a": 2, "b": 2, "c": 2, "d": 2}


def test_a_worker_that_takes_no_part_may_leave_locusts_dispatcher() -> None:
    environment: Any = SimpleNamespace()
    dispatch_to(environment, lambda: {"a"})
    nodes = [Node(name) for name in "ab"]
    dispatcher = environment.dispatcher_class(nodes, [Idle])
    dispatcher.remove_worker(nodes[1])
    dispatcher.new_dispatch(target_user_count=2, spawn_rate=2)
    (*_, last) = dispatcher
    assert {name: sum(counts.values()) for name, counts in last.items()} == {"a": 2}
