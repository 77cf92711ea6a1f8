"""Vectors in a column of parquet files, read in order; going back starts the row group again."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import CONVERT, DataFileError, as_float32, find_type_flaw
from loadgen.datasets.files.libraries import import_library

ROWS_IN_BATCH = 1_000
BUFFER = 1 << 20
"""Bytes that are read ahead. Without it pyarrow reads a column of a whole row group, which may be all of the file."""
AGAIN = "Copy or download it again."


class RowGroup(NamedTuple):
    """A row group: its file, its number in that, and the rows of all files that it has."""

    path: Path
    number: int
    start: int
    stop: int


class ParquetTable:
    """The vectors of a list column of some files, one after another. A float column of any width is converted."""

    def __init__(self, files: Sequence[Path], column: str) -> None:
        self._column = column
        self._lock = threading.Lock()
        self._groups = [*_find_groups(files, column)]
        self.size = self._groups[-1].stop if self._groups else 0
        if not self.size:
            raise DataFileError(files[0], "has no rows", "Give a file with at least one vector.")
        self._group = self._groups[0]
        self._batches: Iterator[Any] = iter(())
        self._start, self._block = 0, np.empty((0, 0), dtype=np.float32)
        self.dim = 0
        self.dim = self.read(0, 1).shape[1]

    def read(self, start: int, stop: int) -> Vectors:
        """Vectors start ... stop - 1."""
        pieces = []
        with self._lock:
            at = start
            while at < stop:
                self._go_to(at)
                piece = self._block[at - self._start : stop - self._start]
                pieces.append(piece)
                at += len(piece)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty((0, self.dim), dtype=np.float32)

    def _go_to(self, row: int) -> None:
        """Have the block that contains a row."""
        if row < self._start or row >= self._group.stop or not len(self._block):
            self._group = next(group for group in self._groups if row < group.stop)
            self._start, self._block = self._group.start, np.empty((0, self.dim), dtype=np.float32)
            self._batches = _read_group(self._group, self._column)
        while row >= self._start + len(self._block):
            self._start += len(self._block)
            try:
                batch = next(self._batches)
            except (OSError, ValueError, StopIteration) as error:  # those of pyarrow are derived from the first two
                raise DataFileError(self._group.path, f"is damaged ({error})", AGAIN) from error
            self._block = self._as_vectors(batch.column(0))

    def _as_vectors(self, lists: Any) -> Vectors:
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        dim = self.dim or (int(lengths[0]) if len(lengths) and lengths[0] == lengths[0] else 0)
        for number in np.flatnonzero(lengths != dim)[:1]:
            result = "no vector" if lengths[number] != lengths[number] else f"a vector of {int(lengths[number])} values"
            problem = f"has {result} in row {self._start + number}, and {dim} values in the first"
            raise DataFileError(self._group.path, problem, "Write every row with a vector of the same length.")
        if not dim:
            raise DataFileError(self._group.path, "has an empty vector in its first row", "Write vectors with values.")
        values: npt.NDArray[Any] = lists.flatten().to_numpy(zero_copy_only=False)
        return as_float32(values.reshape(-1, dim))


def open_parquet_file(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile` that reads in small parts. Raises DataFileError."""
    parquet = import_library("pyarrow.parquet", path)
    try:
        return parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except (OSError, ValueError) as error:  # those of pyarrow are derived from these
        raise DataFileError(path, f"is no parquet file, or is truncated ({error})", AGAIN) from error


def read_columns(path: Path, columns: Sequence[str]) -> Any:
    """Some small columns as a table. Raises DataFileError if one is missing."""
    file = open_parquet_file(path)
    require_columns(path, file, columns)
    try:
        return file.read(columns=list(columns))
    except (OSError, ValueError) as error:
        raise DataFileError(path, f"is damaged ({error})", AGAIN) from error


def require_columns(path: Path, file: Any, columns: Sequence[str]) -> None:
    """Raise DataFileError unless a file has these columns."""
    names = file.schema_arrow.names
    for name in columns:
        if name not in names:
            problem = f"has no column '{name}', only {', '.join(names) or 'none'}"
            raise DataFileError(path, problem, "The layout is that of VectorDBBench: id, emb; id, neighbors_id.")


def _find_groups(files: Sequence[Path], column: str) -> Iterator[RowGroup]:
    start = 0
    for path in files:
        file = open_parquet_file(path)
        require_columns(path, file, [column])
        _check_type(path, file.schema_arrow.field(column).type)
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if rows:
                yield RowGroup(path, number, start, start + rows)
            start += rows
        file.close()


def _check_type(path: Path, kind: Any) -> None:
    types = import_library("pyarrow", path).types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        raise DataFileError(path, f"has a column of {kind}, not of lists of floats", "Store each vector as a list.")
    if flaw := find_type_flaw(np.dtype(kind.value_type.to_pandas_dtype())):
        raise DataFileError(path, flaw, CONVERT)


def _read_group(group: RowGroup, column: str) -> Iterator[Any]:
    file = open_parquet_file(group.path)
    try:
        yield from file.iter_batches(ROWS_IN_BATCH, row_groups=[group.number], columns=[column], use_threads=False)
    finally:
        file.close()
