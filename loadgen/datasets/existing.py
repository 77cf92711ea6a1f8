"""Queries near the rows of an existing collection, and rows like its own for inserts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import numpy as np

from loadgen.datasets.full_text import draw_words, seed_random
from loadgen.datasets.metadata import Metadata
from loadgen.datasets.rows import Row

NOISE = 0.05
"""Length of a query's distance from its row, as a fraction of the length of the row's vector."""
FLIPPED = 0.02
"""Share of the bits of a binary vector that a query flips."""
TOKEN_BITS, WORKER_BITS, ROW_BITS = 16, 12, 34
"""An integer id of an inserted row is 1, then the token of the run, the worker, and the number of the row."""
TOKENS = 1 << TOKEN_BITS
LONGEST_ID = len("loadgen-ffff-4095-") + len(str((1 << ROW_BITS) - 1))
"""Characters of a text id of an inserted row."""
POOL = 1_000
"""Vectors for inserts; they repeat."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and types of the fields that are used."""

    id_field: str
    id_type: str
    embedding_field: str
    vector_type: str
    text_field: str
    doc_id_field: str


def first_id(token: int, worker: int = 0) -> int:
    """The first integer id of a worker's rows in the run with this token."""
    return (1 << (TOKEN_BITS + WORKER_BITS + ROW_BITS)) + ((token << WORKER_BITS) + worker << ROW_BITS)


def text_prefix(token: int) -> str:
    """What all text ids of the run with this token begin with."""
    return f"loadgen-{token:04x}-"


def inserted_rows(fields: Fields, token: int) -> str:
    """An expression for all rows that the run with this token has inserted."""
    if fields.id_type == "int64":
        return f"{fields.id_field} >= {first_id(token)} and {fields.id_field} < {first_id(token + 1)}"
    return f'{fields.id_field} like "{text_prefix(token)}%"'


class ExistingDataset:
    """Implements `Dataset`; it has no rows to load, and its neighbours are not known.

    `sampled` are rows of the collection with their vectors, as pymilvus returns them; for inserts with all fields.
    """

    def __init__(
        self, fields: Fields, sampled: Sequence[Mapping[str, Any]], size: int, shape: tuple[int, int, int], token: int
    ) -> None:
        self.size = size
        self.metadata = Metadata()
        """Describes the values that filters draw; the rows are on the server."""
        self.name = "existing"
        self._queries, self.dim, self._seed = shape
        self._fields = fields
        self._sampled = sampled
        self._token = token
        self.generated: Collection[str] = ()
        """Fields of the sampled rows that the server fills itself: inserted rows do not have them."""

    @property
    def fingerprint(self) -> str:
        """Empty: nothing says whether the rows are those of an earlier run."""
        return ""

    def row_id(self, number: int, /) -> str:
        """Unused: rows of an existing collection have no numbers."""
        return str(number)

    def check(self, tell: Any) -> None:
        """Nothing: the rows are on the server."""

    def known_neighbours(self, _metric: str, _top_k: int, _queries: int) -> None:
        """None: nobody knows them."""
        return

    def vectors(self, start: int, stop: int) -> Any:
        """Raise NotImplementedError: the rows are on the server."""
        raise NotImplementedError

    def rows(self, start: int, stop: int) -> list[Row]:
        """Raise NotImplementedError: nothing is loaded."""
        raise NotImplementedError

    def queries(self) -> Any:
        """The distinct queries, each near a sampled row: float32 (queries, dim), or a list for other vector types."""
        generator = np.random.default_rng([self._seed, self._queries])
        vectors = [row[self._fields.embedding_field] for row in self._sampled]
        near = [
            perturb(vectors[number % len(vectors)], self._fields.vector_type, generator)
            for number in range(self._queries)
        ]
        return np.stack(near) if self._fields.vector_type == "float32" else near

    def query_texts(self, count: int) -> list[str]:
        """Words of the texts of the sampled rows, for hybrid searches."""
        texts = [str(row.get(self._fields.text_field, "")) for row in self._sampled]
        return [
            draw_words(texts[number % len(texts)], seed_random(self._seed, "query", number)) for number in range(count)
        ]

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Endless rows with new ids; none if the run may not insert. Raises ValueError for too many workers."""
        if not self._token:
            return iter(())
        generator = np.random.default_rng([self._seed, self._token, worker])
        pool = [{name: row[name] for name in row if name not in self.generated} for row in self._sampled[:POOL]]
        return NewRows(self._fields, pool, generator, (self._token, worker))


class NewRows:
    """Copies of sampled rows with new ids and moved vectors, and all other fields that they have.

    Threads may share it, as they may an `InsertStream`.
    """

    def __init__(
        self,
        fields: Fields,
        sampled: Sequence[Mapping[str, Any]],
        generator: np.random.Generator,
        origin: tuple[int, int],
    ) -> None:
        """`origin` is the token of the run and the number of the worker."""
        self._token, self._worker = origin
        if not 0 <= self._worker < 1 << WORKER_BITS:
            raise ValueError(f"worker {self._worker}: there are {1 << WORKER_BITS} at most")
        self._is_numeric = fields.id_type == "int64"
        self._numbers = count()
        own = {fields.id_field, fields.embedding_field, fields.text_field, fields.doc_id_field}
        self._places = generator.random(len(sampled)).tolist()
        self._pool = [
            (
                _plain(perturb(row[fields.embedding_field], fields.vector_type, generator)),
                str(row.get(fields.text_field, "")),
                {name: _joined(value) if _is_bytes(value) else value for name, value in row.items() if name not in own},
            )
            for row in sampled
        ]

    def __iter__(self) -> Self:
        """It is an iterator, and never ends."""
        return self

    def __next__(self) -> Row:
        """Give the next row; no two calls get the same one, from any thread."""
        number = next(self._numbers)
        vector, text, metadata = self._pool[number % len(self._pool)]
        row_id = self._make_id(number)
        return Row(row_id, text, vector, str(row_id), metadata, self._places[number % len(self._places)])

    def _make_id(self, number: int) -> str | int:
        if self._is_numeric:
            return first_id(self._token, self._worker) + number
        return f"{text_prefix(self._token)}{self._worker}-{number}"


def _plain(vector: Any) -> Any:
    return vector.tolist() if isinstance(vector, np.ndarray) and vector.dtype == np.float32 else vector


def perturb(vector: Any, vector_type: str, generator: np.random.Generator) -> Any:
    """A vector near another one, as pymilvus takes it for the type.

    float32, float16, bfloat16 and int8: an array (dim,); binary: bytes; sparse: a mapping of index to value. Raises
    ImportError where bfloat16 needs ml_dtypes.
    """
    if vector_type == "sparse":
        return {index: value * (1 + NOISE * generator.standard_normal()) for index, value in vector.items()}
    if vector_type == "binary":
        bits = np.unpackbits(np.frombuffer(_joined(vector), np.uint8))
        flips = generator.random(len(bits)) < FLIPPED
        return np.packbits(bits ^ flips.astype(np.uint8)).tobytes()
    dtype = _dtype_of(vector_type)
    plain = np.frombuffer(_joined(vector), dtype) if _is_bytes(vector) else np.asarray(vector)
    exact = plain.astype(np.float64)
    noise = generator.standard_normal(len(exact)) * (NOISE * np.linalg.norm(exact) / np.sqrt(len(exact)))
    if vector_type == "int8":
        return np.clip(np.rint(exact + noise), -128, 127).astype(np.int8)
    return (exact + noise).astype(dtype)


def _dtype_of(vector_type: str) -> Any:
    if vector_type == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return np.dtype(vector_type)


def _is_bytes(vector: Any) -> bool:
    return isinstance(vector, bytes) or (isinstance(vector, list) and len(vector) == 1 and isinstance(vector[0], bytes))


def _joined(vector: Any) -> bytes:
    """Pymilvus returns packed vectors as bytes, or as a list of bytes."""
    return vector if isinstance(vector, bytes) else b"".join(vector)
