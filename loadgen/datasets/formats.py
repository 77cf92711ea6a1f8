"""The kinds of datasets, and which of them the settings ask for."""

import socket
from collections.abc import Callable
from pathlib import Path

from loadgen.datasets.dataset import Dataset, Vectors
from loadgen.datasets.files import Content, DataFileError, FileDataset
from loadgen.datasets.files.big_ann import open_fbin
from loadgen.datasets.files.hdf5 import open_hdf5
from loadgen.datasets.files.json_lines import open_json_lines
from loadgen.datasets.files.npy import open_npy
from loadgen.datasets.files.parquet import open_parquet
from loadgen.datasets.files.texmex import open_fvecs
from loadgen.datasets.full_text import reword
from loadgen.datasets.own_queries import WithQueries
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

FORMATS: dict[str, Callable[[Path], Content]] = {
    ".hdf5": open_hdf5,
    ".h5": open_hdf5,
    ".parquet": open_parquet,
    ".npy": open_npy,
    ".fvecs": open_fvecs,
    ".fbin": open_fbin,
    ".jsonl": open_json_lines,
    ".ndjson": open_json_lines,
}
"""By the suffix of the file; a folder is one of parquet files."""
REFUSED = {
    ".bvecs": "8-bit vectors",
    ".u8bin": "8-bit vectors",
    ".i8bin": "8-bit vectors",
    ".ivecs": "neighbours",
    ".ibin": "neighbours",
}
"""Related files that contain something other than float vectors."""


def open_dataset(settings: Settings) -> Dataset:
    """The dataset that the settings ask for, as `resolve_settings` returns them. Raises SettingsError."""
    dataset = SyntheticDataset(settings) if settings.dataset == SYNTHETIC else _open_file(settings)
    return reword(with_query_file(dataset, settings), settings)


def with_query_file(dataset: Dataset, settings: Settings) -> Dataset:
    """The dataset with the queries of `query_file`, if one is given. Raises SettingsError."""
    if not settings.query_file:
        return dataset
    try:
        vectors = read_queries(open_content(settings.query_file), settings)
    except DataFileError as error:
        raise SettingsError([error.as_fault("query_file")]) from error
    return WithQueries(dataset, vectors)


def _open_file(settings: Settings) -> FileDataset:
    try:
        content = open_content(settings.dataset)
        _require_rows(settings, content)
    except DataFileError as error:
        raise SettingsError([error.as_fault("dataset")]) from error
    return FileDataset(settings, content)


def _require_rows(settings: Settings, content: Content) -> None:
    """Raise DataFileError unless a file has the required rows: another machine may have another file."""
    result = content.train
    if result.dim == settings.dim and result.size >= settings.rows:
        return
    shown = f"{result.size:,} rows of dimension {result.dim}, and {settings.rows:,} of {settings.dim}"
    hint = "Have the same file at this path on every machine."
    raise DataFileError(content.path, f"has {shown} are required (on {socket.gethostname()})", hint)


def open_content(text: str) -> Content:
    """The file or folder at a path. Raises DataFileError."""
    path = Path(text)
    try:
        if not path.exists():
            hint = "Give a path that exists on every machine of the run."
            if text.startswith("~"):
                hint = "Write the folder in full: ~ is replaced by the shell, and only at the beginning of a word."
            raise DataFileError(path, f"does not exist (on {socket.gethostname()})", hint)
        if path.is_dir():
            return open_parquet(path)
        if not path.stat().st_size:
            raise DataFileError(path, "is empty", "Give a file with at least one vector.")
        return _find_format(path)(path)
    except OSError as error:
        raise DataFileError(path, f"cannot be read ({error.strerror or error})", "Check the path.") from error


def _find_format(path: Path) -> Callable[[Path], Content]:
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        hint = "Give the file with float32 vectors; files beside it are recognised by their names."
        raise DataFileError(path, f"contains {REFUSED[suffix]}, not vectors of float32", hint)
    if suffix not in FORMATS:
        hint = f"Known are {', '.join(FORMATS)} and folders of parquet files."
        raise DataFileError(path, f"has a suffix of no known layout: '{suffix}'", hint)
    return FORMATS[suffix]


def read_queries(content: Content, settings: Settings) -> Vectors:
    """The first vectors of a file of queries: of its queries if it has both queries and rows. Raises DataFileError."""
    table = content.test or content.train
    if table.dim != settings.dim:
        problem = f"has queries of dimension {table.dim}, and the collection has {settings.dim}"
        raise DataFileError(content.path, problem, "Use the queries that belong to the data.")
    return table.read(0, min(table.size, settings.queries))
