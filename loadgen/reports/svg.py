"""A figure as accessible SVG that can share an HTML page with others."""

import re
from html import escape
from io import StringIO

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

REFERENCE = re.compile(r'( id="|url\(#|href="#)')


def draw_svg(figure: Figure, key: str, title: str, text: str) -> str:
    """The figure with title and description, without prologue or metadata, its ids prefixed with `key`."""
    out = StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawn = out.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = REFERENCE.sub(rf"\g<1>{key}-", drawn)
    head, mark, body = drawn.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    names = f' role="img" aria-labelledby="{key}-title {key}-text"'
    reported = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-text">{escape(text)}</desc>'
    return head + names + mark + reported + body
