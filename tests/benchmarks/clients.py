"""The client layers beside each other and beside what they are made of, in operations per CPU second."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from loadgen.settings.model import Settings
from tests.benchmarks.fields_replay import FieldsReplayServer
from tests.benchmarks.figures import Figures
from tests.benchmarks.table import spread, verdict

HERE = Path(__file__).parent
VARIANTS = (
    "llamaindex: async; wire all: wire/async; llamaindex text: async output-fields=text; "
    "wire text: wire/async output-fields=text; lean: wire/async output-fields=id; "
    "lean sync: wire/sync output-fields=id; pymilvus: pymilvus/async; pymilvus sync: pymilvus/sync output-fields=id"
)
BARE = ("lean", "lean sync", "pymilvus", "pymilvus sync")
"""Variants with a bare loop beside each window: of plain gRPC with ready bytes, or of a client of pymilvus."""
STAGED = (
    "wire off: wire/async output-fields=id; wire on: wire/async output-fields=id stages=on; "
    "llamaindex off: async; llamaindex on: async stages=on"
)
"""The leanest and the usual client, with stages and without."""
PROCESSES = ("1 process", "2 processes")
BARE_PROCESSES = ("bare 1 process", "bare 2 processes")
"""What the machine gives a second process: the cores share caches with each other and with the server."""


class Target(NamedTuple):
    """A ratio of operations per CPU second."""

    what: str
    over: str
    under: str
    at_least: float | None = None


TARGETS = (
    Target("wire/async, ids and scores, to llamaindex/async with its default fields", "lean", "llamaindex", 5.0),
    Target("wire/async to llamaindex/async, both with all fields", "wire all", "llamaindex"),
    Target("wire/async to llamaindex/async, both with the text", "wire text", "llamaindex text"),
    Target("wire/async, ids and scores, to grpc.aio with ready bytes", "lean", "bare lean", 0.8),
    Target("wire/sync, ids and scores, to blocking gRPC with ready bytes", "lean sync", "bare lean sync"),
    Target("pymilvus/async to a bare AsyncMilvusClient loop", "pymilvus", "bare pymilvus", 0.95),
    Target("pymilvus/sync to a bare MilvusClient loop", "pymilvus sync", "bare pymilvus sync", 0.95),
    Target("pymilvus/sync to Locust's contrib.milvus user, ids and scores", "pymilvus sync", "contrib", 1.2),
    Target("a bare MilvusClient loop to the contrib.milvus user", "bare pymilvus sync", "contrib"),
    Target("wire/async, ids and scores, with stages to without", "wire on", "wire off", 0.98),
    Target("llamaindex/async with stages to without", "llamaindex on", "llamaindex off", 0.98),
    Target("wire/async in 2 processes to 1", PROCESSES[1], PROCESSES[0], 0.95),
    Target("grpc.aio with ready bytes in 2 processes to 1", BARE_PROCESSES[1], BARE_PROCESSES[0]),
)


HEAD = ("what", "ratio", "target", "verdict")


def measure_clients(settings: Settings, say: Callable[[str], None]) -> list[Figures]:
    """All windows. `settings` are those of a prepared collection of a real Milvus. Raises RuntimeError."""
    with FieldsReplayServer(settings.host) as replay:
        replayed = settings.model_copy(update={"host": replay.uri})
        result = _run_variants(replayed, VARIANTS, {"BENCH_BARE": ",".join(BARE)}, say)
        result += _run_variants(replayed, STAGED, {"BENCH_BARE": ""}, say)
        for number, name in enumerate(PROCESSES, 1):
            lean = f"{name}: wire/async output-fields=id"
            result += _run_variants(replayed, lean, {"BENCH_BARE": ""}, say, "--processes", str(number))
            result += _run_bare(replayed, number, say)
        return result + [one for _ in range(settings.rounds) for one in _run_contrib(replayed, say)]


def _run_variants(
    settings: Settings, variants: str, environment: Mapping[str, str], say: Callable[[str], None], *flags: str
) -> list[Figures]:
    return _run(
        environment,
        say,
        *(HERE / "clients_locustfile.py", "--host", settings.host, "--collection", settings.collection),
        *("--rows", settings.rows, "--variants", variants, "--concurrency", settings.concurrency[0]),
        *("--rounds", settings.rounds, "--phase-seconds", settings.phase_seconds),
        *("--warmup-seconds", settings.warmup_seconds, "--record", "", *flags),
    )


def _run_bare(settings: Settings, number: int, say: Callable[[str], None]) -> list[Figures]:
    """Bare loops in `number` processes side by side, each with its share of the users."""
    users = max(1, settings.concurrency[0] // number)
    share = settings.model_copy(update={"concurrency": (users,)})
    with ThreadPoolExecutor(number) as threads:
        lean = "bare: wire/async output-fields=id"
        runs = [threads.submit(_run_variants, share, lean, {"BENCH_BARE": "bare"}, say) for _ in range(number)]
        windows = [one for run in runs for one in run.result() if one.variant == "bare bare"]
    return [replace(one, variant=BARE_PROCESSES[number - 1]) for one in windows]


def _run_contrib(settings: Settings, say: Callable[[str], None]) -> list[Figures]:
    users = settings.concurrency[0]
    given = {
        "host": settings.host,
        "collection": settings.collection,
        "dim": settings.dim,
        "top_k": settings.top_k,
        "search_params": {"params": settings.search_config, "metric_type": settings.metric},
        "users": users,
        "warmup": settings.warmup_seconds + 1,
        "seconds": settings.phase_seconds,
    }
    environment = {"BENCH_CONTRIB": json.dumps(given)}
    return _run(environment, say, HERE / "contrib_locustfile.py", "-u", users, "-r", users)


def _run(environment: Mapping[str, str], say: Callable[[str], None], *flags: object) -> list[Figures]:
    """One command of Locust, and what it says. Raises RuntimeError if it says nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", *map(str, flags)],
        cwd=HERE.parents[1],
        env={key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", "LOADGEN_"))}
        | dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    figures = Figures.heard(done.stdout)
    if not figures:
        raise RuntimeError(f"the run failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
    for one in figures:
        say(f"{one.variant} ({one.mode}): {one.rate:,.0f}/s, {one.cpu_per_operation * 1e6:,.0f} us CPU")
    return figures


def find_ratios(over: Sequence[Figures], under: Sequence[Figures]) -> list[float]:
    """Operations per CPU second, window by window; windows of separate runs, in other numbers, to their median."""
    costs = [one.cpu_per_operation for one in under]
    if len(over) != len(under):
        costs = [median(costs)] * len(over)
    return sorted(cost / one.cpu_per_operation for one, cost in zip(over, costs, strict=True))


def show_clients(figures: Sequence[Figures], console: Console) -> None:
    """Print what was measured, and the ratios with their targets; nothing if nothing was."""
    if not figures:
        return
    by_variant: dict[str, list[Figures]] = {}
    for one in figures:
        by_variant.setdefault(one.variant, []).append(one)
    table = Table(title="Clients: what was measured (medians)")
    for name in ("variant", "mode", "operations/s", "CPU us/operation", "p50 ms", "failures"):
        table.add_column(name, justify="left" if name in ("variant", "mode") else "right")
    for name, some in by_variant.items():
        table.add_row(
            name,
            some[0].mode,
            f"{median(one.rate for one in some):,.0f}",
            f"{median(one.cpu_per_operation for one in some) * 1e6:,.0f}",
            f"{median(one.p50 for one in some) * 1e3:,.2f}",
            f"{sum(one.failures for one in some):,}",
        )
    console.print(table)
    table = Table(title="Clients: operations per CPU second (medians, 95 % intervals in brackets)")
    for name in HEAD:
        table.add_column(name, justify="right" if name == "ratio" else "left")
    for row in ratio_rows(figures):
        table.add_row(*row)
    console.print(table)


def ratio_rows(figures: Sequence[Figures]) -> list[tuple[str, ...]]:
    """A row below `HEAD` for each target."""
    by_variant: dict[str, list[Figures]] = {}
    for one in figures:
        by_variant.setdefault(one.variant, []).append(one)
    rows: list[tuple[str, ...]] = []
    for target in TARGETS:
        ratios = find_ratios(by_variant[target.over], by_variant[target.under])
        reached = "" if target.at_least is None else verdict(median(ratios) >= target.at_least)
        wanted = "" if target.at_least is None else f"at least {target.at_least:.2f}"
        rows.append((target.what, spread(ratios), wanted, reached))
    return rows
