"""Parquet in the layout of VectorDBBench: a folder with train files, `test.parquet`, `neighbors.parquet`, labels.

The neighbours are named by the column `id` of the rows, which need not be in order.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from loadgen.datasets.files.content import Content, DataFileError, Numbers, Payload
from loadgen.datasets.files.parquet_table import ParquetTable, open_parquet_file, read_columns

VECTOR, ID, NEIGHBOURS = "emb", "id", "neighbors_id"
TRAIN = ("shuffle_train*.parquet", "train*.parquet")
"""The first of these patterns that any file has; the second has the same rows in another order."""
TEST, KNOWN, LABELS = "test.parquet", "neighbors.parquet", "scalar_labels.parquet"


def open_parquet(path: Path) -> Content:
    """The rows of a folder, or of one file, which then has no queries. Raises DataFileError."""
    if not path.is_dir():
        return Content(path, "parquet", ParquetTable([path], VECTOR), (path,), payloads=_Rows([path], None).payloads)
    files = next((result for pattern in TRAIN if (result := sorted(path.glob(pattern)))), [])
    if not files:
        hint = "The layout is that of VectorDBBench: train*.parquet, test.parquet, neighbors.parquet."
        raise DataFileError(path, "is a folder without train*.parquet", hint)
    test, labels, known = (path / name for name in (TEST, LABELS, KNOWN))
    rows = _Rows(files, labels if labels.exists() else None)
    has_neighbours = test.exists() and known.exists()
    if has_neighbours:
        _check_lists(known)
    return Content(
        path,
        "parquet",
        ParquetTable(files, VECTOR),
        (*files, labels) if labels.exists() else tuple(files),
        test=ParquetTable([test], VECTOR) if test.exists() else None,
        neighbours=_Known(known, test, rows).read if has_neighbours else None,
        payloads=rows.payloads,
    )


class _Rows:
    """What the rows have besides their vectors: ids and labels, read at their first use."""

    def __init__(self, files: Sequence[Path], labels: Path | None) -> None:
        self._files = files
        self._labels_file = labels

    @cached_property
    def ids(self) -> Numbers | None:
        """By row number; None if the files have no such column."""
        if any(ID not in open_parquet_file(path).schema_arrow.names for path in self._files):
            return None
        return np.concatenate([_read_ids(path, ID) for path in self._files])

    @cached_property
    def _order(self) -> Numbers:
        assert self.ids is not None  # noqa: S101 - not used without
        return np.argsort(self.ids, kind="stable")

    def find(self, ids: Numbers, path: Path) -> Numbers:
        """The row numbers of some ids. Raises DataFileError for one that no row has."""
        if self.ids is None:
            return ids
        places = np.minimum(np.searchsorted(self.ids, ids, sorter=self._order), len(self.ids) - 1)
        numbers: Numbers = self._order[places]
        for at in np.argwhere(self.ids[numbers] != ids)[:1]:
            missing = ids[tuple(at)]
            raise DataFileError(path, f"names the id {missing}, which no row has", "Use the file of these rows.")
        return numbers

    @cached_property
    def _labels(self) -> Any:
        """A table of the other columns, in the order of the rows; None without a file of labels."""
        if self._labels_file is None:
            return None
        names = open_parquet_file(self._labels_file).schema_arrow.names
        table = read_columns(self._labels_file, [ID, *(name for name in names if name != ID)])
        if self.ids is None:
            return table.drop_columns([ID])
        given = table.column(ID).to_numpy()
        order = np.argsort(given, kind="stable")
        places = np.minimum(np.searchsorted(given, self.ids, sorter=order), max(0, len(given) - 1))
        if not len(given) or (given[order[places]] != self.ids).any():
            raise DataFileError(self._labels_file, "lacks labels of some rows", "Use the file of these rows.")
        return table.drop_columns([ID]).take(order[places])

    def payloads(self, start: int, stop: int) -> list[Payload]:
        """The id as `file_id`, and the labels."""
        result: list[dict[str, Any]] = [{} for _ in range(start, stop)]
        if self.ids is not None:
            result = [{"file_id": number} for number in self.ids[start:stop].tolist()]
        if self._labels is not None:
            labels = self._labels.slice(start, stop - start).to_pylist()
            result = [one | label for one, label in zip(result, labels, strict=True)]
        return [Payload(metadata=one) for one in result]


class _Known:
    """The neighbours of the queries, in the order of the queries."""

    def __init__(self, path: Path, test: Path, rows: _Rows) -> None:
        self._path, self._test, self._rows = path, test, rows

    def read(self, number: int) -> Numbers:
        """Row numbers of the neighbours of the first queries, at least one, (number, length of the shortest list)."""
        lists = read_columns(self._path, [NEIGHBOURS]).column(NEIGHBOURS).combine_chunks()
        order = self._align(number)
        lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        if len(lists) <= int(order.max(initial=-1)):
            problem = f"has neighbours of {len(lists):,} queries only"
            raise DataFileError(self._path, problem, "Use the file of these queries.")
        shortest = int(lengths[order].min())
        picked = [(lists[int(at)].as_py() or [])[:shortest] for at in order]
        ids = np.array(picked, dtype=np.int64).reshape(number, shortest)
        return self._rows.find(ids, self._path)

    def _align(self, number: int) -> Numbers:
        """Where the first queries are in the file of neighbours."""
        files = (self._test, self._path)
        if any(ID not in open_parquet_file(path).schema_arrow.names for path in files):
            return np.arange(number)
        wanted, given = (_read_ids(path, ID) for path in files)
        order = np.argsort(given, kind="stable")
        places = np.minimum(np.searchsorted(given, wanted[:number], sorter=order), max(0, len(given) - 1))
        if number and (not len(given) or (given[order[places]] != wanted[:number]).any()):
            problem = "lacks the neighbours of some queries"
            raise DataFileError(self._path, problem, "Use the file of these queries.")
        return np.asarray(order[places], dtype=np.int64)


def _check_lists(path: Path) -> None:
    """Raise DataFileError unless the neighbours are lists of whole numbers."""
    file = open_parquet_file(path)
    kind = file.schema_arrow.field(NEIGHBOURS).type if NEIGHBOURS in file.schema_arrow.names else None
    value = getattr(kind, "value_type", None)
    if value is None or np.dtype(value.to_pandas_dtype()).kind not in "iu":
        shown = "no column" if kind is None else f"a column of {kind} as"
        hint = "Store the ids of the neighbours as lists of whole numbers, nearest first."
        raise DataFileError(path, f"has {shown} '{NEIGHBOURS}'", hint)


def _read_ids(path: Path, column: str) -> Numbers:
    result = read_columns(path, [column]).column(column).to_numpy()
    if result.dtype.kind not in "iu":
        problem = f"has ids of {result.dtype.name}"
        raise DataFileError(path, problem, "Number the rows, as VectorDBBench does: id must be an integer column.")
    return np.asarray(result, dtype=np.int64)
