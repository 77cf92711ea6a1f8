"""The cells of a notebook, run in order as Jupyter does: in one namespace, with `await`, on one loop."""

import ast
import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook of `examples/`."""

    name: str

    def read(self) -> dict[str, Any]:
        """All of the file."""
        whole: dict[str, Any] = json.loads((EXAMPLES / self.name).read_text())
        return whole

    def sources(self, kind: str) -> Iterable[str]:
        """The texts of its cells of a kind, in their order."""
        return ("".join(cell["source"]) for cell in self.read()["cells"] if cell["cell_type"] == kind)

    async def run(self, namespace: dict[str, Any]) -> None:
        """Execute all code."""
        for number, source in enumerate(self.sources("code")):
            tree = compile(source, f"{self.name}, code {number}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            ran = eval(tree, namespace)  # noqa: S307 - the notebook is this project's own
            if inspect.isawaitable(ran):
                await ran

    def assert_clean(self) -> None:
        """It has no outputs, and the format of Jupyter."""
        whole = self.read()
        cells = whole["cells"]
        assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
        assert len({cell["id"] for cell in cells}) == len(cells)
        assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
