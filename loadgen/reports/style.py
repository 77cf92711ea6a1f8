"""How the two modes look everywhere: by colour, line and marker, so that print and any eye tell them apart."""

from dataclasses import dataclass

from loadgen.measure.sample import Mode


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, line and marker of a mode; the colours are of Okabe and Ito's set for colour-blind eyes."""

    colour: str
    line: str
    marker: str


LOOKS = {Mode.SYNC: Look("#0072b2", "-", "o"), Mode.ASYNC: Look("#d55e00", "--", "s")}
INK = "#222222"
FAINT = "#d0d0d0"
FIGURE = {
    "svg.fonttype": "none",  # text stays text: small, searchable, sharp
    "svg.hashsalt": "loadgen",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
"""Settings of matplotlib while a figure is made and drawn."""
