"""Documents as a dataset: their chunks are its rows, questions its queries."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loadgen.clients.rag.corpora import CorpusChunks, find_chunks, find_documents, find_generated_questions
from loadgen.clients.rag.embedding_rows import embed_texts
from loadgen.clients.rag.engine import embedding_spec
from loadgen.clients.rag.ingest_stream import IngestStream
from loadgen.clients.rag.models import OPENAI
from loadgen.clients.rag.questions import (
    Question,
    read_questions,
    recall_of,
    reciprocal_rank,
)
from loadgen.datasets import FINGERPRINT_KEY, GroundTruth, Metadata, Row, encode_probe
from loadgen.datasets.dataset import Vectors
from loadgen.settings.data_settings import DOCUMENTS
from loadgen.settings.model import Settings

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

PROBE = "One model gives one text one vector, wherever it runs."
"""Embedded before a collection is filled, and again before it is reused."""


@dataclass(frozen=True, slots=True)
class QuestionJudge:
    """Implements `Judge` and `RanksAnswers`: which expected documents are among those of the chunks, and how early."""

    questions: tuple[Question, ...]

    @property
    def queries(self) -> int:
        """All questions."""
        return len(self.questions)

    def recall(self, query: int, result: Sequence[Any], _row_id: Callable[[int], str], /) -> float | None:
        """0 to 1; None if no document is expected, or no chunk names the one that it is of.

        `result` is a list of LlamaIndex's nodes with their scores; those of another program's collection name none.
        """
        expected, documents = self._compare(query, result)
        return recall_of(expected, documents) if expected else None

    def reciprocal_rank(self, query: int, result: Sequence[Any], /) -> float | None:
        """1 / the rank of the first chunk of an expected document, 0 without one; None as for recall."""
        expected, documents = self._compare(query, result)
        return reciprocal_rank(expected, documents) if expected else None

    def _compare(self, query: int, result: Sequence[Any]) -> tuple[frozenset[str], list[str]]:
        """The expected documents, empty if they cannot be compared, and that of each chunk, best first."""
        expected = self.questions[query].expected
        documents = [one.node.ref_doc_id for one in result]
        is_nameless = bool(documents) and not any(documents)
        return frozenset() if is_nameless else expected, [str(one) for one in documents]


class DocumentDataset:
    """Implements `Dataset` and `HasProbe`.

    Documents are split and chunks embedded at the first need, which is before a collection is filled: a process that
    only asks questions splits nothing.
    """

    name = DOCUMENTS

    def __init__(self, settings: Settings, token: int = 0) -> None:
        """`token` tells the rows of the run from those of an existing collection; 0: it may not insert."""
        self._settings = settings
        self._token = token
        self._questions = find_questions(settings)
        self._vectors: Vectors | None = None
        self._probe: str | None = None
        self.judge = QuestionJudge(self._questions)
        self.dim = settings.dim
        self.metadata = Metadata.of(settings)
        documents = "" if settings.existing else find_documents(settings).fingerprint
        made_of = (documents, settings.embedding, settings.chunk_size, settings.chunk_overlap)
        self.fingerprint = sha256(repr(made_of).encode()).hexdigest()[:16]

    @cached_property
    def _chunks(self) -> CorpusChunks:
        return CorpusChunks("", ()) if self._settings.existing else find_chunks(self._settings)

    @property
    def size(self) -> int:
        """Number of chunks; none of an existing collection."""
        return len(self._chunks.nodes)

    def probe(self) -> str:
        """The vector that a server gives to a fixed text, encoded; empty if the name of the model decides its vectors.

        Raises SettingsError if the server cannot be asked.
        """
        if self._probe is None:
            is_asked = embedding_spec(self._settings).kind == OPENAI
            vectors = embed_texts(self._settings, [PROBE], lambda _line: None) if is_asked else None
            self._probe = "" if vectors is None else encode_probe(vectors[0])
        return self._probe

    def row_id(self, number: int, /) -> str:
        """The id of a chunk."""
        return self._chunks.nodes[number].node_id

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the chunks start ... stop - 1, float32 (stop - start, dim). Raises SettingsError."""
        if self._vectors is None:
            self.check(lambda _line: None)
        assert self._vectors is not None  # noqa: S101 - `check` sets it
        return self._vectors[start:stop]

    def rows(self, start: int, stop: int) -> list[Row]:
        """Chunks start ... stop - 1, ready to be loaded."""
        pairs = zip(self._chunks.nodes[start:stop], self.vectors(start, stop).tolist(), strict=True)
        return [self._make_row(node, vector) for node, vector in pairs]

    def _make_row(self, node: "TextNode", vector: list[float]) -> Row:
        own = node.model_copy(deep=True)  # chunks are shared by collections with other embeddings
        own.metadata = node.metadata | {FINGERPRINT_KEY: self.fingerprint}
        own.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, FINGERPRINT_KEY]
        own.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, FINGERPRINT_KEY]
        return Row(node.node_id, node.text, vector, node.ref_doc_id or "", own.metadata, node=own)

    def queries(self) -> Vectors:
        """A row for each question and no vectors: those are made when they are asked."""
        return np.zeros((len(self._questions), 1), np.float32)

    def query_texts(self, count: int) -> list[str]:
        """The first questions."""
        return [one.text for one in self._questions[:count]]

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Documents to ingest, endless, each as the `node` of a row; none if the run may not insert."""
        if self._settings.existing and not self._token:
            return iter(())
        return IngestStream(find_documents(self._settings), worker, self._token)

    def check(self, tell: Callable[[str], None], /) -> None:
        """Embed all chunks. Raises SettingsError if the model cannot."""
        if self._vectors is not None:
            return
        from llama_index.core.schema import MetadataMode

        texts = [node.get_content(metadata_mode=MetadataMode.EMBED) for node in self._chunks.nodes]
        self._vectors = embed_texts(self._settings, texts, tell)

    def known_neighbours(self, metric: str, top_k: int, queries: int, /) -> GroundTruth | None:  # noqa: ARG002
        """None: what is right for a question are documents, not rows."""
        return None


def find_questions(settings: Settings) -> tuple[Question, ...]:
    """Those of the file, or made from the documents. Raises QuestionsError, CorpusError."""
    if not settings.questions:
        return find_generated_questions(settings)
    known: Collection[str] | None = None
    if not settings.existing:
        known = {document.node_id for document in find_documents(settings).documents}
    return read_questions(Path(settings.questions), known)[: settings.queries]
