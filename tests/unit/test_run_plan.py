"""Which users play in which phases."""

from argparse import Namespace
from typing import Any

import pytest
from locust import TaskSet, User, task

from loadgen.locust_plugin.preparation.run_plan import (
    clients_of,
    find_closed_flags,
    find_slow_start,
    may_write,
    operations_of,
    plan_users,
)
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser


class Asynchronous(AsyncUser):
    @task
    async def work(self) -> None: ...


class Blocking(SyncUser):
    @task
    def work(self) -> None: ...


class Burst(Blocking):
    style = "sync"


class Gather(Asynchronous):
    style = "async"


class Counted(Blocking):
    fixed_count = 2


class Nested(Blocking):
    tasks = [TaskSet]  # noqa: RUF012 - no ClassVar in Locust


class Greenlet(User):
    @task
    def work(self) -> None: ...


class Mixed(SyncUser):
    @task(3)
    def search(self) -> None:
        self.client.search(self.next_query())

    @task
    class Writing(TaskSet):
        @task
        def insert(self) -> None:
            user: Any = self.user
            [user.client.insert(nodes) for nodes in [user.next_nodes()]]


class Searching(SyncUser):
    operations = ("search",)


class RunRequest(AsyncUser):
    operations = (Operation("ask"), "search")


class Ingesting(AsyncUser):
    operations = (Operation("ingest", writes=True),)


EVERY = {"search", "insert", "delete"}


@pytest.mark.parametrize(
    ("classes", "operations"),
    [
        ([Mixed, Asynchronous], dict.fromkeys(Mode, EVERY)),
        ([Burst, Gather], {mode: {"search", "insert"} for mode in Mode}),
        ([Mixed, Greenlet], {Mode.SYNC: EVERY}),
        ([], {}),
    ],
)
def test_a_user_that_declares_nothing_may_do_what_its_client_can(
    classes: list[type], operations: dict[Mode, set[str]]
) -> None:
    result = operations_of(classes)
    assert {mode: {str(one) for one in some} for mode, some in result.items()} == operations


def test_a_user_does_what_it_declares() -> None:
    result = operations_of([Searching, RunRequest, Ingesting])
    names = {mode: sorted(map(str, some)) for mode, some in result.items()}
    assert names == {Mode.SYNC: ["search"], Mode.ASYNC: ["ask", "ingest", "search"]}


def test_a_compare_run_has_both_modes_at_each_concurrency() -> None:
    classes, phases = plan_users([Asynchronous, Blocking], Settings(concurrency=(2, 4), rounds=1))
    assert classes == [Asynchronous, Blocking]
    assert [(phase.mode.value, phase.users) for phase in phases] == [
        (mode, users) for users in (2, 4) for mode in ("sync", "async", "async", "sync")
    ]


@pytest.mark.parametrize(("mode", "kind"), [("sync", Blocking), ("async", Asynchronous)])
def test_one_mode_leaves_the_users_to_locusts_own_flags(mode: str, kind: type) -> None:
    assert plan_users([Asynchronous, Blocking], Settings(mode=mode)) == ([kind], ())


def test_bursts_have_their_plan_in_every_mode() -> None:
    classes, phases = plan_users([Burst, Gather], Settings(burst=(5,)))
    assert (classes, len(phases)) == ([Burst, Gather], 4)
    classes, phases = plan_users([Burst, Gather], Settings(burst=(5,), mode="async"))
    assert (classes, [phase.style for phase in phases]) == ([Gather], ["async", "async"])


def test_bursts_come_before_the_phases_of_users_of_both_modes() -> None:
    every = [Burst, Gather, Asynchronous, Blocking]
    classes, phases = plan_users(every, Settings(burst=(5,), concurrency=(2,), rounds=1))
    assert classes == every
    assert [phase.number for phase in phases] == list(range(8))
    assert [(phase.style, phase.operations) for phase in phases[:4]] == [("sync", 5), ("async", 5)] * 2
    assert [(phase.style, phase.mode.value, phase.users) for phase in phases[4:]] == [
        ("", mode, 2) for mode in ("sync", "async", "async", "sync")
    ]
    with pytest.raises(SettingsError, match="Asynchronous: is not a burst, but others are"):
        plan_users(every, Settings(mode="async"))


@pytest.mark.parametrize(
    ("classes", "settings", "reported"),
    [
        ([Greenlet, Asynchronous], Settings(), "Greenlet: is neither an AsyncUser nor a SyncUser"),
        ([Asynchronous], Settings(), "--mode compare: has no SyncUser to run"),
        ([Asynchronous], Settings(mode="sync"), "--mode sync: has no SyncUser to run"),
        ([Burst, Asynchronous], Settings(), "Asynchronous: is not a burst"),
    ],
)
def test_users_that_do_not_fit_are_refused(classes: list[type], settings: Settings, reported: str) -> None:
    with pytest.raises(SettingsError, match=r"nothing was sent") as caught:
        plan_users(classes, settings)
    assert reported in str(caught.value)


OPEN = Settings(arrival="poisson", rate=(50, 100), rounds=1)


def test_arrivals_have_both_modes_at_each_rate_or_one_mode_twice() -> None:
    classes, phases = plan_users([Asynchronous, Blocking], OPEN)
    assert classes == [Asynchronous, Blocking]
    assert [(phase.rate, phase.mode.value) for phase in phases] == [
        (rate, mode) for rate in (50, 100) for mode in ("sync", "async", "async", "sync")
    ]
    classes, phases = plan_users([Asynchronous, Blocking], OPEN.model_copy(update={"mode": "sync"}))
    assert (classes, [phase.mode.value for phase in phases]) == ([Blocking], ["sync"] * 4)


@pytest.mark.parametrize(
    ("kind", "reported"),
    [
        (Burst, "Burst: is a burst, not a single operation that can be scheduled (--arrival poisson)"),
        (Counted, "Counted: has a fixed_count"),
        (Nested, "Nested: has task sets or no tasks"),
    ],
)
def test_users_to_whom_arrivals_cannot_be_given_are_refused(kind: type, reported: str) -> None:
    with pytest.raises(SettingsError, match="Run it with --arrival closed") as caught:
        plan_users([Asynchronous, kind], OPEN)
    assert reported in str(caught.value)


def test_locusts_users_and_spawn_rate_beside_arrivals_are_faults() -> None:
    options = Namespace(arrival="constant", num_users=3, spawn_rate=2.0)
    assert [(fault.setting, fault.value) for fault in find_closed_flags(options)] == [
        ("users", "3"),
        ("spawn-rate", "2.0"),
    ]
    assert find_closed_flags(Namespace(arrival="closed", num_users=3, spawn_rate=2.0)) == []
    assert find_closed_flags(Namespace(arrival="poisson", num_users=None, spawn_rate=None)) == []


def test_a_run_that_is_over_before_its_last_user_starts_is_a_fault() -> None:
    (fault,) = find_slow_start(Namespace(num_users=8, spawn_rate=None, run_time=7))
    assert str(fault) == (
        "--run-time 7: ends before all 8 users have started at 1/s, which is when counting begins. "
        "Give a longer --run-time, or --spawn-rate 8."
    )
    assert find_slow_start(Namespace(num_users=8, spawn_rate=None, run_time=8)) == []
    assert find_slow_start(Namespace(num_users=8, spawn_rate=8.0, run_time=1)) == []
    assert find_slow_start(Namespace(num_users=None, spawn_rate=None, run_time=1)) == []
    assert find_slow_start(Namespace(num_users=8, spawn_rate=None, run_time=None)) == []


def test_a_run_writes_where_a_class_says_so_or_says_nothing() -> None:
    assert not may_write([Searching, RunRequest])
    assert may_write([Searching, Ingesting])
    assert may_write([Searching, Blocking]), "Blocking may do whatever its client can"


def test_what_a_variants_own_client_writes_is_a_write() -> None:
    class Documents(AsyncUser):
        operations = ("ingest",)

    settings = Settings.parse({"variants": ["rag/sync", "rag/async"]})
    assert clients_of(settings) == ("rag",)
    assert may_write([Documents], clients_of(settings))
    (ingest,) = operations_of([Documents], clients_of(settings))[Mode.ASYNC]
    assert ingest.stages == ("read", "split", "embed", "insert")


@pytest.mark.parametrize(
    ("operations", "reported"),
    [
        ("search", "declares operations, but it is 'search', not a tuple"),
        (7, "declares operations, but it is 7, not a tuple"),
        (("Search",), "declares operations, but 'Search' is not a name of an operation"),
        ((7,), "declares operations, but 7 is not a name of an operation"),
        ((["search"],), "declares operations, but ['search'] is not a name of an operation"),
        ((Operation("insert"),), "declares operations, but 'insert' is an operation of the client: name it as text"),
        (
            tuple(f"ask_{number}" for number in range(30)),
            "have 33 operations, including those of the client; a run may",
        ),
    ],
)
def test_a_declaration_that_is_none_is_a_fault_of_the_class(operations: Any, reported: str) -> None:
    kind = type("Wrong", (SyncUser,), {"operations": operations, "tasks": [Searching]})
    with pytest.raises(SettingsError) as caught:
        plan_users([kind, Asynchronous], Settings())
    assert f"--user-classes Wrong{', Asynchronous' if '33' in reported else ''}: {reported}" in str(caught.value)


def test_a_burst_writes() -> None:
    assert may_write([Burst])


class Unfiltered(Blocking):
    ignores = ("filter",)


def test_a_setting_that_the_users_ignore_is_refused_in_the_run_and_in_their_variants() -> None:
    reported = "--filter {}: is not honoured by Unfiltered. Omit it, or run another locustfile, such as search.py."
    given = {"metadata": "tenant:int:5", "variants": "sync; async"}

    def plan(**more: object) -> list[str]:
        try:
            plan_users([Unfiltered, Asynchronous], Settings.parse(given | more))
        except SettingsError as error:
            return [str(fault) for fault in error.faults]
        return []

    assert plan() == []
    assert plan(filter="tenant == 1") == [reported.format("tenant == 1")]
    assert plan(variants='sync; async filter="tenant == 2"') == [], "only the others ignore it"
    assert plan(variants='sync; sync filter="tenant == 3"; async') == [reported.format("tenant == 3")]


def test_a_class_that_ignores_what_is_no_setting_is_refused() -> None:
    class Mistyped(Blocking):
        ignores = ("filtre",)

    with pytest.raises(SettingsError, match="Mistyped: ignores 'filtre', which is no setting"):
        plan_users([Mistyped], Settings.parse({"mode": "sync"}))
