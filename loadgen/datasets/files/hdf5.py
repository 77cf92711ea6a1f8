"""HDF5 in the layout of ann-benchmarks: `train`, `test`, `neighbors`, `distances`, and the attribute `distance`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import (
    CONVERT,
    Content,
    DataFileError,
    Numbers,
    as_float32,
    find_type_flaw,
    require_shape,
)
from loadgen.datasets.files.libraries import import_library

METRICS = {
    "angular": "COSINE",
    "cosine": "COSINE",
    "euclidean": "L2",
    "l2": "L2",
    "dot": "IP",
    "ip": "IP",
    "inner_product": "IP",
    "innerproduct": "IP",
}
LAYOUT = "The layout is that of ann-benchmarks: train, test, neighbors, distances."


class Hdf5Table:
    """A dataset of an HDF5 file. h5py has a lock of its own."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        self._path = path
        self._values = values
        self.size, self.dim = require_shape(path, f"vectors in '{name}'", values.shape)
        if flaw := find_type_flaw(values.dtype):
            raise DataFileError(path, flaw, CONVERT)

    def read(self, start: int, stop: int) -> Vectors:
        """Vectors start ... stop - 1."""
        return as_float32(_read(self._path, self._values, start, stop))


def open_hdf5(path: Path) -> Content:
    """The parts of an HDF5 file; only `train` is required. Raises DataFileError."""
    h5py = import_library("h5py", path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        problem = "is no HDF5 file, or is truncated"
        raise DataFileError(path, f"{problem} ({error})", "Copy or download it again.") from error
    parts = {name: file[name] for name in ("train", "test", "neighbors", "distances") if _is_table(h5py, file, name)}
    if "train" not in parts:
        raise DataFileError(path, f"has no dataset 'train', only {', '.join(file) or 'nothing'}", LAYOUT)
    test = Hdf5Table(path, "test", parts["test"]) if "test" in parts else None
    known, scores = parts.get("neighbors"), parts.get("distances")
    if test is not None and known is not None:
        _check_neighbours(path, known, test.size)

    def neighbours(number: int) -> Numbers:
        return np.asarray(_read(path, known, 0, number), dtype=np.int64)

    def distances(number: int) -> npt.NDArray[np.float64]:
        return np.asarray(_read(path, scores, 0, number), dtype=np.float64)

    return Content(
        path,
        "hdf5",
        Hdf5Table(path, "train", parts["train"]),
        (path,),
        test=test,
        neighbours=neighbours if test and known is not None else None,
        distances=distances if known is not None and scores is not None and scores.shape == known.shape else None,
        metric=_find_metric(path, file),
    )


def _is_table(h5py: Any, file: Any, name: str) -> bool:
    return isinstance(file.get(name), h5py.Dataset)


def _check_neighbours(path: Path, known: Any, queries: int) -> None:
    if known.ndim != 2 or known.dtype.kind not in "iu" or known.shape[0] < queries:  # noqa: PLR2004
        shown = "x".join(map(str, known.shape))
        problem = f"has neighbors of {known.dtype.name}, {shown}, for {queries:,} queries"
        raise DataFileError(path, problem, "Store row numbers, one list of equal length for each query.")


def _find_metric(path: Path, file: Any) -> str:
    given = file.attrs.get("distance", "")
    name = given.decode(errors="replace") if isinstance(given, bytes) else str(given)
    if name and name.lower() not in METRICS:
        problem = f"has the distance '{name}', for which float vectors have no index in Milvus"
        raise DataFileError(path, problem, f"Use a file with one of {', '.join(METRICS)}.")
    return METRICS.get(name.lower(), "")


def _read(path: Path, values: Any, start: int, stop: int) -> npt.NDArray[Any]:
    try:
        return np.asarray(values[start:stop])
    except OSError as error:
        raise DataFileError(path, f"is damaged ({error})", "Copy or download it again.") from error
