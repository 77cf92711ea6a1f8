"""Users that search twice a second, so that the workers of this measurement do not take the master's CPU."""

import os
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

from locust import constant_throughput, events, task

from loadgen import AsyncUser, plug

plug(
    events,
    collection="loadgen_master",
    rows=300,
    dim=16,
    clusters=8,
    queries=50,
    recall_every=0,
    record="",
)
EVERY = 0.005
"""Seconds of CPU time between two looks of the profile."""


class Slow(AsyncUser):
    wait_time = constant_throughput(2)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


def profile(path: Path) -> None:
    """Count at regular moments of CPU time which function runs, and which are its callers."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()

    def take(_number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{Path(code.co_filename).name}:{code.co_name}")
            frame = frame.f_back
        own[names[0]] += 1
        within.update(set(names))
        if own.total() % 400 == 0:
            tops = (f"{title}: {some.most_common(40)}" for title, some in (("own", own), ("within", within)))
            path.write_text(f"{own.total()} looks\n" + "\n".join(tops))

    signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


if "BENCH_PROFILE" in os.environ:
    profile(Path(os.environ["BENCH_PROFILE"]))
