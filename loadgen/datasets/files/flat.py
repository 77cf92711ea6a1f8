"""Tables that are stored in one piece: a header, then rows of equal length."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import DataFileError, as_float32

CHANGED = "Wait until the file is complete."


@dataclass(frozen=True, slots=True)
class FlatTable:
    """`size` rows of `dim` values from an offset on, each after `skipped` further values that repeat the dimension.

    Read, not memory-mapped: mapped pages would count as memory of the process.
    """

    path: Path
    size: int
    dim: int
    dtype: "np.dtype[Any]"
    offset: int = 0
    """Bytes before the first row."""
    skipped: int = 0

    def read(self, start: int, stop: int) -> Vectors:
        """Vectors start ... stop - 1."""
        return as_float32(self.values(start, stop))

    def values(self, start: int, stop: int) -> npt.NDArray[Any]:
        """The values as they are stored, (stop - start, dim). Raises DataFileError."""
        width = self.dim + self.skipped
        at = self.offset + start * width * self.dtype.itemsize
        try:
            result = np.fromfile(self.path, self.dtype, (stop - start) * width, offset=at)
        except OSError as error:
            raise DataFileError(self.path, f"cannot be read ({error.strerror or error})", CHANGED) from error
        if result.size < (stop - start) * width:
            raise DataFileError(self.path, "has become shorter while it was read", CHANGED)
        table = result.reshape(-1, width)
        if self.skipped:
            self._check_lengths(table, start)
        return table[:, self.skipped :]

    def _check_lengths(self, table: npt.NDArray[Any], start: int) -> None:
        lengths = table[:, 0].view("<i4")
        for number in np.flatnonzero(lengths != self.dim)[:1]:
            problem = f"has a row of length {lengths[number]} (number {start + number}), and the first has {self.dim}"
            raise DataFileError(self.path, problem, "Write every row with the same length.")
