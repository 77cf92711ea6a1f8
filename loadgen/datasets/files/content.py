"""What every layout of a dataset file is read as: tables of vectors, known neighbours, and what a row has besides."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loadgen.datasets.dataset import Vectors
from loadgen.settings.faults import Fault

Numbers = npt.NDArray[np.int64]
CONVERT = "Convert them to float32; float16 and float64 are converted when they are read."


class DataFileError(ValueError):
    """A file cannot be used: its path, what is wrong with it, and what to do."""

    def __init__(self, path: Path, problem: str, hint: str) -> None:
        self.path, self.problem, self.hint = path, problem, hint
        super().__init__(f"{path}: {problem}. {hint}")

    def as_fault(self, setting: str) -> Fault:
        """The same as a fault of the setting with the path."""
        return Fault(setting, str(self.path), self.problem, self.hint)


class VectorTable(Protocol):
    """Vectors in a file, of which any part can be read. Thread-safe."""

    @property
    def size(self) -> int:
        """Number of vectors."""

    @property
    def dim(self) -> int:
        """Values in each."""

    def read(self, start: int, stop: int, /) -> Vectors:
        """Vectors start ... stop - 1, float32 (stop - start, dim). Raises DataFileError."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What a row has besides its vector."""

    text: str = ""
    """Empty: the file has none."""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """An open dataset file, or a folder or group of files."""

    path: Path
    layout: str
    train: VectorTable
    files: tuple[Path, ...]
    """The files with the rows, which the fingerprint covers."""
    test: VectorTable | None = None
    """Queries."""
    neighbours: Callable[[int], Numbers] | None = None
    """Row numbers of the neighbours of the first n queries, nearest first, (n, neighbours). Raises DataFileError."""
    distances: Callable[[int], npt.NDArray[np.float64]] | None = None
    """Their distances, likewise."""
    metric: str = ""
    """Stated by the file; empty if it states none."""
    usual_metric: str = ""
    """The metric of this layout by convention, if the file states none."""
    payloads: Callable[[int, int], list[Payload]] | None = None
    """Of the rows start ... stop - 1."""


def find_type_flaw(dtype: "np.dtype[Any]") -> str:
    """Why vectors of a type cannot be used; empty for floats of 16, 32 and 64 bits."""
    is_usable = dtype.kind == "f" and dtype.itemsize in (2, 4, 8)
    return "" if is_usable else f"contains vectors of {dtype.name}, and float32 is required"


def as_float32(vectors: npt.NDArray[Any]) -> Vectors:
    """Converted if need be; what float32 cannot represent becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(vectors, dtype=np.float32)


def find_vector_flaw(vectors: Vectors, first: int, metric: str, noun: str) -> tuple[str, str] | None:
    """The first vector that cannot be compared by a metric, as a problem and a hint; None if all can.

    `first` is the number of the first vector, `noun` is what they are, such as `row`.
    """
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    for number in np.flatnonzero(~np.isfinite(squares))[:1]:
        if not np.isfinite(vectors[number]).all():
            problem = f"{noun} {first + number} contains a value that is not finite in float32 (NaN or infinity)"
            return problem, f"Remove or repair the {noun}."
    if metric == "COSINE" and not squares.all():
        number = int(np.flatnonzero(squares == 0)[0])
        problem = f"{noun} {first + number} is a zero vector, which has no cosine similarity"
        return problem, f"Remove the {noun}, or use --metric L2 or IP if they fit the data."
    return None


def require_shape(path: Path, what: str, shape: Iterable[int]) -> tuple[int, int]:
    """The number of vectors and their dimension. Raises DataFileError for anything but a table with rows."""
    sizes = tuple(shape)
    if len(sizes) != 2:  # noqa: PLR2004
        shown = "x".join(map(str, sizes)) or "a single value"
        hint = "Store one vector per row."
        raise DataFileError(path, f"has {what} of shape {shown}, not a table of vectors", hint)
    if not all(sizes):
        raise DataFileError(path, f"has no {what}", "Give a file with at least one vector.")
    return sizes[0], sizes[1]
