"""How long a thread waited for a processor core, as the kernel counts it."""

import math
from pathlib import Path

from loadgen.runtime.proc import read_proc

NANOSECONDS = 1_000_000_000


def read_core_wait(thread: int | None, tasks: Path = Path("/proc/self/task")) -> float:
    """Seconds that a thread of this process was ready to run, and other threads had all cores, since it began.

    `thread` is its `native_id`. nan where the kernel does not count it (only Linux does), or the thread is gone.
    Source: the second figure of `schedstat`, in nanoseconds (Documentation/scheduler/sched-stats.rst of Linux).
    """
    try:
        figures = read_proc(f"{tasks}/{thread}/schedstat").split()
        return int(figures[1]) / NANOSECONDS
    except (OSError, IndexError, ValueError):
        return math.nan
