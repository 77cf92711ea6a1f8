"""Which users play in which phases."""

import pytest
from locust import User, task

from loadgen.faults import SettingsError
from loadgen.plugin.casting import cast
from loadgen.settings import Settings
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


class Greenlet(User):
    @task
    def work(self) -> None: ...


def test_a_compare_run_has_both_modes_at_each_concurrency() -> None:
    classes, phases = cast([Asynchronous, Blocking], Settings(concurrency=(2, 4), rounds=1))
    assert classes == [Asynchronous, Blocking]
    assert [(phase.mode.value, phase.users) for phase in phases] == [
        (mode, users) for users in (2, 4) for mode in ("sync", "async", "async", "sync")
    ]


@pytest.mark.parametrize(("mode", "kind"), [("sync", Blocking), ("async", Asynchronous)])
def test_one_mode_leaves_the_users_to_locusts_own_flags(mode: str, kind: type) -> None:
    assert cast([Asynchronous, Blocking], Settings(mode=mode)) == ([kind], ())


def test_bursts_have_their_plan_in_every_mode() -> None:
    classes, phases = cast([Burst, Gather], Settings(burst=(5,)))
    assert (classes, len(phases)) == ([Burst, Gather], 4)
    classes, phases = cast([Burst, Gather], Settings(burst=(5,), mode="async"))
    assert (classes, [phase.style for phase in phases]) == ([Gather], ["async", "async"])


@pytest.mark.parametrize(
    ("classes", "settings", "told"),
    [
        ([Greenlet, Asynchronous], Settings(), "Greenlet: is neither an AsyncUser nor a SyncUser"),
        ([Asynchronous], Settings(), "--mode compare: has no SyncUser to run"),
        ([Asynchronous], Settings(mode="sync"), "--mode sync: has no SyncUser to run"),
        ([Burst, Asynchronous], Settings(), "Asynchronous: is no burst"),
    ],
)
def test_users_that_do_not_fit_are_refused(classes: list[type], settings: Settings, told: str) -> None:
    with pytest.raises(SettingsError, match=r"nothing was sent") as caught:
        cast(classes, settings)
    assert told in str(caught.value)
