"""The results of the RAG path, as tables or as JSON."""

import json
import math
from dataclasses import asdict
from typing import Any, TextIO

from hdrh.histogram import HdrHistogram
from rich.table import Table

from loadgen.calibrate.rag.driver import FIGURES, Result, Side, SidePair
from loadgen.calibrate.rag.plan import BARE
from loadgen.calibrate.rag.targets import PERCENTS, find_targets
from loadgen.calibrate.target import WIDTH, target_table
from loadgen.measure.histograms import percentile
from loadgen.text.plain_text import new_console

NOTES = """\
Bare loops call the query engine that the tool calls, in the same process, before or after each of its windows, without
the tool's stages. first_token begins when the chunks are there, inter_token is from token to token, total ends with the
last token. Model: 50 ms to the first of 20 tokens, 5 ms between; in the windows about stages, no delay.
Open: not met, but by no more than two samples of this size differ by chance. More or longer windows decide (--seconds).
Server late: how much later than due the model sent a token. Above 1 ms this machine is too busy for a judgement.
"""


def show(result: Result, file: TextIO) -> None:
    """Print the tables."""
    out = new_console(file, None if file.isatty() else WIDTH)
    out.print(_pair_table(result))
    out.print(target_table(find_targets(result)))
    out.print(NOTES)


def _pair_table(result: Result) -> Table:
    table = Table(title="The tool beside bare loops, and with stages beside without: p50 / p99, in ms")
    for name in ("mode", "users", "window"):
        table.add_column(name)
    for name in ("asks", "asks/s", *FIGURES):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in result.pairs:
        tool, other = ("tool", "bare loops") if pair.subject == BARE else ("with stages", "without")
        for name, side in ((tool, pair.tool), (other, pair.other)):
            cells = [_milliseconds(side, figure) for figure in FIGURES]
            table.add_row(pair.mode, str(pair.users), name, f"{side.asks:,}", f"{side.rate:.1f}", *cells)
    return table


def _milliseconds(side: Side, figure: str) -> str:
    values = [percentile(side.times[figure], percent) * 1000 for percent in PERCENTS]
    return "-" if math.isnan(values[0]) else " / ".join(f"{value:.2f}" for value in values)


def as_json(result: Result) -> str:
    """All of it; times are seconds."""
    reported: dict[str, Any] = {
        "percents": PERCENTS,
        "pairs": [_describe(pair) for pair in result.pairs],
        "outcomes": asdict(result.outcomes),
        "targets": [asdict(target) for target in find_targets(result)],
    }
    return json.dumps(reported, indent=1) + "\n"


def _describe(pair: SidePair) -> dict[str, Any]:
    names = ("tool", "bare") if pair.subject == BARE else ("with_stages", "without_stages")
    sides = {
        name: {
            "asks": side.asks,
            "rate": side.rate,
            **{figure: _percentiles(times) for figure, times in side.times.items()},
        }
        for name, side in zip(names, (pair.tool, pair.other), strict=True)
    }
    return {"subject": pair.subject, "mode": pair.mode, "users": pair.users, "late": pair.late, **sides}


def _percentiles(times: HdrHistogram) -> list[float | None]:
    """Null for none: JSON has no nan."""
    return [None if math.isnan(value := percentile(times, percent)) else value for percent in PERCENTS]
