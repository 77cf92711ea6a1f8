"""`python -m tests.benchmarks.soak`: what an hour of load costs in memory, open files, threads and series.

About 1,000 operations/s against a server with known delays, one in a hundred of which is a timeout, with every sink
there is: record, report, /metrics, Locust's page, its CSV files and its HTML report. Reported, never asserted.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from loadgen.datasets import open_dataset
from loadgen.milvus.server import start_server
from loadgen.milvus.server.delaying import DelayingServer
from loadgen.milvus.server.delays import Delays
from loadgen.milvus.store import prepare
from loadgen.settings.model import Settings
from tests.benchmarks.kept import keep
from tests.benchmarks.master import free_port

FILE = str(Path(__file__).with_name("soak_locustfile.py"))
DELAYS = Delays(base=0.004, jitter=0.003, slow=0.8, one_in=100)
DEADLINE = 0.4
"""Seconds: the slow ones are timeouts."""
WARMUP, EVERY, MEGABYTE = 10.0, 5.0, 1e6
LAGS = ("loadgen_hub_lag_seconds", "loadgen_loop_lag_seconds")
HEADS = ("minutes", "operations/s", "failed", "memory", "open files", "threads", "series", "hub lag", "loop lag")


@dataclass(frozen=True, slots=True)
class SoakSample:
    """The process at one moment."""

    at: float
    """Seconds since the load began."""
    memory: int
    files: int
    threads: int
    series: int
    operations: float
    failed: float
    lags: tuple[tuple[float, float], ...]
    """Sum in seconds and number of the samples so far, of each of `LAGS`."""


@contextlib.contextmanager
def running(flags: list[str], folder: Path, trace: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The run, in a process group of its own, ended at the end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", "LOADGEN_"))}
    environment |= {"BENCH_TRACE": trace} if trace else {}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", FILE, *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)


def take_sample(process: psutil.Process, metrics: str, began: float) -> SoakSample:
    """Read everything now. Raises OSError, psutil.Error once the process has ended."""
    with urlopen(metrics, timeout=10) as answer:  # noqa: S310 - of this machine
        text = answer.read().decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    ended = [one for one in samples if one.name == "loadgen_operations_total"]
    usable = ("ok", "empty")
    lags = []
    for name in LAGS:
        parts = {one.name: one.value for one in samples if one.name in (f"{name}_sum", f"{name}_count")}
        lags.append((parts.get(f"{name}_sum", 0.0), parts.get(f"{name}_count", 0.0)))
    return SoakSample(
        at=time.monotonic() - began,
        memory=process.memory_info().rss,
        files=process.num_fds(),
        threads=process.num_threads(),
        series=len(samples),
        operations=sum(one.value for one in ended),
        failed=sum(one.value for one in ended if one.labels["outcome"] not in usable),
        lags=tuple(lags),
    )


def find_slope(samples: list[SoakSample], after: float) -> tuple[float, float]:
    """Growth of the memory in MB an hour from `after` seconds on, by least squares, and its standard error.

    The error is that of ten means of consecutive samples: neighbouring samples are alike.
    """
    late = [one for one in samples if one.at >= after]
    groups = np.array_split(np.array([(one.at / 3600, one.memory / MEGABYTE) for one in late]), 10)
    hours, memory = np.array([group.mean(axis=0) for group in groups if len(group)]).T
    (slope, start), *_ = np.polyfit(hours, memory, 1, full=True)
    rest = memory - (start + slope * hours)
    error = np.sqrt(rest @ rest / (len(hours) - 2) / np.sum((hours - hours.mean()) ** 2))
    return float(slope), float(error)


def rows_of(samples: list[SoakSample]) -> list[tuple[str, ...]]:
    """Ten equal parts of the time; memory, files, threads and series at the end of each, the others within it."""
    rows = []
    for part in np.array_split(np.arange(len(samples)), 10):
        first, last = samples[max(0, part[0] - 1)], samples[part[-1]]
        done, seconds = last.operations - first.operations, last.at - first.at
        lags = [
            (after[0] - before[0]) / max(1.0, after[1] - before[1])
            for before, after in zip(first.lags, last.lags, strict=True)
        ]
        rows.append(
            (
                f"{last.at / 60:.0f}",
                f"{done / seconds:,.0f}",
                f"{(last.failed - first.failed) / max(1.0, done):.1%}",
                f"{last.memory / MEGABYTE:.1f} MB",
                f"{last.files}",
                f"{last.threads}",
                f"{last.series}",
                *(f"{1000 * lag:.2f} ms" for lag in lags),
            )
        )
    return rows


def show(rows: list[tuple[str, ...]]) -> None:
    """The table."""
    table = Table(title="Soak")
    for head in HEADS:
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


def soak(given: argparse.Namespace, uri: str, folder: Path) -> list[SoakSample]:
    """Run for the whole time, and take a sample every few seconds."""
    seconds, metrics, web = given.minutes * 60, free_port(), free_port()
    flags = [
        *("--host", uri, "--variants", given.variant, "--rounds", "1", "--phase-seconds", str(seconds / 2)),
        *("--warmup-seconds", str(WARMUP), "--arrival", "constant", "--rate", str(given.rate), "--max-wait", "5"),
        *("--deadline", str(DEADLINE), "--max-failures", "50%", "--record", str(folder / "runs")),
        *("--metrics-port", str(metrics), "--web-host", "127.0.0.1", "--web-port", str(web)),
        *("--autostart", "--autoquit", "1", "--html", str(folder / "locust.html"), "--csv", str(folder / "locust")),
        "--csv-full-history",
    ]
    address, page = f"http://127.0.0.1:{metrics}/metrics", f"http://127.0.0.1:{web}/stats/requests"
    samples: list[SoakSample] = []
    with running(flags, folder, given.trace) as process:
        watched, began = psutil.Process(process.pid), time.monotonic()
        while process.poll() is None:
            time.sleep(EVERY)
            with contextlib.suppress(OSError, psutil.Error):
                urlopen(page, timeout=10).read()
                result = take_sample(watched, address, began)
                if not samples and not result.operations:
                    began = time.monotonic()
                    continue
                samples.append(result)
        print((folder / "out").read_text(errors="replace")[-2_000:])
    return samples


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="[default: %(default)s]")
    parser.add_argument("--rate", type=float, default=1000.0, help="operations/s [default: %(default)s]")
    parser.add_argument("--variant", default="wire/async", help="client and mode [default: %(default)s]")
    parser.add_argument("--keep", action="store_true", help="keep the table for docs/explanation/soak.md")
    parser.add_argument("--trace", default="", help="file for what has grown, by line and type; halves the speed")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    server = start_server("milvus", tell=print)
    try:
        own = {"host": server.uri, "collection": "loadgen_soak", "rows": 2_000, "dim": 16, "clusters": 8}
        settings = Settings.parse(own | {"queries": 200, "top_k": 3})
        print(prepare(settings, open_dataset(settings), print))
        with DelayingServer(server.uri) as delaying, tempfile.TemporaryDirectory() as folder:
            delaying.begin(DELAYS)
            samples = soak(given, delaying.uri, Path(folder))
            record = max((one.stat().st_size for one in (Path(folder) / "runs").glob("*.json")), default=0)
    finally:
        server.stop()
    if len(samples) < 20:
        raise SystemExit("The run was too short: see above.")
    show(rows_of(samples))
    if given.keep:
        keep("soak", "make soak", HEADS, rows_of(samples))
    after = min(600.0, given.minutes * 12)
    slope, error = find_slope(samples, after)
    print(f"Memory from minute {after / 60:g} on: {slope:+.2f} MB an hour, standard error {error:.2f}.")
    print(f"Run record: {record / 1000:,.0f} kB.")


if __name__ == "__main__":
    main()
