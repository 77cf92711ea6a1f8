"""An objective that no operation of the run can meet is a fault before the load, with all others."""

from typing import Any

import pytest

from loadgen.locust_plugin.preparation.objective_checks import expect_operations
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.measure.ledger import Ledger
from loadgen.measure.objective import Objective
from loadgen.measure.operation import Operation
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser

OWN = Operation("answer", stages=("think",), items=("pages",))


class Searching(AsyncUser):
    operations = ("search",)


class Answering(SyncUser):
    operations = (OWN, "search")


class Asking(AsyncUser):
    operations = ("ask", "retrieve")


def faults(objective: str, *users: type[Any], **given: Any) -> list[str]:
    settings = Settings.parse({"record": "", "objective": objective} | given)
    return [str(fault) for fault in find_faults(settings, users or (Searching, Answering))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "response < 5 ms",
        "search service < 1 s",
        "think < 1 s, response < 2 s",
        "response <= 1 s, response >= 1 s",
    ],
)
def test_what_an_operation_can_meet_is_accepted(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("condition", "reported"),
    [
        ("thnk < 1 s", 'is of thnk, which is a stage of no operation of this run. Did you mean "think < 1 s"?'),
        ("serch response < 1 s", "is of serch, which no user of this run performs. Did you mean "),
        ("ask response < 1 s", "is of ask, which no user of this run performs. Use one of answer, search."),
        ("search think < 1 s", "is of think, which is no stage of search. Use one of response, service."),
        ("respnse < 1 s", 'which is a stage of no operation of this run. Did you mean "response < 1 s"?'),
    ],
)
def test_an_unknown_name_is_a_fault_with_what_was_meant(condition: str, reported: str) -> None:
    first, second = faults(f"{condition}, response < 2 s, thnk < 9 s")
    assert first.startswith(f'--objective "{condition}": ')
    assert reported in first
    assert second.startswith('--objective "thnk < 9 s": '), "all are reported together"


def test_only_users_of_the_variants_count() -> None:
    (reported,) = faults("think < 1 s", variants=["async"])
    assert "is of think, which is a stage of no operation of this run. Use one of response, service." in reported
    assert faults("first_token < 500 ms, inter_token < 50 ms", Asking, variants=["rag/async"]) == []


def test_conditions_that_exclude_each_other_are_told_once() -> None:
    assert faults("response < 5 ms, response >= 5 ms") == [
        '--objective "response < 5 ms": excludes "response >= 5 ms", so no answer can be good. Remove one of the two.'
    ]
    (reported,) = faults("search response < 5 ms, response > 9 ms")
    assert 'excludes "response > 9 ms", so no search can be good' in reported
    assert faults("answer response < 5 ms, search response > 9 ms") == []


def test_required_goodput_needs_an_objective_of_the_operation() -> None:
    (reported,) = faults("", require="search goodput > 5")
    assert reported.startswith(
        '--require "search goodput > 5": is of the goodput, without an --objective. Add for example'
    )
    (reported,) = faults("think < 1 s", require="search goodput > 5")
    assert "is of the goodput of search, which no condition of --objective is on" in reported
    assert faults("response < 1 s", require="search goodput > 5") == []


def test_required_items_are_declared() -> None:
    assert faults("", require="answer sync pages > 5") == []
    (reported,) = faults("", require="answer sync tokens > 5")
    assert (
        "is of tokens, which is neither a figure nor what answer counts. It counts pages. The other figures" in reported
    )
    (reported,) = faults("", require="search tokens > 5")
    assert "It counts nothing by name." in reported
    assert faults("", Asking, variants=["rag/async"], require="ask tokens_out > 5") == []


def test_an_unreadable_objective_is_told_with_other_faults() -> None:
    reported = faults("fast, thnk < 1 s", max_failures="some", require="search goodput > 5")
    assert [one.partition(":")[0] for one in reported] == [
        '--objective "fast"',
        '--objective "thnk < 1 s"',
        "--max-failures some",
    ]


class Metering:
    """The messages about the operations."""

    def __init__(self) -> None:
        self.reported: list[Any] = []

    def expect(self, settings: Settings, operations: Any, objective: Objective) -> None:
        self.reported.append(
            (settings.objective, {one.name for some in operations.values() for one in some}, objective)
        )


def test_ledger_and_metrics_judge_by_the_same_objective_until_the_next_run() -> None:
    ledger, metering = Ledger(), Metering()
    expect_operations(Settings(objective="think < 1 s"), (Searching, Answering), metering, ledger)
    assert metering.reported == [("think < 1 s", {"answer", "search"}, ledger.objective)]
    assert [one.text for one in ledger.objective.of("answer")] == ["think < 1 s"]
    expect_operations(Settings(), (Searching,), metering, ledger)
    assert not ledger.objective
    with pytest.raises(SettingsError):
        expect_operations(Settings(objective="fast"), (Searching,), metering, ledger)
