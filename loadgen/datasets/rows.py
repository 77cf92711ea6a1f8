"""A row of the collection, and unique row ids."""

from dataclasses import dataclass
from typing import Any

import numpy as np

FINGERPRINT_KEY = "loadgen"
"""The metadata key for the origin of a row: a dataset's fingerprint, or `INSERTED`."""
INSERTED = "inserted"
ID_DIGITS = 16
ID_SPACE = 10**ID_DIGITS


@dataclass(frozen=True, slots=True)
class Row:
    """The content of one node.

    The vector is a list because `TextNode` refuses a numpy array, and one `tolist` for a whole block is the
    cheapest way to create many. Do not modify it: rows of an `InsertStream` share their vectors.
    """

    row_id: str | int
    """16 digits; for an existing collection an id of its own type."""
    text: str
    vector: list[float]
    """`dim` floats; of unit length if synthetic."""
    source: str
    """The document to which the row belongs."""
    metadata: dict[str, Any]
    place: float = 0.0
    """Where it is among the partitions: from 0 to below 1."""
    node: Any = None
    """What LlamaIndex made of a document: it is inserted as it is, with the vector. None: one is made of the rest."""


class RowIds:
    """A bijection from row numbers 0 ... 10**16 - 1 to ids of 16 digits, one for each seed.

    `number * step + offset` modulo 10**16 maps no two numbers to one id as long as the step is coprime to 10.
    """

    def __init__(self, seed: int, stream: int) -> None:
        generator = np.random.default_rng([seed, stream])
        step, offset = (int(drawn) for drawn in generator.integers(0, ID_SPACE, size=2))
        self._step = step - step % 10 + 7
        self._offset = offset

    def __call__(self, number: int) -> str:
        """The id of a row number."""
        return f"{(number * self._step + self._offset) % ID_SPACE:016d}"
