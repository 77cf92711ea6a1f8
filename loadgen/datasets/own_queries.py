"""A dataset with the queries of another file."""

from collections.abc import Callable, Iterator

from loadgen.datasets.dataset import Dataset, Vectors
from loadgen.datasets.full_text import find_query_texts
from loadgen.datasets.neighbours import GroundTruth
from loadgen.datasets.rows import Row


class WithQueries:
    """The rows of one dataset, and given queries, float32 (queries, dim)."""

    def __init__(self, dataset: Dataset, queries: Vectors) -> None:
        self._dataset, self._queries = dataset, queries
        self.size, self.dim, self.name = dataset.size, dataset.dim, dataset.name
        self.metadata = dataset.metadata
        self.row_id, self.vectors, self.rows = dataset.row_id, dataset.vectors, dataset.rows

    @property
    def fingerprint(self) -> str:
        """That of the rows."""
        return self._dataset.fingerprint

    def queries(self) -> Vectors:
        """The queries that were given."""
        return self._queries

    def query_texts(self, count: int) -> list[str]:
        """Those of the dataset: a file of vectors has none."""
        return find_query_texts(self._dataset, count)

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Those of the dataset."""
        return self._dataset.fresh_rows(worker)

    def check(self, tell: Callable[[str], None]) -> None:
        """Check the dataset."""
        self._dataset.check(tell)

    def known_neighbours(self, _metric: str, _top_k: int, _queries: int) -> GroundTruth | None:
        """None: the file with the rows knows nothing of these queries."""
        return None
