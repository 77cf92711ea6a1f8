"""The data of a run: clustered unit vectors, of which any process can generate any part."""

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.insert_stream import Block, InsertStream, Origin
from loadgen.datasets.metadata import Metadata
from loadgen.datasets.neighbours import GroundTruth
from loadgen.datasets.rows import FINGERPRINT_KEY, Row, RowIds
from loadgen.datasets.texts import Texts
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.model import Settings

FORMAT = 1
"""Increase it with any change to the generation of the data."""
CENTRES, ROWS, QUERIES, INSERTS, IDS = range(5)
"""Streams of random numbers; a generator is seeded by [seed, stream, block]."""
ROWS_IN_BLOCK = 1_000
FLOATS_IN_BLOCK = 2_000_000
QUERY_NOISE = 0.25
"""Distance of a query from its row, as a fraction of the spread: near the row, but never on it."""


class SyntheticDataset:
    """`rows` unit vectors from a mixture of Gaussian clusters, and queries near them.

    Centres are random unit vectors. A row is its centre plus noise, normalised; the noise has the length `spread`
    (the centre's is 1) whatever the dimension, because each component has the standard deviation spread / sqrt(dim).
    Thread-safe.
    """

    name = SYNTHETIC

    def __init__(self, settings: Settings) -> None:
        self.size = settings.rows
        self.dim = settings.dim
        self.seed = settings.seed
        self.spread = settings.spread
        self.clusters = min(settings.clusters, settings.rows)
        self.row_id = RowIds(self.seed, IDS)
        self.metadata = Metadata.of(settings)
        self._text_bytes = settings.text_bytes
        self._texts = Texts(settings.text_bytes, self.seed)
        self._query_count = settings.queries
        self._block_rows = max(1, min(ROWS_IN_BLOCK, FLOATS_IN_BLOCK // self.dim))
        self._latest: tuple[int, int, Block] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that differ if the data differ.

        They include the draws of the first block, to detect a numpy with other random streams, but not the vectors,
        whose last bits depend on the order in which the processor sums.
        """
        reported = [FORMAT, self.seed, self.size, self.dim, self.clusters, self.spread]
        digest = hashlib.sha256(json.dumps(reported).encode())
        clusters, noise = self._draw(ROWS, 0)
        digest.update(clusters.astype("<i8").tobytes())
        digest.update(noise.astype("<f4").tobytes())
        if payload := [*([self._text_bytes] if self._text_bytes else []), *self.metadata.identity]:
            digest.update(json.dumps(payload).encode())
        return digest.hexdigest()[:16]

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1, float32 (stop - start, dim), unit length."""
        return self._cut(ROWS, start, stop).vectors

    def rows(self, start: int, stop: int) -> list[Row]:
        """Rows start ... stop - 1, ready to be loaded."""
        part = self._cut(ROWS, start, stop)
        numbered = zip(
            range(start, stop),
            part.vectors.tolist(),
            part.clusters.tolist(),
            self.metadata.extras(start, stop),
            strict=True,
        )
        return [
            self.make_row(number, vector, Origin(self.fingerprint, cluster, extra))
            for number, vector, cluster, extra in numbered
        ]

    def make_row(self, number: int, vector: list[float], origin: Origin) -> Row:
        """The row of a number: document, and a text that is not sized, as in Milvus's tutorial."""
        extra = origin.extra
        metadata = {"row": number, "cluster": origin.cluster, FINGERPRINT_KEY: origin.fingerprint, **extra.metadata}
        return Row(self.row_id(number), self._texts(number), vector, f"n{number + 1}", metadata, extra.place)

    def queries(self) -> Vectors:
        """`settings.queries` different unit vectors, float32 (queries, dim), each near a random row."""
        generator = np.random.default_rng([self.seed, QUERIES])
        numbers = generator.integers(0, self.size, size=self._query_count)
        near = np.empty((self._query_count, self.dim), dtype=np.float32)
        for block in np.unique(numbers // self._block_rows):
            chosen = np.flatnonzero(numbers // self._block_rows == block)
            near[chosen] = self._block(ROWS, int(block)).vectors[numbers[chosen] % self._block_rows]
        for start in range(0, self._query_count, self._block_rows):
            part = near[start : start + self._block_rows]
            noise = generator.standard_normal(part.shape, dtype=np.float32)
            part += noise * np.float32(self.spread * QUERY_NOISE / np.sqrt(self.dim))
        return _normalised(near)

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Endless new rows for one worker; its vectors repeat."""
        return InsertStream(self, worker)

    def check(self, _tell: Callable[[str], None]) -> None:
        """Nothing can be wrong with these rows."""

    def known_neighbours(self, _metric: str, _top_k: int, _queries: int) -> GroundTruth | None:
        """None: they have to be computed."""
        return None

    def fresh(self, count: int, stream: int) -> Block:
        """`count` further vectors of the same mixture, none of them a row; different for each stream number."""
        return self._cut(INSERTS + IDS * stream, 0, count)._replace(extras=self.metadata.fresh(count, stream))

    def _cut(self, stream: int, start: int, stop: int) -> Block:
        if not 0 <= start <= stop:
            raise ValueError(f"rows {start} to {stop} are no range")
        if start == stop:
            return Block(np.empty((0, self.dim), dtype=np.float32), np.empty(0, dtype=np.int64))
        first, last = start // self._block_rows, (stop - 1) // self._block_rows
        blocks = [self._block(stream, number) for number in range(first, last + 1)]
        cut = slice(start - first * self._block_rows, stop - first * self._block_rows)
        if len(blocks) == 1:
            return Block(blocks[0].vectors[cut], blocks[0].clusters[cut])
        vectors = np.concatenate([block.vectors for block in blocks])
        return Block(vectors[cut], np.concatenate([block.clusters for block in blocks])[cut])

    def _block(self, stream: int, number: int) -> Block:
        latest = self._latest  # read once: another thread may replace it
        if latest and latest[:2] == (stream, number):
            return latest[2]
        clusters, noise = self._draw(stream, number)
        noise *= np.float32(self.spread / np.sqrt(self.dim))
        noise += self._centres[clusters]
        vectors = _normalised(noise)
        vectors.flags.writeable = False
        block = Block(vectors, clusters)
        self._latest = (stream, number, block)
        return block

    def _draw(self, stream: int, number: int) -> tuple[npt.NDArray[np.int64], Vectors]:
        """The random numbers of a block: always whole, so that the number of rows does not change earlier rows."""
        generator = np.random.default_rng([self.seed, stream, number])
        clusters = generator.integers(0, self.clusters, size=self._block_rows)
        return clusters, generator.standard_normal((self._block_rows, self.dim), dtype=np.float32)

    @cached_property
    def _centres(self) -> Vectors:
        generator = np.random.default_rng([self.seed, CENTRES])
        return _normalised(generator.standard_normal((self.clusters, self.dim), dtype=np.float32))


def _normalised(vectors: Vectors) -> Vectors:
    """Bring every row to unit length, in place."""
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)).astype(np.float32)[:, None]
    return vectors
