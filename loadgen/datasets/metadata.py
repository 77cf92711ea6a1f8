"""Metadata of rows, and the values that queries draw: by row number and seed, the same in every process."""

import zlib
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loadgen.settings.metadata import MetadataField, parse_metadata
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import SKEWED_AT_MOST, find_partitions
from loadgen.settings.values import find_exponent
from loadgen.settings.variants import find_variants, settings_of

Column = npt.NDArray[Any]
"""Values of some rows: integers, float64 or texts."""
Places = npt.NDArray[np.float64]
"""Where rows are among the partitions, or among the values of a partition key: from 0 to below 1."""
FORMAT = 1
"""Increase it with any change to the generation of the values."""
ROWS, QUERIES, INSERTS = 1, 2, 3
"""Streams of random numbers."""
PLACE = "\0place"
"""The name under which places are drawn; no field has it."""
ROWS_IN_BLOCK = 1_024
LISTED_AT_MOST = SKEWED_AT_MOST


class Extra(NamedTuple):
    """What a generated row has besides vector and text."""

    metadata: Mapping[str, Any]
    place: float


NO_EXTRA = Extra({}, 0.0)


def choose(places: Places, number: int, exponent: float) -> npt.NDArray[np.int64]:
    """The part (0 ... number - 1) at each place. With an exponent, part r has the weight (r + 1) ** -exponent."""
    if number > LISTED_AT_MOST:  # evenly: a skew of more values is refused
        return np.minimum((places * number).astype(np.int64), number - 1)
    return np.minimum(np.searchsorted(_limits(number, exponent), places, side="right"), number - 1).astype(np.int64)


@lru_cache(maxsize=64)
def _limits(number: int, exponent: float) -> Places:
    """Where each part ends; do not modify it."""
    weights = np.arange(1, number + 1, dtype=np.float64) ** -exponent
    limits: Places = np.cumsum(weights / weights.sum())
    return limits


@dataclass(frozen=True, slots=True)
class Partitioning:
    """The partitions of a collection, and how rows and queries are spread over them."""

    names: tuple[str, ...] = ()
    exponent: float = 0.0
    """Of the skew; 0 for none."""
    _limits: tuple[float, ...] = ()
    """Where each partition ends."""

    @classmethod
    def of(cls, settings: Settings) -> "Partitioning":
        """Those of a collection with these settings."""
        names, exponent = find_partitions(settings.partitions), find_exponent(settings.partition_skew)
        return cls(names, exponent, tuple(_limits(len(names), exponent).tolist()) if names else ())

    def numbers(self, places: Places) -> npt.NDArray[np.int64]:
        """The number of the partition of each place."""
        return np.minimum(np.searchsorted(self._limits, places, side="right"), len(self.names) - 1).astype(np.int64)

    def name(self, place: float) -> str:
        """The partition of one place; empty without partitions. Takes less than a microsecond."""
        return self.names[min(bisect_right(self._limits, place), len(self.names) - 1)] if self.names else ""


class Metadata:
    """The metadata of a dataset. Thread-safe.

    A field that is the partition key of the run or of a variant takes its values by the places of the rows, as
    partitions do, so that both divide the rows alike.
    """

    def __init__(
        self, fields: Sequence[MetadataField] = (), seed: int = 0, keys: Collection[str] = (), exponent: float = 0.0
    ) -> None:
        """`exponent` is that of the skew of the fields in `keys`."""
        self.fields = tuple(fields)
        self._seed, self._keys, self._exponent = seed, frozenset(keys), exponent

    @classmethod
    def of(cls, settings: Settings) -> "Metadata":
        """That of a run."""
        keys = {settings_of(settings, one).partition_key for one in find_variants(settings)} - {""}
        fields = parse_metadata(settings.metadata)
        return cls(fields, settings.seed, keys, find_exponent(settings.partition_skew) if keys else 0.0)

    @property
    def spread(self) -> tuple[int, frozenset[str], float]:
        """The seed, the partition keys, and the exponent of their skew."""
        return self._seed, self._keys, self._exponent

    @property
    def identity(self) -> list[object]:
        """What decides the values; empty without fields."""
        if not self.fields:
            return []
        return [FORMAT, self._seed, [str(one) for one in self.fields], sorted(self._keys), self._exponent]

    def places(self, start: int, stop: int) -> Places:
        """The places of the rows start ... stop - 1."""
        return self._draw(PLACE, start, stop)

    def columns(self, start: int, stop: int) -> dict[str, Column]:
        """The values of the rows start ... stop - 1, by field."""
        return {field.name: self._find_values(field, self._draw_for(field, start, stop)) for field in self.fields}

    def draw_places(self, number: int) -> Places:
        """The places of the distinct queries."""
        return self._generator(PLACE, QUERIES, 0).random(number)

    def draw_values(self, number: int, names: Collection[str] = ()) -> dict[str, Column]:  # noqa: ARG002 - all are drawn
        """The values that the distinct queries draw, by field: with the distribution of the rows' values.

        `names` are the fields that a filter draws, for metadata whose values depend on each other.
        """
        return {
            field.name: self._find_values(field, self._generator(self._source(field), QUERIES, 0).random(number))
            for field in self.fields
        }

    def extras(self, start: int, stop: int) -> list[Extra]:
        """What the rows start ... stop - 1 have besides vectors and texts."""
        return _combine(self.columns(start, stop), self.places(start, stop))

    def fresh(self, count: int, stream: int) -> list[Extra]:
        """The same of rows to insert; different for each stream number."""
        columns = {
            field.name: self._find_values(field, self._generator(self._source(field), INSERTS, stream).random(count))
            for field in self.fields
        }
        return _combine(columns, self._generator(PLACE, INSERTS, stream).random(count))

    def _source(self, field: MetadataField) -> str:
        return PLACE if field.name in self._keys else field.name

    def _draw_for(self, field: MetadataField, start: int, stop: int) -> Places:
        return self._draw(self._source(field), start, stop)

    def _draw(self, source: str, start: int, stop: int) -> Places:
        """Numbers from 0 to below 1 for some rows."""
        if start >= stop:
            return np.empty(0)
        first, last = start // ROWS_IN_BLOCK, (stop - 1) // ROWS_IN_BLOCK
        blocks = [self._generator(source, ROWS, number).random(ROWS_IN_BLOCK) for number in range(first, last + 1)]
        drawn: Places = np.concatenate(blocks)[start - first * ROWS_IN_BLOCK : stop - first * ROWS_IN_BLOCK]
        return drawn

    def _generator(self, source: str, stream: int, block: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(source.encode()), block, stream])

    def _find_values(self, field: MetadataField, drawn: Places) -> Column:
        if field.kind == "float":
            return np.round(field.low + drawn * (field.high - field.low), 6)
        numbers = choose(drawn, field.count, self._exponent if field.name in self._keys else 0.0)
        return np.array(field.values)[numbers] if field.kind == "enum" else numbers + int(field.low)


def _combine(columns: Mapping[str, Column], places: Places) -> list[Extra]:
    if not columns:
        return [Extra({}, place) for place in places.tolist()]
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    names = tuple(columns)
    return [
        Extra(dict(zip(names, row, strict=True)), place) for row, place in zip(values, places.tolist(), strict=True)
    ]
