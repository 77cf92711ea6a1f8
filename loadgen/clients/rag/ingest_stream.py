"""Documents to ingest: those of a corpus over and over, under ids that no other ingest has."""

from itertools import count
from secrets import token_hex
from typing import Self

from loadgen.clients.rag.documents import Corpus
from loadgen.clients.rag.pipeline import Source
from loadgen.datasets import Row
from loadgen.datasets.existing import text_prefix

STRIDE = 97
"""Documents between the first ones of two workers."""


class IngestStream:
    """An endless iterator over documents, each as the `node` of a row. Threads may share it, as an `InsertStream`.

    Ids begin with `loadgen-`, what tells this run from others, the worker, and the number of the ingested document. In
    an existing collection the rows of a run are deleted by the first two.
    """

    def __init__(self, corpus: Corpus, worker: int, token: int = 0) -> None:
        """`token` is that of the run in an existing collection; 0: any."""
        run = text_prefix(token) if token else f"loadgen-{token_hex(6)}-"
        self._prefix = f"{run}{worker}-"
        self._documents, self._root = corpus.documents, corpus.root
        self._first = worker * STRIDE
        self._numbers = count()

    def __iter__(self) -> Self:
        """The stream is an iterator, and never ends."""
        return self

    def __next__(self) -> Row:
        """Give the next document; no two calls get the same id, from any thread."""
        number = next(self._numbers)
        document = self._documents[(self._first + number) % len(self._documents)]
        doc_id = f"{self._prefix}{number}/{document.node_id}"
        return Row(doc_id, "", [], doc_id, {}, node=Source(doc_id, document, self._root))
