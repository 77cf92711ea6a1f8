"""The results, as tables or as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rich.table import Table

from loadgen.calibrate.driver import Measurement
from loadgen.calibrate.target import WIDTH, target_table
from loadgen.calibrate.targets import PERCENTS, find_targets
from loadgen.text.plain_text import new_console

EDGE = 0.1
"""Per cent to both sides of a percentile: where the known delay jumps there, either value is right."""
SHOWN = (0, 2, 3)
"""Positions of p50, p99 and p99.9 in a list of quantiles."""
NOTES = """\
Known: what the delays imply for arrivals on a schedule; where they jump at a percentile, both sides of the jump.
Kept: from a call's arrival at the server to its answer. Server late: how much later than due it answered; above 1 ms
this machine is too busy for a judgement, and reported must be near kept instead.
Waiting users (closed) continue only when they are answered, so a stop delays each of them once and hardly shows in
their percentiles: that is the closed model, not the tool.
Reported times are longer than known ones by the client's own work: LlamaIndex, pymilvus and gRPC take 1 to 2 ms for a
search, in the bare loops as well.
`loadgen calibrate --aa` compares a variant with itself, in real runs. The documentation says how to read these figures
(Can the figures be trusted?).
"""


def known_range(measurement: Measurement, percent: float) -> tuple[float, float]:
    """The known delay at a percentile, from a little below to a little above it."""
    low, high = measurement.kind.delays.known(percent - EDGE, min(percent + EDGE, 100.0))
    return (low, high) if measurement.kind.delays.one_in else (measurement.kind.delays.known(percent)[0],) * 2


def show(measurements: Sequence[Measurement], file: TextIO) -> None:
    """Print the tables."""
    out = new_console(file, None if file.isatty() else WIDTH)
    out.print(_phase_table(measurements))
    out.print(target_table(find_targets(measurements)))
    out.print(NOTES)


def _phase_table(measurements: Sequence[Measurement]) -> Table:
    table = Table(title="Known, kept and reported: p50 / p99 / p99.9, in ms")
    for name in ("load", "delays", "mode"):
        table.add_column(name)
    for name in ("op/s", "known", "kept by the server", "reported", "response p95 / p99", "dropped"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in measurements:
        known = " / ".join(_range(*known_range(one, PERCENTS[place])) for place in SHOWN)
        if one.kind.delays.every and one.driver != "open":
            known = "see kept"  # how many users a stop meets depends on the users
        kept = " / ".join(_milliseconds(value) for value in one.kept.delays[:3])
        reported = " / ".join(_milliseconds(one.service[place]) for place in SHOWN)
        opened = one.driver == "open"
        response = " / ".join(_milliseconds(one.response[at]) for at in (1, 2)) if opened else ""
        names = (one.driver, one.kind.name, one.mode)
        table.add_row(*names, f"{one.throughput:.1f}", known, kept, reported, response, str(one.dropped))
    return table


def _range(low: float, high: float) -> str:
    """One value, or two if they differ."""
    return f"{low * 1000:.4g}" if math.isclose(low, high) else f"{low * 1000:.4g}-{high * 1000:.4g}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def as_json(measurements: Sequence[Measurement]) -> str:
    """All of it; times are seconds."""
    phases = [asdict(one) | {"known": one.kind.delays.known(*PERCENTS)} for one in measurements]
    reported: dict[str, Any] = {"percents": PERCENTS, "phases": phases}
    return (
        json.dumps(reported | {"targets": [asdict(target) for target in find_targets(measurements)]}, indent=1) + "\n"
    )
