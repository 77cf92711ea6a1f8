"""Texts for full-text search: words of a seeded vocabulary, a few frequent and most rare, as in a language."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, product
from random import Random
from typing import Protocol, runtime_checkable

from loadgen.datasets.dataset import Dataset, Vectors
from loadgen.datasets.neighbours import GroundTruth
from loadgen.datasets.rows import Row
from loadgen.datasets.texts import Texts
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.model import Settings

SYLLABLES = [first + second for first, second in product("bdfgklmnprstv", "aeiou")]
WORDS = 4_000
"""Words of the vocabulary; word n has a chance proportional to 1 / n (Zipf 1935, The Psycho-Biology of Language)."""
WORDS_IN_TEXT, WORDS_IN_QUERY = 32, 4
CHANCES = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))


@runtime_checkable
class HasQueryTexts(Protocol):
    """A dataset whose queries have texts."""

    def query_texts(self, count: int) -> Sequence[str]:
        """The texts of the first queries, in the order of `queries()`."""


class WordedDataset:
    """Implements `Dataset`: the rows of another one, with texts that a full-text search can tell apart.

    A row keeps the text that it has from a file, or that is sized. The text of a query is some words of one row, so it
    finds at least that one.
    """

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self.plain = dataset
        """The other dataset."""
        self._seed = settings.seed
        self._vocabulary = make_vocabulary(settings.seed)
        self._sized = Texts(settings.text_bytes, settings.seed) if settings.text_bytes else None
        self.size = dataset.size
        self.dim = dataset.dim
        self.metadata = dataset.metadata

    @property
    def name(self) -> str:
        """That of the other dataset."""
        return self.plain.name

    @property
    def fingerprint(self) -> str:
        """That of the other dataset."""
        return self.plain.fingerprint

    def row_id(self, number: int, /) -> str:
        """The id of a row number."""
        return self.plain.row_id(number)

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1, float32 (stop - start, dim)."""
        return self.plain.vectors(start, stop)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Rows start ... stop - 1, ready to be loaded."""
        return [self._reword(row) for row in self.plain.rows(start, stop)]

    def queries(self) -> Vectors:
        """The distinct queries, float32 (queries, dim)."""
        return self.plain.queries()

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Endless new rows for one worker."""
        return map(self._reword, self.plain.fresh_rows(worker))

    def check(self, tell: Callable[[str], None], /) -> None:
        """Raise SettingsError if a row cannot be loaded."""
        self.plain.check(tell)

    def known_neighbours(self, metric: str, top_k: int, queries: int, /) -> GroundTruth | None:
        """The neighbours by vector that are known without computing them."""
        return self.plain.known_neighbours(metric, top_k, queries)

    def query_texts(self, count: int) -> list[str]:
        """The texts of the first queries."""
        return [self._make_query_text(number) for number in range(count)]

    def _make_query_text(self, number: int) -> str:
        random = seed_random(self._seed, "query", number)
        row = random.randrange(self.size)
        is_drawn = self.plain.name == SYNTHETIC  # a row of a file is read for its own text
        text = self._make_text(row) if is_drawn else self.rows(row, row + 1)[0].text
        return draw_words(text, random) or self._vocabulary[0]

    def _reword(self, row: Row) -> Row:
        number = row.metadata.get("row")
        if not isinstance(number, int) or row.text != f"n{number}_text":
            return row
        return replace(row, text=self._make_text(number))

    def _make_text(self, number: int) -> str:
        if self._sized is not None:
            return self._sized(number)
        random = seed_random(self._seed, "row", number)
        return " ".join(random.choices(self._vocabulary, cum_weights=CHANCES, k=WORDS_IN_TEXT))


def find_query_texts(dataset: Dataset, count: int) -> list[str]:
    """The texts of the first queries of a dataset; empty ones if it has none."""
    return list(dataset.query_texts(count)) if isinstance(dataset, HasQueryTexts) else [""] * count


def reword(dataset: Dataset, settings: Settings) -> Dataset:
    """The dataset, with texts if the searches need some and without them if not."""
    plain = dataset.plain if isinstance(dataset, WordedDataset) else dataset
    return WordedDataset(plain, settings) if settings.has_full_text else plain


def make_vocabulary(seed: int) -> list[str]:
    """Different words of two to four syllables, the frequent ones short."""
    random = seed_random(seed, "words", 0)
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(random.choices(SYLLABLES, k=random.randint(2, 4)))] = None
    return sorted(words, key=len)


def draw_words(text: str, random: Random) -> str:
    """Some different words of a text, in random order."""
    words = sorted(set(text.split()))
    return " ".join(random.sample(words, min(WORDS_IN_QUERY, len(words))))


def seed_random(seed: int, stream: str, number: int) -> Random:
    """A generator for one text."""
    return Random(f"{seed}/{stream}/{number}")
