"""Small dataset files of every layout, written by h5py, pyarrow and numpy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from loadgen.datasets import find_neighbours

Table = npt.NDArray[Any]
ROWS, DIM, QUERIES, NEIGHBOURS = 300, 12, 20, 15


class Data(NamedTuple):
    """Rows (300, 12), queries (20, 12), and the exact neighbours of these, nearest first, (20, 15)."""

    train: Table
    test: Table
    neighbours: Table
    distances: Table


class InMemory:
    """Rows for `find_neighbours`."""

    def __init__(self, vectors: Table) -> None:
        self._vectors = vectors
        self.size, self.dim = vectors.shape

    def vectors(self, start: int, stop: int) -> Table:
        return self._vectors[start:stop]


def make_data(metric: str = "L2", seed: int = 3) -> Data:
    generator = np.random.default_rng(seed)
    train = generator.standard_normal((ROWS, DIM)).astype(np.float32)
    test = generator.standard_normal((QUERIES, DIM)).astype(np.float32)
    if metric == "COSINE":
        unit = [one / np.linalg.norm(one, axis=1)[:, None] for one in (train, test)]
        far = 1 - unit[1] @ unit[0].T
    elif metric == "IP":
        far = -(test @ train.T)
    else:
        far = np.linalg.norm(test[:, None, :] - train[None, :, :], axis=2)
    nearest = np.argsort(far, axis=1)[:, :NEIGHBOURS]
    return Data(train, test, nearest, np.take_along_axis(far, nearest, axis=1))


def exact(data: Data, metric: str, top_k: int) -> list[set[int]]:
    """The neighbours by brute force, of each query."""
    neighbours = find_neighbours(InMemory(data.train), data.test, metric, top_k)
    return [set(neighbours.rows_of(query).tolist()) for query in range(len(data.test))]


def write_hdf5(path: Path, distance: str = "euclidean", **parts: Table) -> Path:
    with h5py.File(path, "w") as file:
        if distance:
            file.attrs["distance"] = distance
        for name, values in parts.items():
            file[name] = values
    return path


def write_parts(path: Path, data: Data, distance: str = "euclidean") -> Path:
    parts = {"train": data.train, "test": data.test, "neighbors": data.neighbours, "distances": data.distances}
    return write_hdf5(path, distance, **parts)


def write_parquet(path: Path, vectors: Any, ids: Any = None, column: str = "emb", group: int = 64) -> Path:
    columns = {} if ids is None else {"id": pa.array(ids)}
    pq.write_table(pa.table(columns | {column: pa.array(list(vectors))}), path, row_group_size=group)
    return path


def write_folder(path: Path, data: Data) -> Path:
    """In two files, with ids that are neither in order nor from 0, and labels and neighbours in yet another order."""
    path.mkdir()
    ids = np.random.default_rng(1).permutation(ROWS) + 1_000
    write_parquet(path / "train-00-of-02.parquet", data.train[:100], ids[:100])
    write_parquet(path / "train-01-of-02.parquet", data.train[100:], ids[100:])
    write_parquet(path / "test.parquet", data.test, np.arange(QUERIES))
    turned = np.arange(QUERIES)[::-1]
    write_parquet(path / "neighbors.parquet", ids[data.neighbours][turned], turned, "neighbors_id")
    labels = {"id": np.sort(ids), "labels": [f"label_{number}" for number in np.sort(ids)]}
    pq.write_table(pa.table(labels), path / "scalar_labels.parquet")
    return path


def write_vecs(path: Path, values: Table, kind: str) -> Path:
    """.fvecs and .ivecs: each row after its length."""
    lengths = np.full((len(values), 1), values.shape[1], dtype="<i4")
    path.write_bytes(np.hstack([lengths.view(kind), values.astype(kind)]).tobytes())
    return path


def write_bin(path: Path, *parts: Table) -> Path:
    """.fbin and .ibin: a header, then all values of each part."""
    path.write_bytes(np.array(parts[0].shape, dtype="<u4").tobytes() + b"".join(part.tobytes() for part in parts))
    return path


def write_fvecs(path: Path, data: Data) -> Path:
    write_vecs(path.parent / "sift_query.fvecs", data.test, "<f4")
    write_vecs(path.parent / "sift_groundtruth.ivecs", data.neighbours, "<i4")
    return write_vecs(path, data.train, "<f4")


def write_fbin(path: Path, data: Data) -> Path:
    write_bin(path.parent / "query.public.fbin", data.test.astype("<f4"))
    write_bin(path.parent / "groundtruth.ibin", data.neighbours.astype("<i4"), data.distances.astype("<f4"))
    return write_bin(path, data.train.astype("<f4"))


def write_lines(path: Path, lines: Any) -> Path:
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines) + "\n")
    return path


def write_json(path: Path, data: Data) -> Path:
    objects = [
        {"id": f"doc {number}", "text": f"text {number}", "vector": vector.tolist(), "metadata": {"year": 2000}}
        for number, vector in enumerate(data.train)
    ]
    return write_lines(path, [*objects[:5], "", *objects[5:]])


def write_npy(path: Path, data: Data) -> Path:
    np.save(path, data.train)
    return path


LAYOUTS: dict[str, Callable[[Path, Data], Path]] = {
    "data.hdf5": write_parts,
    "folder": write_folder,
    "data.npy": write_npy,
    "sift_base.fvecs": write_fvecs,
    "base.10M.fbin": write_fbin,
    "data.jsonl": write_json,
}
"""By the name of the file."""
WITH_NEIGHBOURS = ("data.hdf5", "folder", "sift_base.fvecs", "base.10M.fbin")
"""The ones with queries and neighbours."""
