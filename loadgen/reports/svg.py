"""A figure as accessible SVG that can share an HTML page with others, and where its values are."""

import math
import re
from dataclasses import dataclass
from html import escape
from io import StringIO

from matplotlib.backends.backend_svg import FigureCanvasSVG

from loadgen.reports.drawing import ChartFigure
from loadgen.text.plain_text import one_line

REFERENCE = re.compile(r'( id="|url\(#|href="#)')
STYLE = re.compile(r'style="[^"]*"')
COLOUR = re.compile(r"(fill|stroke): #([0-9a-f]{6})")
PATTERN_COLOUR = re.compile(r'fill="#([0-9a-f]{6})"')
POINTS_PER_INCH = 72
"""Of a figure that is drawn as SVG."""
MARGIN = 2.0
"""Per cent of a figure that a value keeps from its left and right edges."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A value that a reader can point at: its place in per cent of the figure, from the left and the top."""

    left: float
    top: float
    text: str

    @property
    def sides(self) -> str:
        """Where its text fits: on the left, above, both or none of these."""
        middle = 50
        return " ".join(name for name, far in (("left", self.left > middle), ("above", self.top > middle)) if far)


def draw_svg(figure: ChartFigure, key: str, title: str, text: str) -> str:
    """The figure with title and description, without prologue or metadata, its ids prefixed with `key`.

    Each colour is a variable with the colour of a light page as its default, so that a page can set that of a dark one.
    """
    out = StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawn = out.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = REFERENCE.sub(rf"\g<1>{key}-", drawn)
    drawn = STYLE.sub(lambda match: COLOUR.sub(r"\1: var(--c-\2, #\2)", match[0]), drawn)
    drawn = PATTERN_COLOUR.sub(r'style="fill: var(--c-\1, #\1)"', drawn)
    head, mark, body = drawn.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    names = f' role="img" aria-labelledby="{key}-title {key}-text"'
    reported = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-text">{escape(text)}</desc>'
    return head + names + mark + reported + body


def find_spots(figure: ChartFigure) -> list[Spot]:
    """Where the values of a figure are, after `draw_svg`; those outside their axes are omitted."""
    width, height = (POINTS_PER_INCH * inches for inches in figure.get_size_inches())
    spots = []
    for point in figure.points:
        x, y = point.axes.transData.transform((point.x, point.y))
        if math.isfinite(x) and math.isfinite(y) and point.axes.bbox.padded(1).contains(x, y):
            left = min(max(100 * x / width, MARGIN), 100 - MARGIN)
            spots.append(Spot(round(left, 1), round(100 - 100 * y / height, 1), one_line(point.text)))
    return spots
