"""New vectors near those of a file: queries where it has none, and rows for inserts."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import Payload, VectorTable
from loadgen.datasets.insert_stream import Block, Origin
from loadgen.datasets.metadata import Metadata
from loadgen.datasets.rows import Row

QUERIES, INSERTS = 0, 1
"""Streams of random numbers."""
NOISE = 0.1
"""Distance of a new vector from its row, as a fraction of the row's length: near the row, but never on it."""

MakeRow = Callable[[int, list[float], Origin, Payload], Row]


class FileRows(Protocol):
    """The dataset of the file."""

    size: int
    metadata: Metadata


def perturb(vectors: Vectors, generator: np.random.Generator) -> Vectors:
    """Vectors at that distance from these, in random directions."""
    noise = generator.standard_normal(vectors.shape, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1)[:, None]
    noise *= np.float32(NOISE) * lengths / np.linalg.norm(noise, axis=1)[:, None]
    return vectors + noise


def make_queries(table: VectorTable, size: int, number: int, seed: int) -> Vectors:
    """Vectors near random ones of the first `size` rows, float32 (number, dim); different rows if there are enough."""
    generator = np.random.default_rng([seed, QUERIES])
    chosen = generator.choice(size, size=number, replace=number > size)
    order = np.argsort(chosen, kind="stable")  # a file is read forward
    result = np.empty((number, table.dim), dtype=np.float32)
    for place in order:
        result[place] = table.read(int(chosen[place]), int(chosen[place]) + 1)[0]
    return perturb(result, generator)


class PerturbedRows:
    """Rows near those of a file, for an `InsertStream`: with the text and metadata of the row that they are near."""

    def __init__(
        self, rows: FileRows, table: VectorTable, payloads: Callable[[int, int], list[Payload]], make_row: MakeRow
    ) -> None:
        self.dim = table.dim
        self._rows, self._table, self._payloads, self._make_row = rows, table, payloads, make_row
        self._pool: list[Payload] = []

    def fresh(self, count: int, stream: int) -> Block:
        """`count` vectors near consecutive rows, other ones for each stream while there are enough."""
        count = min(count, self._rows.size)
        start = stream * count % max(1, self._rows.size - count + 1)
        generator = np.random.default_rng([INSERTS, stream])
        self._pool = self._payloads(start, start + count)
        vectors = perturb(self._table.read(start, start + count), generator)
        return Block(vectors, np.arange(count), self._rows.metadata.fresh(count, stream))

    def make_row(self, number: int, vector: list[float], origin: Origin) -> Row:
        """The row of a number; its `cluster` is the place of its vector in the pool."""
        return self._make_row(number, vector, origin, self._pool[origin.cluster])
