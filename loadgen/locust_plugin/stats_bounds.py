"""Bounds for Locust's own statistics, which grow with every second of a run (locust 2.47).

Each entry keeps the number of its requests for every second, of which Locust reads the last twelve. The history, which
the page and `--html` draw, gets an element every five seconds.
"""

from typing import Any

import gevent

SECONDS_KEPT = 60
"""Seconds for which an entry keeps its numbers of requests."""
POINTS_AT_MOST, POINTS_LEFT_ALONE = 120, 60
"""Elements of the history; beyond that, of the older ones every other is dropped: charts still begin with the run."""
EVERY = 30.0
"""Seconds between two looks."""


def keep_bounded(stats: Any) -> None:
    """Drop what is old, for as long as the process lives."""
    while True:
        gevent.sleep(EVERY)
        bound(stats)


def bound(stats: Any) -> None:
    """Drop what is old from `RequestStats`."""
    for entry in (stats.total, *stats.entries.values()):
        oldest = int(entry.last_request_timestamp or 0) - SECONDS_KEPT
        for numbers in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in numbers if second < oldest]:
                del numbers[second]
    if len(stats.history) > POINTS_AT_MOST:
        del stats.history[1:-POINTS_LEFT_ALONE:2]
