"""A file that cannot be used is refused with its path, what is wrong and what to do, before anything is sent."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from loadgen.datasets import open_dataset, resolve_settings
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.dataset_support import (
    DIM,
    LAYOUTS,
    make_data,
    write_bin,
    write_folder,
    write_hdf5,
    write_lines,
    write_parquet,
    write_parts,
    write_vecs,
)

DATA = make_data()
OUTSIDE = np.where(DATA.neighbours == DATA.neighbours[2, 3], 300, DATA.neighbours)


def check(path: Path) -> None:
    """What a run does before it creates a collection."""
    settings = resolve_settings(Settings.parse({"dataset": str(path), "top_k": 1}))
    open_dataset(settings).check(print)


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_named(path: Path, name: str, content: bytes) -> Path:
    return write_bytes(path / name, content)


def cut(path: Path, name: str) -> Path:
    """A whole file without its end."""
    whole = LAYOUTS[name](path / name, DATA)
    whole.write_bytes(whole.read_bytes()[:-10])
    return whole


def save(path: Path, values: object, *, is_fortran: bool = False) -> Path:
    np.save(path, np.asfortranarray(values) if is_fortran else np.asarray(values))
    return path


def spoil(path: Path, name: str, value: float) -> Path:
    """A file with a wrong vector: row 200 has this value, or only zeros."""
    data = make_data()
    data.train[200, 3 if value else slice(None)] = value
    return LAYOUTS[name](path / name, data)


def fold(path: Path, name: str, write: Callable[[Path], object]) -> Path:
    """A folder of parquet files in which one is replaced."""
    folder = write_folder(path / "folder", DATA)
    (folder / name).unlink(missing_ok=True)
    write(folder / name)
    return folder


def beside(path: Path, *, dim: int = DIM) -> Path:
    """Rows with queries of another dimension beside them."""
    write_vecs(path / "sift_query.fvecs", DATA.test[:, :dim], "<f4")
    return write_vecs(path / "sift_base.fvecs", DATA.train, "<f4")


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda path: path / "none.npy", "does not exist (on "),
    "a suffix": (lambda path: write_bytes(path / "data.csv", b"1,2"), "has a suffix of no known layout: '.csv'"),
    "8 bits": (lambda path: write_bytes(path / "data.bvecs", b"1"), "contains 8-bit vectors, not vectors of float32"),
    "only neighbours": (lambda path: write_bytes(path / "a.ivecs", b"1"), "contains neighbours, not vectors"),
    "an empty folder": (lambda path: path, "is a folder without train*.parquet"),
    **{
        f"empty {name}": (partial(write_named, name=name, content=b""), "is empty")
        for name in ("a.npy", "a.hdf5", "a.fvecs", "a.fbin", "a.jsonl", "a.parquet")
    },
    **{
        f"text as {name}": (partial(write_named, name=name, content=b"no vectors " * 40), words)
        for name, words in {
            "a.npy": "is no .npy file (",
            "a.hdf5": "is no HDF5 file, or is truncated (",
            "a.fvecs": "is no .fvecs file: its first row would have ",
            "a.fbin": "is truncated or no .fbin file: its header says ",
            "a.jsonl": "line 1 is not JSON (",
            "a.parquet": "is no parquet file, or is truncated (",
        }.items()
    },
    "cut npy": (
        lambda path: cut(path, "data.npy"),
        "is truncated: it has 14,518 bytes, and 300 x 12 values take 14,528",
    ),
    "cut hdf5": (lambda path: cut(path, "data.hdf5"), "is no HDF5 file, or is truncated ("),
    "cut fvecs": (lambda path: cut(path, "sift_base.fvecs"), "its 15,590 bytes are no multiple of 52, a row's"),
    "cut fbin": (lambda path: cut(path, "base.10M.fbin"), "its header says 300 x 12 values, which take 14,408 bytes"),
    "cut lines": (lambda path: cut(path, "data.jsonl"), "line 301 is not JSON ("),
    "three dimensions": (lambda path: save(path / "a.npy", np.ones((2, 3, 4), "f4")), "has vectors of shape 2x3x4"),
    "one dimension": (lambda path: save(path / "a.npy", np.ones(4, "f4")), "has vectors of shape 4, not a table"),
    "no rows": (lambda path: save(path / "a.npy", np.ones((0, 4), "f4")), "has no vectors"),
    "columns": (lambda path: save(path / "a.npy", DATA.train, is_fortran=True), "is stored by columns (Fortran order)"),
    "integers": (lambda path: save(path / "a.npy", np.ones((4, 4), "i1")), "contains vectors of int8, and float32 is"),
    "hdf5 integers": (
        lambda path: write_hdf5(path / "a.hdf5", train=np.ones((4, 4), "u1")),
        "contains vectors of uint8, and float32 is required",
    ),
    "parquet integers": (
        lambda path: write_parquet(path / "a.parquet", np.ones((4, 4), "i8")),
        "contains vectors of int64, and float32 is required",
    ),
    "no lists": (lambda path: write_parquet(path / "a.parquet", ["a", "b"]), "has a column of string, not of lists"),
    "no train": (lambda path: write_hdf5(path / "a.hdf5", test=DATA.test), "has no dataset 'train', only test"),
    "a distance": (
        lambda path: write_hdf5(path / "a.hdf5", "jaccard", train=DATA.train),
        "has the distance 'jaccard', for which float vectors have no index in Milvus",
    ),
    "dims": (
        lambda path: write_hdf5(path / "a.hdf5", train=DATA.train, test=DATA.test[:, :5]),
        "has queries of dimension 5, and rows of 12",
    ),
    "dims of siblings": (lambda path: beside(path, dim=5), "has queries of dimension 5, and rows of 12"),
    "neighbours": (
        lambda path: write_parts(path / "a.hdf5", DATA._replace(neighbours=OUTSIDE)),
        "lists row 300 as a neighbour of query ",
    ),
    "negative neighbours": (
        lambda path: write_parts(path / "a.hdf5", DATA._replace(neighbours=-1 - DATA.neighbours)),
        " as a neighbour of query 0, and there are 300 rows, from 0",
    ),
    "neighbours of few queries": (
        lambda path: write_parts(path / "a.hdf5", DATA._replace(neighbours=DATA.neighbours[:3])),
        "has neighbors of int64, 3x15, for 20 queries",
    ),
    "ids without a row": (
        lambda path: fold(path, "neighbors.parquet", lambda file: write_parquet(file, OUTSIDE, column="neighbors_id")),
        "which no row has",
    ),
    "queries without neighbours": (
        lambda path: fold(
            path,
            "neighbors.parquet",
            lambda file: write_parquet(file, DATA.neighbours[:5], range(5), "neighbors_id"),
        ),
        "lacks the neighbours of some queries",
    ),
    "neighbours that are no numbers": (
        lambda path: fold(
            path, "neighbors.parquet", lambda file: write_parquet(file, [["a"]] * 20, column="neighbors_id")
        ),
        "has a column of list<",
    ),
    "another column": (
        lambda path: write_parquet(path / "a.parquet", DATA.train, column="vector"),
        "has no column 'emb', only vector",
    ),
    "lengths": (
        lambda path: write_parquet(path / "a.parquet", [[1.0, 2.0]] * 100 + [[1.0]]),
        "has a vector of 1 values in row 100, and 2 values in the first",
    ),
    "null": (
        lambda path: write_parquet(path / "a.parquet", [[1.0, 2.0], None]),
        "has no vector in row 1, and 2 values in the first",
    ),
    "lengths of lines": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2]}, "", {"vector": [1]}]),
        "line 3 has a vector of 1 values, and the first has 2",
    ),
    "no vector": (lambda path: write_lines(path / "a.jsonl", [{"text": "a"}]), "line 1 has no vector, only text"),
    "no numbers": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": ["1", "2"]}]),
        "line 1 has no list of numbers as vector",
    ),
    "nested": (
        lambda path: write_lines(path / "a.jsonl", [{"emb": [[1], [2, 3]]}]),
        "line 1 has no list of numbers as emb",
    ),
    "no object": (lambda path: write_lines(path / "a.jsonl", ["[1, 2]"]), "line 1 is no object"),
    "a line": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2]}, "{'vector': [1, 2]}"]),
        "line 2 is not JSON (",
    ),
    "a long text": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2], "text": "ä" * 33_000}]),
        "line 1 has 66,000 bytes of text, and Milvus takes 65,535",
    ),
    "long metadata": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2], "metadata": {"a": "x" * 33_000}}]),
        "line 1 has 33,009 bytes of metadata, and Milvus takes 32,368",
    ),
    "a number as text": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2], "text": 5}]),
        "line 1 has a text that is no string",
    ),
    "a reserved name": (
        lambda path: write_lines(path / "a.jsonl", [{"vector": [1, 2], "metadata": {"doc_id": 5}}]),
        "line 1 has metadata named doc_id, which LlamaIndex or this tool sets",
    ),
    **{
        f"{value} in {name}": (partial(spoil, name=name, value=value), words)
        for name in LAYOUTS
        for value, words in {
            float("nan"): "row 200 contains a value that is not finite in float32 (NaN or infinity)",
            float("inf"): "row 200 contains a value that is not finite in float32 (NaN or infinity)",
        }.items()
    },
    **{
        f"zero in {name}": (partial(spoil, name=name, value=0), "row 200 is a zero vector, which has no cosine")
        for name in ("folder", "data.npy", "base.10M.fbin", "data.jsonl")
    },
    "too large for float32": (
        lambda path: save(path / "a.npy", np.full((3, 4), 1e300)),
        "row 0 contains a value that is not finite in float32",
    ),
    "a query of zeros": (
        lambda path: write_hdf5(path / "a.hdf5", "angular", train=DATA.train, test=np.zeros((2, DIM), "f4")),
        "query 0 is a zero vector, which has no cosine similarity",
    ),
    "two files of queries": (
        lambda path: (write_vecs(path / "sift_query2.fvecs", DATA.test, "<f4"), beside(path))[1],
        "has several files of queries beside it: sift_query.fvecs, sift_query2.fvecs",
    ),
    "a length within": (
        lambda path: write_bytes(
            path / "a.fvecs",
            b"".join(np.array([length], "<i4").tobytes() + bytes(8) for length in (2, 2, 3)),
        ),
        "has a row of length 3 (number 2), and the first has 2",
    ),
    "half a header": (lambda path: write_bytes(path / "a.fbin", b"123"), "is truncated: it has 3 bytes"),
    "an ibin of few": (
        lambda path: (
            write_bin(path / "query.fbin", DATA.test.astype("<f4")),
            write_bin(path / "gt.ibin", DATA.neighbours[:4].astype("<i4")),
            write_bin(path / "base.fbin", DATA.train.astype("<f4")),
        )[2],
        "has neighbours of 4 queries, and there are 20",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_error_with_path_problem_and_remedy(case: str, tmp_path: Path) -> None:
    write, words = BAD[case]
    path = write(tmp_path)
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        check(path)
    (fault,) = caught.value.faults
    assert fault.setting == "dataset"
    assert str(tmp_path) in fault.value
    assert fault.hint.endswith(".")


def test_a_zero_vector_is_no_fault_of_other_metrics(tmp_path: Path) -> None:
    check(spoil(tmp_path, "data.hdf5", 0))


@pytest.mark.parametrize(("library", "name"), [("h5py", "data.hdf5"), ("pyarrow.parquet", "folder")])
def test_without_its_library_a_file_is_refused_with_the_name_of_the_extra(
    library: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = LAYOUTS[name](tmp_path / name, DATA)
    monkeypatch.setitem(sys.modules, library, None)
    words = f"cannot be read without {library.partition('.')[0]} ("
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        check(path)
    assert caught.value.faults[0].hint == "Install it: pip install 'milvus-loadgen[datasets]'."


def test_an_hdf5_group_is_no_table(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_group("train")
    with pytest.raises(SettingsError, match="has no dataset 'train', only train"):
        check(tmp_path / "a.hdf5")
