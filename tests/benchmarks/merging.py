"""`python -m tests.benchmarks.merging`: CPU time and memory that the reports of many workers take on the master.

Without network, so a machine that is too busy for a hundred workers will do: the messages of each second of a
phase are read, merged and shown as a master does, and the CPU time of that is what it would use of a core.
"""

import argparse
from time import process_time
from typing import Any

import numpy as np
import psutil
from locust.rpc import Message
from locust.stats import RequestStats, StatsEntry

from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.messages import COMMAND, Confirm, Report, decode, encode
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.benchmarks.kept import keep, read_kept

OPERATIONS, RATE, BEATS = ("search", "insert", "delete"), 100, 10
MEGABYTE = 1e6


class Worker:
    """What all workers report: they count the same."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self._stats = RequestStats()
        self.ledger = Ledger()

    def count(self, second: float, variant: str) -> None:
        """A second of load: a hundred of each operation, with stages and a long tail."""
        for operation in OPERATIONS:
            for place, took in enumerate(self._random.lognormal(-5, 0.4, RATE).tolist()):
                at = second + place / RATE
                parts = {"prepare": 0.1 * took, "rpc": 0.7 * took, "decode": 0.2 * took}
                self.ledger([Sample(variant, operation, at - took, at - took, at, Outcome.OK, 10, stages=parts)])
                self._stats.log_request(variant, operation, 1000 * took, 10)
        for beat in range(1, BEATS + 1):
            lag = float(self._random.exponential(0.002))
            self.ledger.beat(Beat(second + beat / BEATS, 0.05, 1 / BEATS, lag, lag, 10, core_wait=0.001, memory=3e8))

    def report(self, now: float) -> tuple[bytes, int]:
        """The message of one worker, and its number."""
        body = self.ledger.take_report(now)
        data = {
            "stats": self._stats.serialize_stats(),
            "stats_total": self._stats.total.get_stripped_report(),
            "errors": {},
            "user_count": 5,
            "user_classes_count": {"Async": 5},
            "loadgen": encode(Report("run", body["sequence"], body, 5)),
        }
        return Message("stats", data, "worker").serialize(), body["sequence"]


class Master:
    """What a master does with a report."""

    def __init__(self) -> None:
        self.merged = MergedLedger()
        self._stats = RequestStats()

    def take(self, message: bytes, agent: str) -> None:
        """Read and merge it, for Locust's table and for the result, and confirm it."""
        data: dict[str, Any] = Message.unserialize(message).data
        for entry in data["stats"]:
            key = (entry["name"], entry["method"])
            self._stats.entries[key].extend(StatsEntry.unserialize(entry, self._stats))
        self._stats.total.extend(StatsEntry.unserialize(data["stats_total"], self._stats))
        report = decode(data["loadgen"])
        assert isinstance(report, Report)
        self.merged.merge(report.body, agent)
        Message(COMMAND, encode(Confirm(report.sequence, run_id="run")), agent).serialize()

    def show(self) -> None:
        """Once a second: the figures of the phase so far."""
        for window in self.merged.windows.values():
            window.state()
        latest = max(self.merged.windows.values(), key=lambda one: one.phase.number)
        for stats in latest.operation_stats.values():
            stats.percentile(50)
            stats.percentile(99)


def measure(workers: int, phases: int, seconds: int) -> tuple[str, ...]:
    """CPU of a core with a report a second from each, in the last ten seconds of a phase, and memory at the end."""
    worker, master = Worker(), Master()
    before = psutil.Process().memory_info().rss
    used, looks, size = 0.0, 0, 0
    for number in range(phases):
        start = 1_000.0 * (number + 1)
        variant = ("async", "sync")[number % 2]
        master.merged.settle_before(number)
        worker.ledger.open(Phase(number, Mode(variant), 5 * workers, seconds), start, start + seconds)
        for second in range(seconds):
            worker.count(start + second, variant)
            message, sequence = worker.report(start + second + 1)
            begun = process_time()
            for agent in range(workers):
                master.take(message, f"worker {agent}")
            master.show()
            if second >= seconds - 10:
                used, looks, size = used + process_time() - begun, looks + 1, len(message)
            worker.ledger.confirm(sequence)
    grown = (psutil.Process().memory_info().rss - before) / MEGABYTE
    share = used / looks
    each = f"{1000 * share / workers:.2f} ms"
    return (str(workers), f"{share:.1%}", each, f"{size / 1000:.0f} kB", f"{grown:,.0f} MB")


def main() -> None:
    """One number of workers in each process: memory of an earlier one would be used again."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.merging", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--phases", type=int, default=8, help="[default: %(default)s]")
    parser.add_argument("--seconds", type=int, default=30, help="of each phase [default: %(default)s]")
    parser.add_argument("--keep", action="store_true", help="keep the row for docs/guides/scale.md")
    given = parser.parse_args()
    row = measure(given.workers, given.phases, given.seconds)
    print(f"| {' | '.join(row)} |")
    if given.keep:
        kept = read_kept("merging")
        others = [one for one in kept.rows if one[0] != row[0]]
        keep("merging", kept.command, kept.head, sorted([*others, row], key=lambda one: int(one[0])))


if __name__ == "__main__":
    main()
