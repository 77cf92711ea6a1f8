"""`python -m tests.benchmarks.find_rate`: three searches for a rate, against a server whose capacity is known.

The delaying server prepares N answers at a time and takes T seconds for each, so that it can serve N / T a second. The
real `locust` command searches, asynchronously, for the rate of constant arrivals that meets a limit on p99, in about
six minutes. The aim is 10 %: on a machine that is busy with other things the generator is the limit, and the
result says so.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from loadgen.milvus.server import start_server
from loadgen.milvus.server.delaying import DelayingServer
from loadgen.milvus.server.delays import Delays
from loadgen.results.record import RateFindingRecord, read_record

LOCUSTFILE = Path(__file__).parents[2] / "locustfiles" / "search.py"
SERVERS = ((2, 0.1), (4, 0.1), (4, 0.04))
"""Slots, and seconds of each answer: 20, 40 and 100 a second."""
ROOM = 0.1
"""Seconds between the usual time of an answer and the limit."""
NEAR = 0.1
DATA = ("--rows", "300", "--dim", "16", "--clusters", "8", "--queries", "50", "--collection", "find_rate")


def find(server: DelayingServer, slots: int, seconds: float, given: argparse.Namespace) -> RateFindingRecord:
    """One search."""
    server.begin(Delays(base=seconds, slots=slots))
    conditions = f"search p99 < {1000 * (seconds + ROOM):g} ms"
    lengths = ("--phase-seconds", given.seconds, "--warmup-seconds", "1", "--find-within", given.within)
    flags = ("--mode", "async", "--arrival", "constant", "--find-rate", conditions, "--host", server.uri)
    with TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary")
        subprocess.run(
            (*command, *flags, *lengths, *DATA, "--report", "none"), cwd=folder, env=dict(os.environ), check=False
        )
        (path,) = (Path(folder) / "runs").glob("[!.]*.json")
        search = read_record(path).rate_search
    assert search is not None
    return search.findings[0]


def main() -> None:
    """All searches, and a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.find_rate")
    parser.add_argument("--seconds", default="5", help="length of a step [default: %(default)s]")
    parser.add_argument("--within", default="2m", help="limit of each search [default: %(default)s]")
    given = parser.parse_args()
    lite = start_server("lite", tell=print)
    table = Table("slots", "ms", "capacity", "result", "rate", "95 %", "of the capacity", "within 10 %")
    try:
        with DelayingServer(lite.uri) as server:
            for slots, seconds in SERVERS:
                result, capacity = find(server, slots, seconds, given), slots / seconds
                rate = result.rate or 0.0
                interval = f"{result.low or 0:.1f} to {result.high or 0:.1f}"
                met = "yes" if abs(rate / capacity - 1) <= NEAR and result.outcome == "found" else "no"
                cells = (f"{slots}", f"{1000 * seconds:g}", f"{capacity:g}", result.outcome, f"{rate:.1f}", interval)
                table.add_row(*cells, f"{rate / capacity:.3f}", met)
    finally:
        lite.stop()
    Console().print(table)


if __name__ == "__main__":
    main()
