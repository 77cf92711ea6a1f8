"""The layout of https://big-ann-benchmarks.com: the number of rows and the dimension as uint32, then all values.

A file of neighbours has the numbers of all, and then the distances of all.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from loadgen.datasets.files.content import Content, DataFileError, Numbers, require_shape
from loadgen.datasets.files.flat import FlatTable
from loadgen.datasets.files.siblings import find_neighbour_file, find_queries

HEADER = 8
"""Bytes."""
FLOATS, INTEGERS = np.dtype("<f4"), np.dtype("<i4")


def open_fbin(path: Path) -> Content:
    """The rows of a .fbin file, with queries and neighbours beside it, by their names. Raises DataFileError."""
    size, dim = _read_header(path, (4,))
    train = FlatTable(path, size, dim, FLOATS, HEADER)
    queries, known = find_queries(path), find_neighbour_file(path, ".ibin")
    test = None if queries is None else FlatTable(queries, *_read_header(queries, (4,)), FLOATS, HEADER)
    if known is None or test is None:
        return Content(path, "fbin", train, (path,), test=test)
    result, top = _read_header(known, (4, 8))
    if result < test.size:
        problem = f"has neighbours of {result:,} queries, and there are {test.size:,}"
        raise DataFileError(known, problem, "Use the file that belongs to the queries.")
    numbers = FlatTable(known, result, top, INTEGERS, HEADER)
    scores = FlatTable(known, result, top, FLOATS, HEADER + 4 * result * top)

    def neighbours(number: int) -> Numbers:
        return numbers.values(0, number).astype(np.int64)

    def distances(number: int) -> npt.NDArray[np.float64]:
        return scores.values(0, number).astype(np.float64)

    has_distances = known.stat().st_size == HEADER + 8 * result * top
    return Content(
        path, "fbin", train, (path,), test=test, neighbours=neighbours, distances=distances if has_distances else None
    )


def _read_header(path: Path, bytes_per_value: tuple[int, ...]) -> tuple[int, int]:
    """Rows and values in each; the length of the file must agree with them."""
    length = path.stat().st_size
    if length < HEADER:
        problem = f"is {'truncated' if length else 'empty'}: it has {length} bytes, and the header alone has {HEADER}"
        raise DataFileError(path, problem, "Copy or download it again.")
    header = np.fromfile(path, "<u4", 2)
    size, dim = require_shape(path, "vectors", (int(value) for value in header))
    wanted = [HEADER + size * dim * each for each in bytes_per_value]
    if length not in wanted:
        problem = (
            f"is truncated or no {path.suffix} file: its header says {size:,} x {dim:,} values, which take "
            f"{wanted[0]:,} bytes, and it has {length:,}"
        )
        raise DataFileError(path, problem, "Copy or download it again, or write the header for the rows that it has.")
    return size, dim
