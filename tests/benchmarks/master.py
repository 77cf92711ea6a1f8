"""What the master costs: its CPU and memory. Reported, never asserted: docs/guides/scale.md has the trend.

`python -m tests.benchmarks.master --workers 10,40,100`: with workers that report real histograms and make no load.
`--real --workers 1,10`: with idle and busy ones. `--profile` prints where the master's CPU goes.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil

from loadgen.milvus.server import start_server

FILE = str(Path(__file__).with_name("master_locustfile.py"))
LOCUST = str(Path(sys.executable).with_name("locust"))
USERS_EACH = 5
WITHIN = 240.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def simulating(workers: int, port: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A number of workers without load, in one process."""
    flags = ("--workers", str(workers), "--port", port, "--file", FILE)
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.simulated_agents", *flags])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def measure_simulated(workers: int, uri: str, seconds: float) -> None:
    """The master of a plan of two variants, in the second half of a long phase."""
    port, web = str(free_port()), free_port()
    plan = ("--variants", "async; async connections=2", "--rounds", "1", "--concurrency", str(workers * USERS_EACH))
    flags = (
        *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--host", uri, *plan),
        *("--phase-seconds", str(2 * seconds), "--warmup-seconds", "1", "--expect-workers", str(workers)),
        *("--web-host", "127.0.0.1", "--web-port", str(web), "--autostart"),
    )
    with running(*flags) as master, simulating(workers, port) as agents:
        process = psutil.Process(master.pid)
        wait_for_load(f"http://127.0.0.1:{web}")
        time.sleep(seconds / 2)
        reported, own = look(process, seconds), agents.poll()
        print(f"{workers:4} simulated workers: {reported}" + ("" if own is None else f", ended with {own}"), flush=True)


@contextlib.contextmanager
def running(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A `locust` command in a process group of its own, ended at the end."""
    environment = os.environ | {"LOCUST_SKIP_MONKEY_PATCH": "1", "LOADGEN_METRICS_PORT": "off"}
    out = Path(os.environ.get("BENCH_LOG", os.devnull)).open("wb")  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(
        [LOCUST, "-f", FILE, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(page: str, state: str, workers: int) -> None:
    """Wait until the page shows that state and that number of workers."""
    end = time.monotonic() + WITHIN
    reported: object = "nothing"
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urlopen(f"{page}/stats/requests", timeout=5) as answer:  # noqa: S310
            loaded = json.load(answer)
            reported = (loaded["state"], len(loaded.get("workers", ())))
            if reported == (state, workers):
                return
        time.sleep(0.5)
    raise TimeoutError(f"wanted {state} with {workers} workers, got {reported}")


def wait_for_load(page: str) -> None:
    """Until operations are reported: many workers take long to open their stores on few cores."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        time.sleep(3)
        with contextlib.suppress(OSError), urlopen(f"{page}/stats/requests", timeout=10) as answer:  # noqa: S310
            if json.load(answer)["total_rps"] > 0:
                time.sleep(5)
                return
    raise TimeoutError("no operations")


def look(master: psutil.Process, seconds: float) -> str:
    """CPU of one core in percent, and resident memory."""
    before, started = sum(master.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    share = (sum(master.cpu_times()[:2]) - before) / (time.monotonic() - started)
    return f"{100 * share:5.1f} %  {master.memory_info().rss / 2**20:6.0f} MiB"


def measure(workers: int, uri: str, seconds: float) -> None:
    port, web = str(free_port()), free_port()
    page = f"http://127.0.0.1:{web}"
    leading = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    following = ("--worker", "--processes", str(workers), "--master-host", "127.0.0.1", "--master-port", port)
    with (
        running(*leading, "--web-host", "127.0.0.1", "--web-port", str(web), "--host", uri) as master,
        running(*following),
    ):
        process = psutil.Process(master.pid)
        wait_until(page, "ready", workers)
        time.sleep(2)
        print(f"{workers:4} workers, idle:  {look(process, seconds)}", flush=True)
        users = workers * USERS_EACH
        asked = urlencode({"user_count": users, "spawn_rate": users, "host": uri}).encode()
        with urlopen(f"{page}/swarm", data=asked, timeout=60) as answer:  # noqa: S310
            print(f"              {json.load(answer)['message']}")
        wait_until(page, "running", workers)
        wait_for_load(page)
        reported = look(process, seconds)
        with urlopen(f"{page}/stats/requests", timeout=10) as answer:  # noqa: S310
            rate = json.load(answer)["total_rps"]
        print(f"{workers:4} workers, busy:  {reported}, {rate:.0f} operations/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the master costs.")
    parser.add_argument("--workers", default="10,40,100")
    parser.add_argument("--real", action="store_true", help="workers that make load, with its figures in rest too")
    parser.add_argument("--profile", default="", help="file for where the CPU of the master goes")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each look")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if given.profile:
        os.environ["BENCH_PROFILE"] = given.profile
    server = start_server("milvus", tell=print)
    try:
        for number in given.workers.split(","):
            (measure if given.real else measure_simulated)(int(number), server.uri, given.seconds)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
