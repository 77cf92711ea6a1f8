"""A table that keeps every figure on any terminal: if too wide, it is printed as two."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Rows = Sequence[Sequence[str]]
LONGEST_NAME = 60
"""Maximum characters of a name in a table."""
WIDEST = 10_000


class ColumnRole(Enum):
    """The role of a column."""

    KEY = "key"
    """Identifies the row; in both tables."""
    FIGURE = "figure"
    RESULT = "result"
    """Derived from the figures; in the second table, which omits rows without results."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, with its head and a shorter one for narrow terminals."""

    name: str
    role: ColumnRole = ColumnRole.FIGURE
    short: str = ""
    is_word: bool = False


def print_fitting(out: "Console", titles: tuple[str, str], columns: Sequence[Column], groups: Sequence[Rows]) -> None:
    """Print the groups of rows, a line between two groups; as two narrow tables where one is too wide.

    `titles` are those of the whole table and of the second one, with the results.
    """
    title, title_of_results = titles
    places = range(len(columns))
    whole = _make(title, columns, groups, places)
    if out.measure(whole, options=out.options.update(max_width=WIDEST)).maximum <= out.width:
        out.print(whole)
        return
    figures = [place for place in places if columns[place].role is not ColumnRole.RESULT]
    results = [place for place in places if columns[place].role is not ColumnRole.FIGURE]
    judged = [place for place in places if columns[place].role is ColumnRole.RESULT]
    out.print(_make(title, columns, groups, figures, narrow=True))
    result = [[row for row in group if any(row[place] for place in judged)] for group in groups]
    if any(result):
        out.print(_make(title_of_results, columns, [group for group in result if group], results, narrow=True))


def _make(
    title: str, columns: Sequence[Column], groups: Sequence[Rows], places: Sequence[int], *, narrow: bool = False
) -> "Table":
    from rich import box  # imported only when a table is printed
    from rich.table import Table

    table = Table(title=title)
    if narrow:
        table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in (columns[place] for place in places):
        head = column.short if narrow and column.short else column.name
        table.add_column(
            head, justify="left" if column.is_word else "right", no_wrap=not column.is_word, overflow="fold"
        )
    for group in groups:
        for row in group:
            table.add_row(*(one_line(row[place], LONGEST_NAME) for place in places))
        table.add_section()
    return table
