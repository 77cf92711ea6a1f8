"""Samples folded into Locust's statistics count as those of which each was an event."""

from types import SimpleNamespace
from typing import Any

import pytest
from locust import stats as locust_stats
from locust.env import Environment

from loadgen.locust_plugin.request_event import RequestEvent
from loadgen.locust_plugin.stats_folding import is_alone
from loadgen.measure.sample import Outcome, Sample

SAMPLES = [
    Sample(
        variant=("sync", "async")[number % 2],
        operation=("search", "insert")[number % 3 == 0],
        scheduled=100.0,
        started=100.5,
        finished=100.5 + 0.001 * 1.7**number,
        outcome=Outcome.FAILED if number == 7 else Outcome.OK,
        rows=number,
        error=ValueError("no") if number == 7 else None,
        nested=number == 9,
    )
    for number in range(20)
]


def statistics_of(environment: Any) -> list[dict[str, Any]]:
    entries = [environment.stats.total, *environment.stats.entries.values()]
    names = (
        *("name", "method", "num_requests", "num_failures", "num_none_requests", "min_response_time"),
        *("max_response_time", "total_content_length", "last_request_timestamp"),
        *("num_reqs_per_sec", "num_fail_per_sec", "response_times", "response_times_cache"),
    )
    result = [{name: getattr(entry, name) for name in names} for entry in entries]
    for one, entry in zip(result, entries, strict=True):
        one["total_response_time"] = pytest.approx(entry.total_response_time)
    return sorted(result, key=lambda one: (one["name"], one["method"]))


def test_folded_samples_give_the_statistics_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.25
    monkeypatch.setattr(locust_stats.time, "time", lambda: now)
    reported, folded = Environment(), Environment()
    for environment in (reported, folded):
        environment.create_local_runner()
    event = RequestEvent(reported.events)
    fold = RequestEvent(folded.events, None, folded.stats)
    for start in range(0, len(SAMPLES), 5):
        event(SAMPLES[start : start + 5])
        fold(SAMPLES[start : start + 5])
        now += 0.7
    assert statistics_of(reported) == statistics_of(folded)
    assert reported.stats.total.num_requests == 19
    assert reported.stats.serialize_errors() == folded.stats.serialize_errors()


def test_another_listener_gets_every_sample() -> None:
    environment = Environment()
    environment.create_local_runner()
    heard: list[str] = []
    assert is_alone(environment.events.request._handlers)
    environment.events.request.add_listener(lambda name, **_: heard.append(name))
    assert not is_alone(environment.events.request._handlers)
    RequestEvent(environment.events, None, environment.stats)(SAMPLES[:3])
    assert heard == ["insert", "search", "search"]
    assert environment.stats.total.num_requests == 3


def test_a_clock_that_is_set_moves_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's clock is steady here; that of the machine is not."""
    monkeypatch.setitem(vars(locust_stats), "time", SimpleNamespace(time=lambda: 77.5))
    environment = Environment()
    environment.create_local_runner()
    RequestEvent(environment.events, None, environment.stats)(SAMPLES[:3])
    assert environment.stats.total.last_request_timestamp == 77.5
    assert environment.stats.total.num_reqs_per_sec == {77: 3}
