"""The layout of the TEXMEX corpora, http://corpus-texmex.irisa.fr: a row is its length as int32, then its values."""

from pathlib import Path
from typing import Any

import numpy as np

from loadgen.datasets.files.content import Content, DataFileError, Numbers
from loadgen.datasets.files.flat import FlatTable
from loadgen.datasets.files.siblings import find_neighbour_file, find_queries

LONGEST = 1_000_000
"""Values in a row; more means that the file is of another kind."""
FLOATS, INTEGERS = np.dtype("<f4"), np.dtype("<i4")


def open_fvecs(path: Path) -> Content:
    """The rows of a .fvecs file, with queries and neighbours beside it, by their names. Raises DataFileError."""
    train = _open_table(path, FLOATS)
    queries, known = find_queries(path), find_neighbour_file(path, ".ivecs")
    test = None if queries is None else _open_table(queries, FLOATS)
    table = None if known is None or test is None else _open_table(known, INTEGERS)

    def neighbours(number: int) -> Numbers:
        assert table is not None  # noqa: S101 - not used without it
        if table.size < number:
            raise DataFileError(table.path, f"has neighbours of {table.size:,} queries only", "Use the matching file.")
        return table.values(0, number).astype(np.int64)

    return Content(
        path,
        "fvecs",
        train,
        (path,),
        test=test,
        neighbours=neighbours if table else None,
        usual_metric="L2",
    )


def _open_table(path: Path, dtype: "np.dtype[Any]") -> FlatTable:
    length = path.stat().st_size
    if not length:
        raise DataFileError(path, "is empty", "Give a file with at least one vector.")
    first = np.fromfile(path, "<i4", 1)
    dim = int(first[0]) if first.size else 0
    if not 1 <= dim <= LONGEST:
        problem = f"is no {path.suffix} file: its first row would have {dim:,} values"
        raise DataFileError(path, problem, "Each row is its length as int32, then its values, little-endian.")
    stride = 4 * (1 + dim)
    if length % stride:
        problem = f"is truncated or no {path.suffix} file: its {length:,} bytes are no multiple of {stride:,}, a row's"
        raise DataFileError(path, problem, "Copy or download it again.")
    return FlatTable(path, length // stride, dim, dtype, skipped=1)
