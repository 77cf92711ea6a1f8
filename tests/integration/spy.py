"""A second locustfile: at the end it writes what the run counted, for the tests to read. It has no users.

It also sets how many heartbeats of a worker its master may miss, and has users pause: their full speed takes all of the
machine, and few tests are about that.
"""

import gc
import json
import os
from pathlib import Path
from typing import Any

from locust import constant, events, runners

runners.HEARTBEAT_LIVENESS = int(os.environ["HEARTBEATS"])


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def _watch(environment: Any, **_: Any) -> None:
    if pause := float(os.environ["PAUSE"]):
        for kind in environment.user_classes:
            kind.wait_time = constant(pause)
    if environment.parsed_options.worker:
        return
    target = Path(os.environ["SPY_FILE"])
    environment.events.quit.add_listener(lambda **event: target.write_text(_told(environment, event["exit_code"])))


def _told(environment: Any, code: int) -> str:
    stats = {f"{entry.method} {entry.name}": entry.num_requests for entry in environment.stats.entries.values()}
    failures = {f"{entry.method} {entry.name}": entry.num_failures for entry in environment.stats.entries.values()}
    windows = [
        {
            "phase": window.phase.as_message(),
            "seconds": window.seconds,
            "connections": window.connections,
            "data": window.data,
            "workers_lost": window.workers_lost,
            "users_gone": window.users_gone,
            "recall": window.recalls.mean,
            "offered": window.flow.offered,
            "dropped": window.flow.dropped,
            "unfinished": window.flow.unfinished,
            "counts": {f"{mode} {name}": stats.operations for (mode, name), stats in window.operation_stats.items()},
            "outcomes": {
                f"{mode} {name}": {str(outcome): number for outcome, number in stats.outcomes.items()}
                for (mode, name), stats in window.operation_stats.items()
            },
        }
        for window in environment.loadgen.counted.windows.values()
    ]
    outside = {
        f"{mode} {name}": {str(outcome): number for outcome, number in ends.items()}
        for (mode, name), ends in environment.loadgen.counted.outside.items()
    }
    counted = {"outside": outside, "stats": stats, "failures": failures, "windows": windows}
    return json.dumps({"code": code, "set_aside": gc.get_freeze_count()} | counted)
