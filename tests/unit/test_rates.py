"""Rates by operation and over time: read, planned, and refused before the load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from locust import task

from loadgen.locust_plugin.preparation.rate_plan import RatePlan, plan_rates
from loadgen.locust_plugin.preparation.run_plan import plan_users
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings, as_text
from loadgen.settings.rates import find_mix, find_rates
from loadgen.users import AsyncUser, SyncUser


class AsyncMixed(AsyncUser):
    @task(3)
    async def search(self) -> None:
        await self.client.search(self.next_query())

    @task
    async def insert(self) -> None:
        await self.client.insert(self.next_nodes())


class SyncMixed(SyncUser):
    @task(3)
    def search(self) -> None:
        self.client.search(self.next_query())

    @task
    def insert(self) -> None:
        self.client.insert(self.next_nodes())


BOTH = [SyncMixed, AsyncMixed]
CSV = "seconds, rate\n0, 0\n10, 100\n\n20, 100\n"


def settings(**given: Any) -> Settings:
    return Settings.parse({"arrival": "poisson", "record": ""} | given)


def profile(folder: Path, text: str, name: str = "day.csv") -> Settings:
    (folder / name).write_text(text)
    return settings(rate_profile=str(folder / name))


@pytest.mark.parametrize("given", ["search: 200, insert: 20", "search=200,insert=20.0", {"search": 200, "insert": 20}])
def test_rates_by_operation_are_one_level_their_sum(given: object) -> None:
    result = settings(rate=given)
    assert result.rate == ("search: 200", "insert: 20")
    assert (find_mix(result), find_rates(result)) == ({"search": 200.0, "insert": 20.0}, (220.0,))
    assert Settings.parse({"arrival": "poisson", "rate": as_text(result.rate)}).rate == result.rate
    assert Settings.parse(result.as_message()) == result


def test_levels_are_what_they_were() -> None:
    result = settings(rate="50,100.5")
    assert (result.rate, find_rates(result), find_mix(result)) == ((50.0, 100.5), (50.0, 100.5), {})
    assert plan_rates(result) == RatePlan((50.0, 100.5), 10.0)


def test_a_profile_is_a_level_with_its_mean_and_a_phase_as_long(tmp_path: Path) -> None:
    plan = plan_rates(profile(tmp_path, CSV))
    assert plan == RatePlan((75.0,), 20.0, (("", ((0.0, 0.0), (10.0, 100.0), (20.0, 100.0))),))
    _, phases = plan_users(BOTH, profile(tmp_path, CSV))
    assert [(one.rate, one.seconds, one.warmup_seconds) for one in phases] == [(75.0, 20.0, 2.0)] * 8
    assert Phase.from_message(phases[0].as_message()) == phases[0]
    hash(Phase.from_message(phases[0].as_message() | {"curves": [["", [[0, 1], [2, 3]]]]}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("day.csv", "seconds,search,insert\n0,10,0\n4,30,8\n"),
        ("day.yaml", "seconds: [0, 4]\nsearch: [10, 30]\ninsert: [0, 8]\n"),
        ("day.yml", "- {seconds: 0, search: 10, insert: 0}\n- {seconds: 4, search: 30, insert: 8}\n"),
    ],
)
def test_a_profile_may_have_a_column_for_each_operation(name: str, text: str, tmp_path: Path) -> None:
    plan = plan_rates(profile(tmp_path, text, name))
    assert plan.rates == (24.0,)
    assert dict(plan.curves) == {"search": ((0.0, 10.0), (4.0, 30.0)), "insert": ((0.0, 0.0), (4.0, 8.0))}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("0,1\n5,2\n", "has no columns seconds,rate"),
        ("seconds,rate\n0,1\n", "has 1 points, but 2 to 1,000 are needed"),
        ("seconds,rate\n1,1\n2,2\n", "begins at 1 s instead of 0"),
        ("seconds,rate\n0,1\n0,2\n", "has seconds that do not ascend"),
        ("seconds,rate\n0,1\n5\n", "has 1 values in row 3, but 2 columns"),
        ("seconds,rate\n0,1\n5,fast\n", "has 'fast' as rate, which is no number"),
        ("seconds,rate\n0,1\n5,nan\n", "has 'nan' as rate, which is no number"),
        ("seconds,rate\n0,-1\n5,2\n", "has a rate that is not from 0 to 1,000,000"),
        ("seconds,rate\n0,0\n5,0\n", "has a rate of 0 at all times"),
        ("seconds,rate,search\n0,1,1\n5,0,1\n", "has rate beside rates by operation"),
        ("seconds,a b\n0,1\n5,0\n", "has a column 'a b', which is no name of an operation"),
        ("seconds,rate\n0,1\n90000,1\n", "is longer than 86,400 s"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        plan_users(BOTH, profile(tmp_path, text))
    assert f"--rate-profile {tmp_path}/day.csv: {problem}" in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "seconds: 4\n", "{", "- {seconds: 0, rate: 1}\n- {seconds: 1}\n"])
def test_yaml_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is no YAML|is neither lists|has rows with different names"):
        plan_rates(profile(tmp_path, text, "day.yaml"))


@pytest.mark.parametrize(
    "make", [lambda _: settings(rate="serch: 5"), lambda folder: profile(folder, "seconds,serch\n0,1\n5,2\n")]
)
def test_a_name_that_no_task_has_is_refused(make: Callable[[Path], Settings], tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        plan_users(BOTH, make(tmp_path))
    assert [(fault.value, fault.hint) for fault in caught.value.faults] == [("serch", "Did you mean search?")] * 2
    assert "is the name of no task of the async users" in str(caught.value)


def test_every_phase_has_the_rates_by_operation() -> None:
    _, phases = plan_users(BOTH, settings(rate="search: 200, insert: 20", rounds=1))
    curves = (("search", ((0.0, 200.0),)), ("insert", ((0.0, 20.0),)))
    assert {(one.rate, one.curves) for one in phases} == {(220.0, curves)}
    assert [one.mode for one in phases] == [Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC]
