"""Tables of what benchmarks have measured: a file each in docs/records/benchmarks, from which docs show them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "records" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Kept:
    """One table. Cells are texts, as docs show them."""

    command: str
    """What has measured it."""
    measured: str
    """The day, as YYYY-MM-DD."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_markdown(self) -> str:
        """The table; columns but the first are aligned to the right where their cells begin with a figure."""
        right = [all(row[place][:1] in "+-.0123456789" for row in self.rows) for place in range(len(self.head))]
        lines = [self.head, tuple("---:" if is_right else "---" for is_right in right), *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def keep(name: str, command: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table for the docs; `python -m tests.benchmarks.examples` shows it there."""
    kept = Kept(command, f"{datetime.now(UTC):%Y-%m-%d}", tuple(head), tuple(map(tuple, rows)))
    (FOLDER / f"{name}.json").write_text(json.dumps(asdict(kept), indent=1) + "\n")


def read_kept(name: str) -> Kept:
    """The table of that name. Raises OSError, TypeError."""
    values = json.loads((FOLDER / f"{name}.json").read_text())
    return Kept(**values | {"head": tuple(values["head"]), "rows": tuple(map(tuple, values["rows"]))})
