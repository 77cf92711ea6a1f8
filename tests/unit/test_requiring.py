"""A requirement of what will not run is a fault before the load, with what was probably meant."""

import operator
import random
from itertools import count
from typing import Any, ClassVar

import pytest
from locust import TaskSet, between, task

from charts.schema import requirement_pattern
from loadgen.plugin.ending import find_faults
from loadgen.plugin.understanding import never_performs
from loadgen.settings import Settings
from loadgen.users import AsyncUser, SyncUser

QUERIES = [object()]
TURN = count()
NAME = "insert"


def help_with(user: Any) -> None:
    user.client.insert(user.next_nodes())


class Helper:
    def help(self, user: Any) -> None:
        user.client.insert(user.next_nodes())


HELPER = Helper()


class Plain(SyncUser):
    """It never calls insert, whatever this text says."""

    wait_time = between(0.1, 0.2)

    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class Asynchronous(AsyncUser):
    @task(3)
    async def search(self) -> None:
        await self.client.search(QUERIES[next(TURN) % len(QUERIES)])


class Inherited(Plain):
    def again(self) -> None:
        [self.client.search(query) for query in QUERIES]

    @task
    def more(self) -> None:
        for _ in range(3):
            self.again()


class Inserting(SyncUser):
    @task
    def work(self) -> None:
        self.client.insert(self.next_nodes())


class AtStart(Plain):
    def on_start(self) -> None:
        self.client.insert(self.next_nodes())


class ByFunction(Plain):
    @task
    def work(self) -> None:
        help_with(self)


class ByObject(Plain):
    @task
    def work(self) -> None:
        HELPER.help(self)


class ByName(Plain):
    @task
    def work(self) -> None:
        getattr(self.client, NAME)(self.next_nodes())


class ByText(Plain):
    @task
    def work(self) -> None:
        operator.methodcaller("insert", self.next_nodes())(self.client)


class ByImport(Plain):
    @task
    def work(self) -> None:
        from tests.unit.test_requiring import help_with as helping

        helping(self)


class ByClosure(Plain):
    pass


def closing() -> Any:
    def inner(user: Any) -> None:
        help_with(user)

    @task
    def work(self: Any) -> None:
        inner(self)

    return work


ByClosure.tasks = [closing()]


class ByMethodOfItsOwn(Plain):
    def write(self) -> None:
        help_with(self)

    @task
    def work(self) -> None:
        self.write()


class ByProperty(Plain):
    @property
    def work_to_do(self) -> Any:
        return help_with

    @task
    def work(self) -> None:
        self.work_to_do(self)


class ByModule(Plain):
    @task
    def work(self) -> None:
        random.choice([help_with])(self)


class BySet(Plain):
    @task
    class Writing(TaskSet):
        @task
        def insert(self) -> None:
            self.user.client.insert(self.user.next_nodes())


class Burst(SyncUser):
    style = "sync"

    @task
    def work(self) -> None:
        with self.burst() as operations:
            [operation() for operation in operations]


class Threads(Burst):
    style = "threads"


class Gather(AsyncUser):
    style = "async"
    tasks: ClassVar[list[Any]] = [Burst.work]


@pytest.mark.parametrize("kind", [Plain, Asynchronous, Inherited])
def test_code_that_is_understood_says_what_it_never_does(kind: type[Any]) -> None:
    assert never_performs(kind, "insert")
    assert never_performs(kind, "delete")
    assert not never_performs(kind, "search")


@pytest.mark.parametrize(
    "kind",
    [
        Inserting, AtStart, ByFunction, ByObject, ByName, ByText, ByImport, ByClosure, ByMethodOfItsOwn, ByProperty,
        ByModule, BySet, Burst, Threads, Gather,
    ],
)  # fmt: skip
def test_code_that_may_lead_anywhere_says_nothing(kind: type[Any]) -> None:
    assert not never_performs(kind, "insert")


def faults(
    *require: str, users: tuple[type[Any], ...] = (Plain, Asynchronous), u: int | None = None, **given: Any
) -> list[str]:
    settings = Settings.parse({"record": "", "require": require, "concurrency": "1,8"} | given)
    return [str(fault).removeprefix("--require ") for fault in find_faults(settings, users, u)]


OPEN: dict[str, Any] = {"arrival": "poisson", "rate": "50,200", "concurrency": None}


@pytest.mark.parametrize(
    "text",
    [
        "search p99 < 5 ms", "search async p99 < 5 ms at 8", "search sync failures < 1 %", "search ratio > 1 at 1",
        "search recall >= 0.9",
    ],
)  # fmt: skip
def test_what_will_run_may_be_required(text: str) -> None:
    assert faults(text) == []
    assert faults(text, users=()) == [], "also where nobody knows the users"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "serch async p99 < 5 ms",
            (
                '"serch async p99 < 5 ms": is of serch, an operation that no client has. '
                'Did you mean "search async p99 < 5 ms"?'
            ),
        ),
        (
            "Search p99 < 5 ms",
            '"Search p99 < 5 ms": is of Search, an operation that no client has. Did you mean "search',
        ),
        ("query p99 < 5 ms", '"query p99 < 5 ms": is of query, an operation that no client has. Use one of search.'),
        (
            "search p99 < 5 ms at 64",
            '"search p99 < 5 ms at 64": is at 64, and --concurrency is 1 and 8. Use at 8, or change --concurrency.',
        ),
        (
            "search p99 < 5 ms at 200/s",
            '"search p99 < 5 ms at 200/s": is at 200/s, and users who wait for their answer have no rate. Use at 1, or',
        ),
        (
            "insert p99 < 5 ms",
            '"insert p99 < 5 ms": is of insert, which no async user performs. Asynchronous: search.',
        ),
        ("insert sync recall > 0", '"insert sync recall > 0": is of the recall of insert, and only searches have one.'),
    ],
)
def test_what_will_not_run_is_a_fault_with_what_was_meant(text: str, told: str) -> None:
    found = faults(text)
    assert found[0].startswith(told)


def test_all_are_told_together() -> None:
    assert len(faults("serch p99 < 5 ms", "search p99 < 5", "search p99 < 5 ms at 3", max_failures="some")) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("search p99 < 5 ms at 50/s", ""),
        ("search p99 < 5 ms", ""),
        ("search p99 < 5 ms at 100/s", "is at 100/s, and --rate is 50/s and 200/s. Use at 50/s, or change --rate."),
        (
            "search p99 < 5 ms at 8",
            "is at 8 users, and --arrival poisson has arrivals per second. Use at 50/s or 200/s.",
        ),
        ("search ratio > 1", "is of operations/s, which --arrival poisson makes the same for both modes."),
    ],
)
def test_arrivals_have_rates(text: str, told: str) -> None:
    found = faults(text, **OPEN)
    assert len(found) == bool(told)
    assert all(f'"{text}": {told}' in one for one in found)


@pytest.mark.parametrize(
    ("text", "u", "told"),
    [
        ("search sync p99 < 5 ms", 4, ""),
        ("search p99 < 5 ms at 4", 4, ""),
        ("search p99 < 5 ms at 8", None, ""),
        ("search p99 < 5 ms at 8", 4, "is at 8, and -u is 4. Use at 4, or change -u."),
        (
            "search async p99 < 5 ms",
            4,
            'is of async, and --mode sync does not run it. Say "search sync p99 < 5 ms", or run --mode compare.',
        ),
        ("search ratio > 1", 4, "is of async to sync, and --mode sync runs one of them. Run --mode compare."),
        ("search p99 < 5 ms at 8/s", 4, "is at 8/s, and users who wait for their answer have no rate."),
        ("insert p99 < 5 ms", 4, "is of insert, which no sync user performs. Plain: search."),
    ],
)
def test_a_run_of_one_mode_has_one_mode_and_its_users(text: str, u: int | None, told: str) -> None:
    found = faults(text, mode="sync", u=u)
    assert len(found) == bool(told), found
    assert all(f'"{text}": {told}' in one for one in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("search async p99 < 5 ms at 100", ""),
        ("insert throughput > 5 /s at 64", ""),
        ("delete p99 < 5 ms", "is of delete, and bursts are of search and insert. Use one of these."),
        ("search ratio > 1", "is of phases at a level, and bursts have none."),
        ("search p99 < 5 ms at 8", "is at 8, and --burst is 1, 10, 64 and 100. Use at 10, or change --burst."),
    ],
)
def test_bursts_have_levels_of_their_own(text: str, told: str) -> None:
    found = faults(text, users=(Burst, Threads, Gather), burst="10,100")
    assert len(found) == bool(told), found
    assert all(f'"{text}": {told}' in one for one in found)


def test_only_the_users_of_the_modes_that_run_are_asked() -> None:
    assert faults("insert p99 < 5 ms", users=(Inserting, Asynchronous), mode="sync") == []
    assert len(faults("insert p99 < 5 ms", users=(Inserting, Asynchronous))) == 1
    assert faults("insert sync p99 < 5 ms", users=(Inserting, Plain, Asynchronous)) == [], "one of two is enough"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("search async p99 < 50 ms", True),
        ("insert ANY P99_9 >= .5 s at 32", True),
        ("search ratio > 1; delete p50 < 1 s", True),
        ("serch async p99 < 50 ms", False),
        ("search asynk p99 < 50 ms", False),
        ("search p98 < 50 ms", False),
        ("search p99 = 50 ms", False),
        ("search p99 < fast", False),
    ],
)
def test_the_charts_schema_refuses_what_can_only_be_wrong(text: str, fits: bool) -> None:
    import re

    assert bool(re.match(requirement_pattern(), text)) == fits
