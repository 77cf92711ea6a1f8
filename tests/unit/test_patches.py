"""Workarounds for Locust's runners: what they give Locust, and that nobody else sees it."""

import time

import locust.runners
import locust.stats
import pytest

from loadgen.plugin.patches import count_time_steadily


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
