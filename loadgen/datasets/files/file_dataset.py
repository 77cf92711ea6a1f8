"""The rows, queries and neighbours of a file as a dataset."""

from collections.abc import Callable, Iterator
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import Content, DataFileError, Payload, find_vector_flaw
from loadgen.datasets.files.fingerprint import find_fingerprint
from loadgen.datasets.files.known import read_known
from loadgen.datasets.files.labels import FileMetadata
from loadgen.datasets.files.perturbed import PerturbedRows, make_queries
from loadgen.datasets.insert_stream import InsertStream, Origin
from loadgen.datasets.metadata import Metadata
from loadgen.datasets.neighbours import GroundTruth
from loadgen.datasets.rows import FINGERPRINT_KEY, Row, RowIds
from loadgen.datasets.texts import Texts
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

IDS = 4
"""Stream of the ids of rows; they do not depend on the seed."""
ROWS_IN_BLOCK = 1_000
FLOATS_IN_BLOCK = 2_000_000
TELL_SECONDS = 2.0


class FileDataset:
    """The first `settings.rows` rows of a file. Thread-safe.

    Ids are made from the row numbers, because those of files may clash with the ids of inserted rows; a row's own id
    is in its metadata as `file_id`.
    """

    def __init__(self, settings: Settings, content: Content) -> None:
        self._content = content
        self.size = min(settings.rows, content.train.size)
        self.dim = content.train.dim
        self.row_id = RowIds(0, IDS)
        self.metadata: Metadata = FileMetadata(settings, content.path, self._payloads, self.size)
        self._text_bytes = settings.text_bytes
        self._texts = Texts(settings.text_bytes, settings.seed)
        self._metric = settings.metric
        self._seed = settings.seed
        self._query_count = settings.queries

    @property
    def name(self) -> str:
        """The name of the file or folder, without the path, which may differ between machines."""
        return self._content.path.resolve().name

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that differ if the data differ; not all of a large file is read for them."""
        sized = [self._text_bytes] if self._text_bytes else []
        made_of = [self._content.layout, self.size, self.dim, *sized, *self.metadata.identity]
        return find_fingerprint(self._content.files, made_of)

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1, float32 (stop - start, dim). Raises DataFileError."""
        return self._content.train.read(start, stop)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Rows start ... stop - 1, ready to be loaded. Raises DataFileError."""
        vectors, payloads = self.vectors(start, stop).tolist(), self._payloads(start, stop)
        numbered = zip(range(start, stop), vectors, payloads, self.metadata.extras(start, stop), strict=True)
        return [
            self._make_row(number, vector, Origin(self.fingerprint, 0, extra), payload)
            for number, vector, payload, extra in numbered
        ]

    def _payloads(self, start: int, stop: int) -> list[Payload]:
        read = self._content.payloads
        return read(start, stop) if read is not None else [Payload()] * (stop - start)

    def _make_row(self, number: int, vector: list[float], origin: Origin, payload: Payload) -> Row:
        """With a document as in Milvus's tutorial, and a made text if the file has none."""
        own = {"row": number, FINGERPRINT_KEY: origin.fingerprint}
        metadata: dict[str, Any] = {**payload.metadata, **origin.extra.metadata, **own}
        text = payload.text or self._texts(number)
        return Row(self.row_id(number), text, vector, f"n{number + 1}", metadata, origin.extra.place)

    def queries(self) -> Vectors:
        """The first queries of the file, or vectors near some rows if it has none, float32 (queries, dim)."""
        test = self._content.test
        if test is None:
            return make_queries(self._content.train, self.size, self._query_count, self._seed)
        return test.read(0, min(test.size, self._query_count))

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Endless rows near those of the file for one worker; its vectors repeat."""
        rows = PerturbedRows(self, self._content.train, self._payloads, self._make_row)
        return InsertStream(rows, worker)

    def check(self, tell: Callable[[str], None]) -> None:
        """Read all rows once. Raises SettingsError for the first that no collection can contain."""
        width = max(1, min(ROWS_IN_BLOCK, FLOATS_IN_BLOCK // self.dim))
        started = reported = perf_counter()
        try:
            for start in range(0, self.size, width):
                stop = min(start + width, self.size)
                self._check_block(start, stop)
                if perf_counter() - reported > TELL_SECONDS:
                    reported = perf_counter()
                    left = (reported - started) * (self.size - stop) / stop
                    tell(f"checking the dataset: {stop:,} of {self.size:,} rows read, {left:.0f} s to go")
        except DataFileError as error:
            raise SettingsError([error.as_fault("dataset")]) from error

    def _check_block(self, start: int, stop: int) -> None:
        if flaw := find_vector_flaw(self.vectors(start, stop), start, self._metric, "row"):
            raise DataFileError(self._content.path, *flaw)
        self._payloads(start, stop)

    def known_neighbours(self, metric: str, top_k: int, queries: int) -> GroundTruth | None:
        """Those in the file, if they are of all rows and there are enough; whether they are right is not checked."""
        content = self._content
        if self.size < content.train.size or content.neighbours is None or content.test is None:
            return None
        if metric != (content.metric or metric) or top_k > self.size:
            return None
        return read_known(content, top_k, min(queries, content.test.size))


def find_query_flaw(vectors: Vectors, metric: str) -> tuple[str, str] | None:
    """The first query that cannot be compared by a metric, as a problem and a hint; None if all can."""
    return find_vector_flaw(np.asarray(vectors, dtype=np.float32), 0, metric, "query")
