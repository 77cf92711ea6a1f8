"""The style of each variant: colour, line and marker, distinguishable in grey and with colour blindness."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadgen.measure.sample import Mode

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

Dashes = str | tuple[float, tuple[float, ...]]
"""A matplotlib line style: a name, or an offset and the lengths of dashes and gaps."""
PAPER, NIGHT = "#ffffff", "#15181c"
"""Backgrounds of a page, light and dark."""


@dataclass(frozen=True, slots=True)
class PlotStyle:
    """Colour, line and marker of a variant.

    Colours follow Okabe and Ito's palette for colour blindness, darkened or lightened for a contrast of 3 to their
    background. In grey the lines and markers distinguish them.
    """

    colour: str
    """On a light page and on paper."""
    dark: str
    """On a dark page."""
    line: Dashes
    marker: str
    words: str
    """The style in words."""


PLOT_STYLES = (
    PlotStyle("#0072b2", "#5eb3e4", "-", "o", "blue, solid, circles"),
    PlotStyle("#d55e00", "#ff8f3f", "--", "s", "vermilion, dashed, squares"),
    PlotStyle("#009e73", "#2fd0a0", "-.", "^", "green, dash and dot, triangles"),
    PlotStyle("#aa4499", "#e08ad6", ":", "D", "purple, dotted, diamonds"),
    PlotStyle(
        "#000000", "#f5f5f5", (0, (9, 3)), "v", "black (white on a dark page), long dashes, triangles upside down"
    ),
    PlotStyle("#b87d00", "#e8b83a", (0, (6, 2, 1, 2, 1, 2)), "P", "ochre, dash and two dots, plus signs"),
    PlotStyle("#2f93cc", "#a8dcf7", (0, (1, 3)), "X", "light blue, sparse dots, crosses"),
    PlotStyle("#7f7f7f", "#8f8f8f", (0, (4, 1, 4, 3)), "*", "grey, dashes in pairs, stars"),
)
"""The first two are for the plain modes."""
PLAIN = {Mode.SYNC.value: 0, Mode.ASYNC.value: 1}


def assign_plot_styles(names: Iterable[str]) -> dict[str, int]:
    """The number in `PLOT_STYLES` of each variant, given in their order.

    `sync` and `async` look the same in every report; the others take the remaining styles in order. Variants beyond the
    number of styles reuse them.
    """
    every = list(dict.fromkeys(names))
    others = [name for name in every if name not in PLAIN]
    taken = {PLAIN[name] for name in every if name in PLAIN}
    free = [place for place in range(len(PLOT_STYLES)) if place not in PLAIN.values()]
    free += [place for place in PLAIN.values() if place not in taken]
    plot_styles = {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: PLAIN[name] if name in PLAIN else plot_styles[name] for name in every}


INK = "#222222"
FAINT = "#d0d0d0"
GREY = "#808080"
FAINT_INK = "#595959"
STAGE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""From Okabe and Ito's palette for colour blindness; stages also have hatches."""
DARK = {
    **{style.colour: style.dark for style in PLOT_STYLES},
    **{colour: colour for colour in STAGE_COLOURS if colour not in {style.colour for style in PLOT_STYLES}},
    PAPER: NIGHT,
    INK: "#e6e6e6",
    FAINT: "#3d434a",
    GREY: "#a0a0a0",
    FAINT_INK: "#b5b5b5",
}
"""What each colour of a chart is on a dark page."""
FIGURE: "dict[RcKeyType, Any]" = {
    "svg.fonttype": "none",  # keep text as text: small, searchable, sharp
    "svg.hashsalt": "loadgen",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
"""Matplotlib settings while a figure is created and drawn."""
