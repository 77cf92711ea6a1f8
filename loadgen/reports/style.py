"""The look of each variant: colour, line and marker, distinguishable in print and with colour blindness."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadgen.measure.sample import Mode

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

Dashes = str | tuple[float, tuple[float, ...]]
"""A matplotlib line style: a name, or an offset and the lengths of dashes and gaps."""


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, line and marker of a variant.

    Colours follow Okabe and Ito's palette for colour blindness; the paler ones are darkened, for a contrast of 3 to
    white.
    """

    colour: str
    line: Dashes
    marker: str
    words: str
    """The look in words."""


LOOKS = (
    Look("#0072b2", "-", "o", "blue, solid, circles"),
    Look("#d55e00", "--", "s", "vermilion, dashed, squares"),
    Look("#009e73", "-.", "^", "green, dash and dot, triangles"),
    Look("#aa4499", ":", "D", "purple, dotted, diamonds"),
    Look("#000000", (0, (9, 3)), "v", "black, long dashes, triangles upside down"),
    Look("#b87d00", (0, (6, 2, 1, 2, 1, 2)), "P", "ochre, dash and two dots, plus signs"),
    Look("#2f93cc", (0, (1, 3)), "X", "light blue, sparse dots, crosses"),
    Look("#7f7f7f", (0, (4, 1, 4, 3)), "*", "grey, dashes in pairs, stars"),
)
"""The first two are for the plain modes."""
PLAIN = {Mode.SYNC.value: 0, Mode.ASYNC.value: 1}


def place_looks(names: Iterable[str]) -> dict[str, int]:
    """The number in `LOOKS` of each variant, given in their order.

    `sync` and `async` look the same in every report; the others take the remaining looks in order. Variants beyond the
    number of looks reuse them.
    """
    every = list(dict.fromkeys(names))
    others = [name for name in every if name not in PLAIN]
    taken = {PLAIN[name] for name in every if name in PLAIN}
    free = [place for place in range(len(LOOKS)) if place not in PLAIN.values()]
    free += [place for place in PLAIN.values() if place not in taken]
    looks = {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: PLAIN[name] if name in PLAIN else looks[name] for name in every}


INK = "#222222"
FAINT = "#d0d0d0"
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
