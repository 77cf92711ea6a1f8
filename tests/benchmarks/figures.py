"""What one measured window shows, and the words between the processes of a benchmark."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

from loadgen.measure.histograms import MICROSECONDS, new_histogram

MARK = "bench: "
"""How a line of standard output starts that is meant for the benchmark."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One variant at one number of users. Times are seconds."""

    variant: str
    """`bare` or `tool`."""
    mode: str
    users: int
    operations: int
    failures: int
    seconds: float
    p50: float
    p99: float
    cpu_seconds: float
    """Of the whole process, all threads, in the window."""

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds

    @property
    def cpu_per_operation(self) -> float:
        """CPU seconds of the whole process for one operation."""
        return self.cpu_seconds / self.operations

    def tell(self) -> None:
        """Print them for the process that started this one."""
        print(MARK + json.dumps(asdict(self)), flush=True)

    @classmethod
    def heard(cls, output: str) -> list[Self]:
        """Everything a process has printed."""
        lines = [line for line in output.splitlines() if line.startswith(MARK)]
        return [cls(**json.loads(line.removeprefix(MARK))) for line in lines]


def percentiles(times: Iterable[float]) -> tuple[float, float]:
    """p50 and p99 of seconds, through the same kind of histogram that the tool has."""
    histogram = new_histogram()
    for seconds in times:
        histogram.record_value(max(1, round(seconds * MICROSECONDS)))
    p50, p99 = (float(histogram.get_value_at_percentile(percent)) / MICROSECONDS for percent in (50, 99))
    return p50, p99
