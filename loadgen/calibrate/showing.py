"""What was found, as tables for a person or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from loadgen.calibrate.driving import Found
from loadgen.calibrate.targets import PERCENTS, Target, find_targets

WIDTH = 150
EDGE = 0.1
"""Per cent to both sides of a percentile: where the known delay jumps there, either value is right."""
COLUMNS = tuple(f"p{percent:g}" for percent in PERCENTS)
NOTES = """\
Known: what the delays imply for arrivals on a schedule; where they jump at a percentile, both sides of the jump.
Kept late: how much later than due the server itself gave its answers.
Waiting users (closed) come back only when they are answered, so a stop meets each of them once and hardly shows in
their percentiles: that is the closed model, not the tool.
Reported times are longer than known ones by the client's own work: LlamaIndex, pymilvus and gRPC take 1 to 2 ms for a
search, in the bare loops as well.
Simulated comparisons (A/A, a true ratio of 1.2) are in tests/unit/test_compare.py; `make bench` shows what this tool
costs beside bare loops without any delay.
"""


def known_range(found: Found, percent: float) -> tuple[float, float]:
    """The known delay at a percentile, from a little below to a little above it."""
    low, high = found.kind.delays.known(percent - EDGE, min(percent + EDGE, 100.0))
    return (low, high) if found.kind.delays.one_in else (found.kind.delays.known(percent)[0],) * 2


def show(found: Sequence[Found], file: TextIO) -> None:
    """Print the tables."""
    out = Console(file=file) if file.isatty() else Console(file=file, width=WIDTH)
    out.print(_phase_table(found))
    out.print(_target_table(find_targets(found)))
    out.print(NOTES)


def _phase_table(found: Sequence[Found]) -> Table:
    table = Table(title="Known, kept and reported, phase by phase (ms)")
    for name in ("driver", "delays", "mode"):
        table.add_column(name)
    for name in ("op/s", "n", *(f"known {column}" for column in COLUMNS if column != "p95"), "kept late p99"):
        table.add_column(name, justify="right")
    for name in (*COLUMNS, "response p95", "p99", "dropped"):
        table.add_column(name, justify="right")
    for one in found:
        known = [known_range(one, percent) for percent in PERCENTS if percent != 95.0]  # noqa: PLR2004 - the column
        late = f"{one.kept.late[1] * 1000:.2f}" if one.kept.late else "-"
        service = [f"{value * 1000:.2f}" for value in one.service]
        opened = one.driver == "open"
        response = [f"{one.response[at] * 1000:.1f}" if opened else "" for at in (1, 2)]
        figures = [f"{one.throughput:.1f}", f"{one.operations:,}", *(_range(*pair) for pair in known), late]
        table.add_row(one.driver, one.kind.name, one.mode, *figures, *service, *response, str(one.dropped))
    return table


def _range(low: float, high: float) -> str:
    return f"{low * 1000:.4g}" if high - low < 1e-6 else f"{low * 1000:.4g}-{high * 1000:.4g}"  # noqa: PLR2004


def _target_table(targets: Sequence[Target]) -> Table:
    table = Table(title="What it has to reach, on this machine")
    for name in ("target", "wanted", "measured", ""):
        table.add_column(name)
    for target in targets:
        table.add_row(target.name, target.wanted, target.measured, "met" if target.met else "MISSED")
    return table


def as_json(found: Sequence[Found]) -> str:
    """All of it; times are seconds."""
    phases = [asdict(one) | {"known": one.kind.delays.known(*PERCENTS)} for one in found]
    told: dict[str, Any] = {"percents": PERCENTS, "phases": phases}
    return json.dumps(told | {"targets": [asdict(target) for target in find_targets(found)]}, indent=1) + "\n"
