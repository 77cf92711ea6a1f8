"""Samples into Locust's statistics, a batch at a time: a tenth of the CPU of one `request` event for each.

The result is that of `RequestStats.log_request`, which Locust's own listener of the event calls (locust 2.47).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from locust import stats as locust_stats

from loadgen.measure.sample import Sample

OWNER = "locust.runners"
"""The module of Locust's own listener."""


def is_alone(handlers: Sequence[Any]) -> bool:
    """Whether nobody but Locust itself listens to an event."""
    return len(handlers) == 1 and getattr(handlers[0], "__module__", "") == OWNER


def fold(stats: Any, samples: Sequence[Sample]) -> None:
    """Add samples without errors to `RequestStats`, as if they had been logged one by one now."""
    kinds: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        kinds.setdefault((sample.operation, sample.variant), []).append(sample)
    now = vars(locust_stats)["time"].time()  # Locust's clock, which does not jump: see `patches.count_time_steadily`
    for kind, some in kinds.items():
        times = [(sample.finished - sample.scheduled) * 1000 for sample in some]
        rows = sum(sample.rows for sample in some)
        rounded = Counter(map(locust_stats.bucket_response_time, times))
        for entry in (stats.total, stats.entries[kind]):
            _add(entry, times, rows, now)
            _count(entry.response_times, rounded)


def _add(entry: Any, times: Sequence[float], rows: int, now: float) -> None:
    second = int(now)
    last = entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)  # noqa: SLF001 - as `StatsEntry.log` does, before it counts
    least = min(times)
    entry.num_requests += len(times)
    entry.num_reqs_per_sec[second] += len(times)
    entry.last_request_timestamp = now
    entry.total_response_time += sum(times)
    entry.min_response_time = least if entry.min_response_time is None else min(entry.min_response_time, least)
    entry.max_response_time = max(entry.max_response_time, *times)
    entry.total_content_length += rows


def _count(response_times: Any, rounded: Mapping[int, int]) -> None:
    for key, number in rounded.items():
        response_times[key] += number
