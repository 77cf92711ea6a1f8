"""Locust's statistics keep what Locust reads, and no more the longer a run takes."""

from locust.stats import RequestStats

from loadgen.locust_plugin.stats_bounds import POINTS_AT_MOST, POINTS_LEFT_ALONE, SECONDS_KEPT, bound


def test_an_entry_keeps_the_numbers_of_its_last_minute() -> None:
    stats = RequestStats()
    stats.total.start_time = 9_000.0
    for entry in (stats.total, stats.entries["search", "async"]):
        entry.last_request_timestamp = 10_000.5
        for second in range(9_000, 10_001):
            entry.num_reqs_per_sec[second] = 930
            entry.num_fail_per_sec[second] = 9
    before = stats.total.current_rps, stats.total.current_fail_per_sec
    bound(stats)
    for entry in (stats.total, stats.entries["search", "async"]):
        assert list(entry.num_reqs_per_sec) == list(range(10_000 - SECONDS_KEPT, 10_001))
        assert list(entry.num_fail_per_sec) == list(entry.num_reqs_per_sec)
    assert (stats.total.current_rps, stats.total.current_fail_per_sec) == before == (930, 9)


def test_an_entry_without_requests_is_left_alone() -> None:
    stats = RequestStats()
    bound(stats)
    assert (stats.total.num_reqs_per_sec, stats.history) == ({}, [])


def test_the_history_of_a_day_still_begins_with_the_run_and_ends_with_every_element() -> None:
    stats = RequestStats()
    for moment in range(17_280):
        stats.history.append({"time": moment})
        bound(stats)
    times = [one["time"] for one in stats.history]
    assert len(times) <= POINTS_AT_MOST
    recent = list(range(17_280 - POINTS_LEFT_ALONE, 17_280))
    assert (times[0], times[-POINTS_LEFT_ALONE:]) == (0, recent)
    assert times == sorted(set(times))
