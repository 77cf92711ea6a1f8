"""A requirement of what will not run is a fault before the load, with what was probably meant."""

from typing import Any

import pytest
from locust import between, task

from charts.schema import requirement_pattern
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.measure.operation import Operation
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser


class Plain(SyncUser):
    operations = ("search",)
    wait_time = between(0.1, 0.2)

    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class Asynchronous(AsyncUser):
    operations = ("search",)

    @task(3)
    async def search(self) -> None:
        await self.client.search(self.next_query())


class Inserting(SyncUser):
    """It declares nothing, so that it may do whatever its client can."""

    @task
    def work(self) -> None:
        self.client.insert(self.next_nodes())


class RunRequest(SyncUser):
    operations = ("search", Operation("ask", stages=("generate",)))

    @task
    def work(self) -> None:
        with self.measure("ask"):
            self.client.search(self.next_query())


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
    tasks = [Burst.work]  # noqa: RUF012 - no ClassVar in Locust


def faults(
    *require: str, users: tuple[type[Any], ...] = (Plain, Asynchronous), u: int | None = None, **given: Any
) -> list[str]:
    settings = Settings.parse({"record": "", "require": require, "concurrency": "1,8"} | given)
    return [str(fault).removeprefix("--require ") for fault in find_faults(settings, users, u)]


OPEN: dict[str, Any] = {"arrival": "poisson", "rate": "50,200", "concurrency": None}


def test_what_is_checked_in_place_of_another_operation_is_named() -> None:
    class Both(AsyncUser):
        operations = ("ask", "retrieve")

    class Asking(AsyncUser):
        operations = ("ask",)

    for figure in ("mrr", "recall"):
        for users, reported in (((Both,), 1), ((Both, Asking), 0)):
            assert (
                faults(f"ask {figure} > 0.5", users=users, variants=["rag/async"])
                == [
                    (
                        f'"ask {figure} > 0.5": is of the {figure} of ask, but where users also retrieve, only that is '
                        f'checked. Write "retrieve {figure} > 0.5".'
                    ),
                ][:reported]
            )
        assert faults(f"retrieve {figure} > 0.5", users=(Both,), variants=["rag/async"]) == []


def test_stages_of_a_variants_own_client_may_be_required() -> None:
    class Asking(AsyncUser):
        operations = ("ask",)

    assert faults("ask first_token p99 < 500 ms", users=(Asking,), variants=["rag/async"]) == []
    assert faults("ask mrr > 0.5", users=(Asking,), variants=["rag/async"]) == []
    (reported,) = faults("ask last_token p99 < 500 ms", users=(Asking,), variants=["rag/async"])
    assert "neither a variant of this run nor a stage of ask" in reported


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
    ("text", "reported"),
    [
        (
            "serch async p99 < 5 ms",
            (
                '"serch async p99 < 5 ms": is of serch, an operation of no client, which no user declares. '
                'Did you mean "search async p99 < 5 ms"?'
            ),
        ),
        (
            "Search p99 < 5 ms",
            '"Search p99 < 5 ms": is of Search, an operation of no client, which no user declares. Did you mean "se',
        ),
        (
            "all p99 < 5 ms",
            (
                '"all p99 < 5 ms": is of all, an operation of no client, which no user declares. '
                "Use one of search, or declare it."
            ),
        ),
        (
            "query p99 < 5 ms",
            (
                '"query p99 < 5 ms": is of query, an operation of no client, which no user declares. '
                "Use one of search, or declare it."
            ),
        ),
        (
            "search p99 < 5 ms at 64",
            '"search p99 < 5 ms at 64": is at 64, but --concurrency is 1 and 8. Use at 8, or change --concurrency.',
        ),
        (
            "search p99 < 5 ms at 200/s",
            '"search p99 < 5 ms at 200/s": is at 200/s, but users in the closed model have no rate. Use at 1, or',
        ),
        (
            "insert p99 < 5 ms",
            '"insert p99 < 5 ms": is of insert, which no async user declares. Asynchronous: search.',
        ),
        (
            "search mrr > 0.8",
            (
                '"search mrr > 0.8": is of the mean reciprocal rank of search, but only questions to documents have '
                "one. Run rag_query.py, or require recall."
            ),
        ),
        ("insert sync recall > 0", '"insert sync recall > 0": is of the recall of insert, but only search has one.'),
    ],
)
def test_what_will_not_run_is_a_fault_with_what_was_meant(text: str, reported: str) -> None:
    result = faults(text)
    assert result[0].startswith(reported)


def test_an_operation_of_the_users_own_is_required_as_it_is_declared() -> None:
    asking = (RunRequest, Asynchronous)
    assert faults("ask sync p99 < 5 ms", "search p99 < 5 ms", users=asking) == []
    assert faults("ask p99 < 5 ms", users=asking)[0].startswith('"ask p99 < 5 ms": is of ask, which no async user decl')
    assert "no user declares" in faults("ask p99 < 5 ms")[0]
    assert faults("answer p99 < 5 ms", users=()) == [], "a locustfile may declare it"
    assert faults("Answer p99 < 5 ms", users=())[0].endswith("Use one of delete, insert, search, or declare it.")


def test_a_part_of_a_time_is_declared() -> None:
    asking = (RunRequest, Asynchronous)
    assert faults("ask sync generate p99 < 5 ms", "search service p99 < 5 ms", users=asking) == []
    assert faults("ask sync embed p99 < 5 ms", users=asking)[0].endswith(
        "is of embed, which is neither a variant of this run nor a stage of ask. It declares generate. "
        "Use service for the time from the actual start, or declare the stage."
    )


def test_a_ratio_is_of_a_variant_to_the_baseline() -> None:
    given: dict[str, Any] = {"variants": "sync; async; async connections=4", "baseline": "async"}
    assert faults("search 'async connections=4' ratio > 1.1", "search sync ratio < 1", **given) == []
    assert "is of async, which is the baseline" in faults("search async ratio > 1", **given)[0]


def test_all_are_told_together() -> None:
    assert len(faults("serch p99 < 5 ms", "search p99 < 5", "search p99 < 5 ms at 3", max_failures="some")) == 4


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("search p99 < 5 ms at 50/s", ""),
        ("search p99 < 5 ms", ""),
        ("search p99 < 5 ms at 100/s", "is at 100/s, but --rate is 50/s and 200/s. Use at 50/s, or change --rate."),
        (
            "search p99 < 5 ms at 8",
            "is at 8 users, but --arrival poisson has arrivals per second. Use at 50/s or 200/s.",
        ),
        ("search ratio > 1", "is of operations/s, which --arrival poisson makes the same for all variants."),
    ],
)
def test_arrivals_have_rates(text: str, reported: str) -> None:
    result = faults(text, **OPEN)
    assert len(result) == bool(reported)
    assert all(f'"{text}": {reported}' in one for one in result)


@pytest.mark.parametrize(
    ("text", "u", "reported"),
    [
        ("search sync p99 < 5 ms", 4, ""),
        ("search p99 < 5 ms at 4", 4, ""),
        ("search p99 < 5 ms at 8", None, ""),
        ("search p99 < 5 ms at 8", 4, "is at 8, but -u is 4. Use at 4, or change -u."),
        (
            "search async p99 < 5 ms",
            4,
            "names an unknown variant: 'async' is none of sync, any. Did you mean \"search sync p99 < 5 ms\"?",
        ),
        ("search ratio > 1", 4, "is of one variant to another, but only sync runs. Run --mode compare, or --variants."),
        ("search p99 < 5 ms at 8/s", 4, "is at 8/s, but users in the closed model have no rate."),
        ("insert p99 < 5 ms", 4, "is of insert, which no sync user declares. Plain: search."),
    ],
)
def test_a_run_of_one_mode_has_one_mode_and_its_users(text: str, u: int | None, reported: str) -> None:
    result = faults(text, mode="sync", u=u)
    assert len(result) == bool(reported), result
    assert all(f'"{text}": {reported}' in one for one in result)


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("search async p99 < 5 ms at 100", ""),
        ("insert throughput > 5 /s at 64", ""),
        ("delete p99 < 5 ms", "is of delete, but the bursts run search and insert. Use one of these."),
        ("search ratio > 1", "is of phases at a level, but bursts have none."),
        ("search p99 < 5 ms at 8", "is at 8, but --burst is 1, 10, 64 and 100. Use at 10, or change --burst."),
    ],
)
def test_bursts_have_levels_of_their_own(text: str, reported: str) -> None:
    result = faults(text, users=(Burst, Threads, Gather), burst="10,100")
    assert len(result) == bool(reported), result
    assert all(f'"{text}": {reported}' in one for one in result)


def test_only_the_users_of_the_modes_that_run_are_asked() -> None:
    assert faults("insert p99 < 5 ms", users=(Inserting, Asynchronous), mode="sync") == []
    assert len(faults("insert p99 < 5 ms", users=(Inserting, Asynchronous))) == 1, (
        "search is what Asynchronous declares"
    )
    assert faults("insert sync p99 < 5 ms", users=(Inserting, Plain, Asynchronous)) == [], "one of two is enough"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("search async p99 < 50 ms", True),
        ("insert ANY P99_9 >= .5 s at 32", True),
        ("search ratio > 1; delete p50 < 1 s", True),
        ("serch async p99 < 50 ms", True),
        ("Serch async p99 < 50 ms", False),
        ("search 'async connections=4' at 200/s service p99 < 50 ms", True),
        ("ask goodput > 20", True),
        ("rate async > 500 /s", True),
        ("ask async tokens_out > 500", True),
        ("ask tokens_out/s >= 1.5 /s at 8; search p50 < 1 s", True),
        ("ask tokens_out > 5 ms", False),
        ("search p98 < 50 ms", False),
        ("search p99 = 50 ms", False),
        ("search p99 < fast", False),
    ],
)
def test_the_charts_schema_refuses_what_can_only_be_wrong(text: str, fits: bool) -> None:
    import re

    assert bool(re.match(requirement_pattern(), text)) == fits
