"""Workarounds for Locust: what they give Locust, that nobody else sees it, and that each names its issue."""

import inspect
import re
import time
from types import SimpleNamespace
from typing import Any

import gevent
import locust.main
import locust.runners
import locust.stats
import pytest
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_MISSING, STATE_RUNNING
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

from loadgen.locust_plugin import patches
from loadgen.locust_plugin.patches import (
    ask_shapes_at_once,
    check_options,
    count_time_steadily,
    forget_worker,
    keep_runs_apart,
    keep_users_to_plan,
    list_arguments_once,
    note_quit,
)
from loadgen.locust_plugin.remembered_node import RememberedNode

ISSUE = re.compile(r"#\d+|no upstream issue known, \d\.\d+")
OURS = [
    (name, result)
    for name, result in vars(patches).items()
    if getattr(result, "__module__", "") == patches.__name__ and not name.startswith("_")
]


def test_there_are_workarounds() -> None:
    assert {"wait_before_users", "remember_absences", "take_sigterm"} <= {name for name, _ in OURS}


@pytest.mark.parametrize(("name", "result"), OURS, ids=[name for name, _ in OURS])
def test_each_workaround_says_in_one_line_what_locust_does_and_names_the_issue(name: str, result: object) -> None:
    first = (inspect.getdoc(result) or "").splitlines()[0]
    assert ISSUE.search(first), f"{name}: {first}"


def test_a_clock_that_is_set_is_not_set_for_locust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust.runners, "time", time)
    monkeypatch.setattr(locust.stats, "time", time)
    count_time_steadily()
    right = time.time
    assert locust.runners.time.time() == pytest.approx(right(), abs=5)
    monkeypatch.setattr(time, "time", lambda: right() - 3600)
    for module in (locust.runners, locust.stats):
        before = module.time.time()
        assert before == pytest.approx(right(), abs=5)
        time.sleep(0.01)
        assert module.time.time() >= before + 0.01
    assert time.time() == pytest.approx(right() - 3600, abs=5), "everybody else's is the machine's"
    assert locust.runners.time.sleep is time.sleep


def test_it_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust.runners, "time", time)
    monkeypatch.setattr(locust.stats, "time", time)
    count_time_steadily()
    first = locust.runners.time
    count_time_steadily()
    assert locust.runners.time is first


def report(run: str) -> dict[str, object]:
    """What a worker sends that has counted one operation and one failure."""
    environment, stats = Environment(), RequestStats()
    setup_distributed_stats_event_listeners(environment.events, stats)
    stats.log_request("sync", "search", 1, 10)
    stats.log_error("sync", "search", ValueError("no"))
    data: dict[str, object] = {"loadgen": {"run_id": run}}
    environment.events.report_to_master.fire(client_id="one", data=data)
    return data


def test_what_a_worker_reports_of_another_run_is_in_no_table() -> None:
    environment, stats = Environment(), RequestStats()
    setup_distributed_stats_event_listeners(environment.events, stats)
    keep_runs_apart(environment.events, lambda data: bool(data["loadgen"]["run_id"] == "second"))
    for run in ("first", "second", "first"):
        environment.events.worker_report.fire(client_id="one", data=report(run))
    assert stats.entries["search", "sync"].num_requests == stats.total.num_requests == 1
    assert [error.occurrences for error in stats.errors.values()] == [1]


def test_the_arguments_that_a_worker_looks_for_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []

    def list_arguments() -> dict[str, None]:
        listed.append("once")
        return {"host": None}

    counting = SimpleNamespace(default_args_dict=list_arguments, other=3)
    monkeypatch.setattr(locust.runners, "argument_parser", counting)
    list_arguments_once()
    list_arguments_once()
    patched: Any = locust.runners.argument_parser
    assert [patched.default_args_dict() for _ in range(3)] == [{"host": None}] * 3
    assert (listed, patched.other) == (["once"], 3)


def test_users_of_a_plan_are_started_by_its_shape_alone(caplog: pytest.LogCaptureFixture) -> None:
    started: list[int] = []
    environment = SimpleNamespace(shape_class=object())
    runner = SimpleNamespace(
        environment=environment, shape_greenlet=None, start=lambda users, _rate: started.append(users)
    )
    keep_users_to_plan(runner)
    runner.start(1, 100)
    runner.shape_greenlet = gevent.spawn(lambda: runner.start(3, 100))
    runner.start(13, 100)
    runner.shape_greenlet.get()
    assert started == [3]
    assert [record.message for record in caplog.records] == [
        "Users cannot be changed during a plan of phases. Use --mode sync or --mode async for that"
    ] * 2
    environment.shape_class = None
    runner.start(5, 100)
    assert started == [3, 5]


def test_a_shape_is_asked_for_its_next_step_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    ticks = iter([(3, 1.0), (0, 1.0)])
    shape = SimpleNamespace(tick=lambda: next(ticks, None))
    runner = SimpleNamespace(
        state=STATE_INIT,
        environment=SimpleNamespace(shape_class=shape, parsed_options=None),
        shape_last_tick=None,
        start=lambda user_count, **_: done.append(user_count),
        stop=lambda: done.append("stop"),
    )
    monkeypatch.setattr(gevent, "sleep", lambda seconds: done.append(f"{seconds} s"))
    ask_shapes_at_once(runner)
    runner.shape_worker()
    assert done == [3, "0 s", 0, "0 s", "stop"]


def test_a_worker_that_was_missing_is_remembered_although_it_is_back() -> None:
    node = RememberedNode("sleepy")
    for state in (STATE_RUNNING, STATE_MISSING, STATE_RUNNING):
        node.state = state
    again = RememberedNode("sleepy")
    assert (node.state, again.state) == (STATE_RUNNING, STATE_INIT)
    assert RememberedNode.absences["sleepy"] == 1


def test_options_are_checked_before_anything_is_done_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []

    def read(*given: object) -> tuple[object, ...]:
        reported.append("read")
        return given

    parser = SimpleNamespace(parse_args=read)
    monkeypatch.setattr(locust.main, "get_parser", lambda: parser)
    check_options(lambda: reported.append("required"), lambda options: reported.append(("checked", options)))
    assert locust.main.get_parser().parse_args(["-u", "1"]) == (["-u", "1"],)
    assert reported == ["required", "read", ("checked", (["-u", "1"],))]


def test_a_worker_knows_that_it_is_told_to_quit_before_it_does() -> None:
    reported: list[str] = []

    def handle_message(msg: SimpleNamespace) -> None:
        reported.append(msg.type)

    runner = SimpleNamespace(handle_message=handle_message)
    note_quit(runner, lambda data: reported.append(f"noted {data}"))
    for kind in ("spawn", "quit"):
        runner.handle_message(SimpleNamespace(type=kind, data="why"))
    assert reported == ["spawn", "noted why", "quit"]


def test_a_worker_that_is_forgotten_gets_no_users_either() -> None:
    removed: list[object] = []
    dispatcher = SimpleNamespace(remove_worker=removed.append)
    runner = SimpleNamespace(clients={"one": RememberedNode("one")}, _users_dispatcher=dispatcher)
    node = runner.clients["one"]
    for worker in ("one", "one", "other"):
        forget_worker(runner, worker)
    assert runner.clients == {}
    assert removed == [node]
    runner = SimpleNamespace(clients={"one": node}, _users_dispatcher=None)
    forget_worker(runner, "one")
    assert runner.clients == {}
