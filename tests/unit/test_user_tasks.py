"""Users choose their tasks as those of Locust do: task sets, weights, tags and fixed counts."""

from typing import ClassVar

from locust import SequentialTaskSet, tag, task

from loadgen.users import AsyncUser, SyncUser
from tests.unit.stage import stage
from tests.unit.test_users import AsyncSearch


class Steps(SequentialTaskSet):
    @property
    def diary(self) -> list[str]:
        assert isinstance(self.user, AsyncNested)
        return self.user.diary

    @task
    async def first(self) -> None:
        self.diary.append("first")

    @task
    async def second(self) -> None:
        self.diary.append("second")

    @task
    def leave(self) -> None:
        self.diary.append("leave")
        self.interrupt(reschedule=False)  # type: ignore[no-untyped-call] # no types in Locust

    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        self.diary.append("in")

    async def on_stop(self) -> None:
        self.diary.append("out")


class AsyncNested(AsyncUser):
    tasks = [Steps]  # noqa: RUF012 - no ClassVar in Locust
    diary: ClassVar[list[str]] = []


def test_a_nested_task_set_runs_in_its_order_and_can_be_left() -> None:
    AsyncNested.diary.clear()
    with stage(AsyncNested) as on:
        on.start(1)
        on.wait_until(lambda: len(AsyncNested.diary) >= 10, "two rounds")
        on.stop()
    assert AsyncNested.diary[:10] == ["in", "first", "second", "leave", "out"] * 2


class SyncWeighted(SyncUser):
    drawn: ClassVar[dict[str, int]] = {"often": 0, "seldom": 0, "never": 0}

    @task(9)
    def often(self) -> None:
        self.drawn["often"] += 1

    @task(1)
    def seldom(self) -> None:
        self.drawn["seldom"] += 1

    @tag("unwanted")
    @task(5)
    def never(self) -> None:
        self.drawn["never"] += 1


def test_weights_and_tags_choose_the_tasks() -> None:
    SyncWeighted.drawn.update(often=0, seldom=0, never=0)
    with stage(SyncWeighted) as on:
        on.environment.exclude_tags = ["unwanted"]
        on.start(1)
        on.wait_until(lambda: sum(SyncWeighted.drawn.values()) >= 2000, "2,000 tasks")
        on.stop()
    drawn = SyncWeighted.drawn
    assert drawn["never"] == 0
    assert 0.85 < drawn["often"] / (drawn["often"] + drawn["seldom"]) < 0.95


class Fixed(AsyncSearch):
    fixed_count = 2


class Rest(AsyncSearch):
    weight = 3


def test_fixed_count_and_host_are_locusts_own() -> None:
    with stage(Fixed, Rest) as on:
        on.environment.host = "http://127.0.0.1:1"
        on.start(7)
        on.wait_until(lambda: len(on.process_state.settled) == 7, "7 users")
        assert on.runner.user_classes_count == {"Fixed": 2, "Rest": 5}
        assert {user.args[0].host for user in on.runner.user_greenlets} == {"http://127.0.0.1:1"}
        on.stop()
