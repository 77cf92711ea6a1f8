"""The run as it went: operations per second over time, phase by phase."""

from datetime import datetime

from matplotlib.figure import Figure

from loadgen.record import PhaseRecord, RunRecord
from loadgen.report.charts import HEIGHT, WIDTH, Chart
from loadgen.report.style import LOOKS
from loadgen.results.series import place_of
from loadgen.sample import Mode

LABELS_AT_MOST = 16
"""Phases that are told their load above the picture; more would not fit."""


def timeline(record: RunRecord) -> Chart | None:
    """All phases in their order; None where no phase knows when it began."""
    timed = [(phase, phase.started_at) for phase in record.phases if phase.started_at is not None]
    if not timed:
        return None
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    first = timed[0][1]
    seen: set[Mode] = set()
    for phase, began in timed:
        look = LOOKS[phase.mode]
        edges, rates = _steps(phase, began, first)
        label = "_nolegend_" if phase.mode in seen else phase.mode.value
        seen.add(phase.mode)
        axes.stairs(rates, edges, color=look.colour, linestyle=look.line, linewidth=1.6, label=label, baseline=None)
        axes.axvspan(edges[0], edges[-1], color=look.colour, alpha=0.1, linewidth=0)
        if len(timed) <= LABELS_AT_MOST:
            place = str(place_of(phase.concurrency, phase.rate)).removesuffix(" users").removesuffix(" user")
            axes.annotate(
                place, ((edges[0] + edges[-1]) / 2, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize=9
            )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds since the first phase began")
    axes.set_ylabel("operations/s, all kinds")
    figure.legend(loc="outside lower right", ncols=2)
    text = (
        "Answered operations per second in slices of about a second; above it the load. Between the phases the users "
        "change and warm up, which counts in no figure."
    )
    return Chart("timeline", "The run as it went", text, figure, None)


def _steps(phase: PhaseRecord, began: datetime, first: datetime) -> tuple[list[float], list[float]]:
    """Edges in seconds since the first phase, and the rate between them; one step where there are no slices."""
    edges = [(began - first).total_seconds()]
    rates: list[float] = []
    pieces = [part.slices for part in phase.operations if part.slices]
    if not pieces:
        total = sum(part.throughput or 0.0 for part in phase.operations)
        return [edges[0], edges[0] + phase.seconds], [total]
    for together in zip(*pieces, strict=False):
        edges.append(edges[-1] + together[0].seconds)
        rates.append(sum(piece.operations for piece in together) / together[0].seconds)
    return edges, rates
