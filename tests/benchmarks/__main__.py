"""`python -m tests.benchmarks`: what this tool costs, beside bare loops over the same calls, in about ten minutes.

The server replays answers of a real Milvus without delay, so that only the client is measured.
Bare loops and the tool take turns in short windows of one process, with the same loop, stores and queries: a machine
that drifts hits both. Nothing here fails for being slow: the figures are for people.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from loadgen.datasets import open_dataset
from loadgen.milvus.server import start_server
from loadgen.milvus.server.replay import ReplayServer
from loadgen.milvus.store import prepare
from loadgen.runtime.loop import new_event_loop
from loadgen.settings.model import Settings
from tests.benchmarks.clients import HEAD as RATIOS
from tests.benchmarks.clients import measure_clients, ratio_rows, show_clients
from tests.benchmarks.coverage import show_coverage
from tests.benchmarks.figures import Figures
from tests.benchmarks.kept import keep
from tests.benchmarks.loading import compare_loading
from tests.benchmarks.memory import measure_memory, median_rows, show_memory
from tests.benchmarks.narrowed import drop, measure_cases
from tests.benchmarks.table import pair_up, show, show_loading, show_sinks

HERE = Path(__file__).parent
HOUSE = HERE.parents[1]
WIDTH = 120


CELLS = 4
"""Pairs of windows in a round: sync, async, async, sync."""


IDLE = "nothing was measured in phase"
"""What a run says in the end whose sinks were off for a whole phase: no sink received its operations."""


def parse() -> argparse.Namespace:
    """Flags."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one window [default: %(default)s]")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds before each window [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of four pairs of windows [default: %(default)s]")
    parser.add_argument("--users", default="8,64", help="numbers of users, with commas [default: %(default)s]")
    kinds = ("search", "clients", "narrowed", "sinks", "loading", "memory", "coverage")
    parser.add_argument("--only", choices=kinds, help="leave the others out")
    parser.add_argument("--rows", type=int, default=10_000, help="rows to load [default: %(default)s]")
    parser.add_argument("--keep", action="store_true", help="keep the tables of clients and memory for the docs")
    parser.add_argument("--host", help="a real Milvus, http://127.0.0.1:19530; none starts one")
    return parser.parse_args()


def compare_search(settings: Settings, flags: Sequence[str] = (), *, sinks: bool = False) -> list[Figures]:
    """All windows of both variants, in their order: bare loops, or with `sinks` the tool with these off, and the tool.

    Raises RuntimeError with the output where it fails.
    """
    command = [
        *("-m", "locust", "-f", str(HERE / "locustfile.py"), "--headless", "--only-summary", "--record", ""),
        *("--host", settings.host, "--collection", settings.collection, "--rows", str(settings.rows)),
        *("--concurrency", ",".join(map(str, settings.concurrency)), "--rounds", str(settings.rounds)),
        *("--phase-seconds", str(settings.phase_seconds), "--warmup-seconds", str(settings.warmup_seconds)),
        *flags,
    ]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=HOUSE,
        env={key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", "LOADGEN_"))}
        | ({"BENCH_SINKS": "1"} if sinks else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    figures = Figures.heard(done.stdout)
    expected = (1 if sinks else 2) * CELLS * len(settings.concurrency) * settings.rounds
    is_idle = sinks and done.returncode == 1 and f"\nExit code 1: {IDLE}" in done.stdout
    if (done.returncode and not is_idle) or len(figures) != expected:
        raise RuntimeError(f"the run failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
    for one in figures:
        say(f"{one.mode} {one.users}, {one.variant}: {one.rate:,.0f}/s, {one.cpu_per_operation * 1000:.3f} ms CPU")
    return figures


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, flush=True)


def describe_machine() -> str:
    """What the figures depend on."""
    loop, name = new_event_loop()
    loop.close()
    libraries = ", ".join(f"{library} {version(library)}" for library in ("grpcio", "pymilvus", "locust"))
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, load average {load}; {python}, loop {name}, {libraries}"


def start(stack: ExitStack) -> str:
    """The address of a real Milvus that ends with the stack."""
    server = start_server("milvus", tell=say)
    stack.callback(server.stop)
    return server.uri


def compare_clients(given: argparse.Namespace, real: Settings, stack: ExitStack) -> list[Figures]:
    """The windows of the client layers; none if only others are asked for."""
    if given.only not in (None, "clients"):
        return []
    own = real.model_copy(update={"collection": "loadgen_bench_clients"})
    stack.callback(drop, own)
    say(str(prepare(own, open_dataset(own), say)))
    figures = measure_clients(own, say)
    if given.keep:
        keep("clients", 'make bench BENCH_FLAGS="--only clients"', RATIOS, ratio_rows(figures))
    return figures


def compare_memory(given: argparse.Namespace, real: Settings, stack: ExitStack, console: Console) -> None:
    """The memory of idle users, as a table, unless only others are asked for."""
    if given.only in (None, "memory"):
        own = real.model_copy(update={"collection": "loadgen_bench_memory"})
        stack.callback(drop, own)
        looks = measure_memory(own, own.rounds, say)
        show_memory(looks, console)
        if given.keep:
            command = f'make bench BENCH_FLAGS="--only memory --rounds {own.rounds}"'
            keep("memory", command, ("idle async users", "MB"), median_rows(looks))


def main() -> None:
    """Measure, then print the tables."""
    given = parse()
    console = Console(width=WIDTH)
    if given.only == "coverage":
        show_coverage(console)
        return
    begun = time.perf_counter()
    before = describe_machine()
    say(before)
    shape = {
        "collection": "loadgen_bench",
        "rows": 2_000,
        "rounds": given.rounds,
        "phase_seconds": given.seconds,
        "warmup_seconds": given.warmup,
    }
    settings = Settings.parse(shape | {"concurrency": given.users})
    rates: list[tuple[float, float]] = []
    result: list[Figures] = []
    switched: list[Figures] = []
    narrowed: list[tuple[str, list[Figures]]] = []
    with ExitStack() as stack:
        host = given.host or start(stack)
        real = settings.model_copy(update={"host": host})
        if given.only in (None, "loading"):
            loading = real.model_copy(update={"collection": "loadgen_bench_loading", "rows": given.rows})
            rates = compare_loading(loading, given.rounds)
            say("loading: " + ", ".join(f"bare {bare:,.0f}, tool {tool:,.0f} rows/s" for bare, tool in rates))
        if given.only in (None, "narrowed"):
            few = {"host": host, "concurrency": given.users.split(",")[0], **shape}
            narrowed = measure_cases(few, compare_search, say, stack)
        compare_memory(given, real, stack, console)
        clients = compare_clients(given, real, stack)
        if given.only in (None, "search", "sinks"):
            stack.callback(drop, real)
            say(str(prepare(real, open_dataset(real), say)))
            replay = stack.enter_context(ReplayServer(host))
            replayed = settings.model_copy(update={"host": replay.uri})
            result = compare_search(replayed) if given.only != "sinks" else []
            if given.only != "search":
                whole_fours = {"rounds": -(-given.rounds // 4) * 4}
                switched = compare_search(replayed.model_copy(update=whole_fours), sinks=True)
    for title, figures in [("Searches", result), *narrowed]:
        if figures:
            show(pair_up(figures), console, title)
    show_clients(clients, console)
    if switched:
        show_sinks(switched, console)
    if rates:
        show_loading(rates, console)
    say(f"Before: {before}")
    say(f"After:  {describe_machine()}")
    say(f"{time.perf_counter() - begun:.0f} s, {given.rounds} rounds, windows of {given.seconds:g} s.")


if __name__ == "__main__":
    main()
