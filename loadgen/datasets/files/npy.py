"""NumPy's .npy: a table of vectors, (rows, dim)."""

from pathlib import Path

import numpy as np

from loadgen.datasets.files.content import CONVERT, Content, DataFileError, find_type_flaw, require_shape
from loadgen.datasets.files.flat import FlatTable

WRITE = "Write it with numpy.save."


def open_npy(path: Path) -> Content:
    """The rows of a .npy file; it has no queries. Raises DataFileError."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, dtype = read(file)
            offset = file.tell()
    except (ValueError, EOFError, SyntaxError) as error:
        raise DataFileError(path, f"is no .npy file ({error})", WRITE) from error
    size, dim = require_shape(path, "vectors", shape)
    if flaw := find_type_flaw(dtype):
        raise DataFileError(path, flaw, CONVERT)
    if is_fortran and min(size, dim) > 1:
        problem = "is stored by columns (Fortran order), so rows cannot be read in parts"
        raise DataFileError(path, problem, "Save numpy.ascontiguousarray(vectors).")
    length, wanted = path.stat().st_size, offset + size * dim * dtype.itemsize
    if length < wanted:
        problem = f"is truncated: it has {length:,} bytes, and {size:,} x {dim:,} values take {wanted:,}"
        raise DataFileError(path, problem, "Copy or download it again.")
    return Content(path, "npy", FlatTable(path, size, dim, dtype, offset), (path,))
