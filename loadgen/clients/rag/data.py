"""The data of the RAG path: chunks of documents, embedded once before the load, and questions on them."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loadgen.clients.rag.client import ASK, INGEST, RETRIEVE
from loadgen.clients.rag.corpora import CorpusChunks, find_chunks, find_documents
from loadgen.clients.rag.documents import CorpusError, token_counter
from loadgen.clients.rag.embedding_rows import embed_texts, measure_dim
from loadgen.clients.rag.engine import embedding_spec, find_place, llm_spec
from loadgen.clients.rag.ingest_stream import IngestStream
from loadgen.clients.rag.models import NONE, ModelError, check_embed_in, check_embedding, check_llm, find_dim
from loadgen.clients.rag.questions import Question, QuestionsError, generate_questions, read_questions, recall_of
from loadgen.clients.rag.stages import INTER_TOKEN
from loadgen.datasets import FINGERPRINT_KEY, GroundTruth, Metadata, Row
from loadgen.datasets.dataset import Vectors
from loadgen.measure.objective import parse_objective
from loadgen.settings.data_settings import DOCUMENTS
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rag_conflicts import QUESTIONS_HINT
from loadgen.settings.variants import find_variants, settings_of
from loadgen.text.listing import count_of

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

DECIDED = ("dim", "rows", "clusters", "spread")
"""Settings that describe other data."""

logger = logging.getLogger("loadgen")


class DocumentSource:
    """Implements `DataSource`."""

    def adapt(self, settings: Settings, operations: Collection[str]) -> Settings:
        """Without a language model if no operation asks it; tells what ingests consist of."""
        if INGEST in operations:
            own = (settings_of(settings, one) for one in find_variants(settings))
            for size, overlap in dict.fromkeys((one.chunk_size, one.chunk_overlap) for one in own):
                _tell_sizes(settings.model_copy(update={"chunk_size": size, "chunk_overlap": overlap}))
        return settings if ASK in operations else settings.model_copy(update={"llm": NONE})

    def find_faults(self, settings: Sequence[Settings], operations: Collection[str] = ()) -> list[Fault]:
        """Missing packages, keys, documents and questions, and unknown models. Reads the documents; sends nothing."""
        faults: list[Fault] = []
        for one in settings:
            faults += _find_model_faults(one)
            if one.llm == NONE and ASK in operations:
                faults.append(Fault("llm", NONE, "cannot answer, but the users ask", "Give simulated or openai:MODEL."))
            if one.existing and not one.questions and {ASK, RETRIEVE} & set(operations):
                problem = "are required with --existing by users who ask: there are no documents to generate them from"
                faults.append(Fault("questions", "", problem, QUESTIONS_HINT))
            faults += [_decided(name, one) for name in DECIDED if one.is_given(name)]
            try:
                if not one.existing or one.allow_writes:
                    find_chunks(one)
                _find_questions(one)
            except CorpusError as error:
                faults.append(_as_fault("documents", one.documents, str(error)))
            except QuestionsError as error:
                faults += [_as_fault("questions", one.questions, text) for text in error.faults]
        return list(dict.fromkeys([*faults, *_find_unstreamed(settings, operations)]))

    def find_misfits(self, settings: Settings, dim: int) -> list[Fault]:
        """An embedding of another dimension than the collection's vectors."""
        own = _find_dim(settings)
        if own == dim:
            return []
        problem = f"makes vectors of dimension {own}, and collection '{settings.collection}' has {dim}"
        return [Fault("embedding", settings.embedding, problem, "Use the model with which it was filled.")]

    def resolve(self, settings: Settings) -> Settings:
        """With the number of chunks and questions, and the dimension. Raises SettingsError."""
        queries = {"queries": len(_find_questions(settings))}
        if settings.existing:
            return settings.model_copy(update=queries)
        rows = len(find_chunks(settings).nodes)
        if settings.top_k > rows:
            problem = f"is more than the {rows:,} chunks of the documents"
            hint = f"Lower --top-k to {rows} or less, or --chunk-size."
            raise SettingsError([Fault("top_k", str(settings.top_k), problem, hint)])
        return settings.model_copy(update=queries | {"rows": rows, "dim": _find_dim(settings), "dataset": DOCUMENTS})

    def open(self, settings: Settings, token: int = 0) -> "DocumentDataset":
        """The chunks of the documents; of an existing collection only the questions, and what is ingested."""
        chunks = CorpusChunks("", ()) if settings.existing else find_chunks(settings)
        return DocumentDataset(settings, chunks, token)


@dataclass(frozen=True, slots=True)
class QuestionJudge:
    """Implements `Judge`: which share of the expected documents is among those of the chunks that were found."""

    questions: tuple[Question, ...]

    @property
    def queries(self) -> int:
        """All questions."""
        return len(self.questions)

    def recall(self, query: int, found: Sequence[Any], _row_id: Callable[[int], str], /) -> float | None:
        """0 to 1; None if no document is expected, or no chunk names the one that it is of.

        `found` are LlamaIndex's nodes with their scores; those of a collection that it did not make name none.
        """
        expected = self.questions[query].expected
        documents = [one.node.ref_doc_id for one in found]
        if not expected or (documents and not any(documents)):
            return None
        return recall_of(expected, [str(one) for one in documents])


class DocumentDataset:
    """Implements `Dataset`. The chunks are embedded at the first need, which is before a collection is filled."""

    name = DOCUMENTS

    def __init__(self, settings: Settings, chunks: CorpusChunks, token: int = 0) -> None:
        """`token` tells the rows of the run from those of an existing collection; 0: it may not insert."""
        self._settings = settings
        self._token = token
        self._chunks = chunks
        self._questions = _find_questions(settings)
        self._vectors: Vectors | None = None
        self.judge = QuestionJudge(self._questions)
        self.size = len(chunks.nodes)
        self.dim = settings.dim
        self.metadata = Metadata.of(settings)
        made_of = (chunks.fingerprint, settings.embedding, settings.chunk_size, settings.chunk_overlap)
        self.fingerprint = sha256(repr(made_of).encode()).hexdigest()[:16]

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


def _find_questions(settings: Settings) -> tuple[Question, ...]:
    """Those of the file, or made from the documents. Raises QuestionsError, CorpusError."""
    if not settings.questions:
        return generate_questions(find_documents(settings), settings.queries, settings.seed)
    known: Collection[str] | None = None
    if not settings.existing:
        known = {document.node_id for document in find_documents(settings).documents}
    return read_questions(Path(settings.questions), known)[: settings.queries]


def _find_model_faults(settings: Settings) -> Iterator[Fault]:
    embedding, llm = embedding_spec(settings), llm_spec(settings)
    for text in check_embedding(embedding):
        yield _as_fault("embedding", settings.embedding, text)
    for text in check_llm(llm):
        yield _as_fault("llm", settings.llm, text)
    for text in check_embed_in(embedding, find_place(settings)):
        yield _as_fault("embed_in", settings.embed_in, text)


def _find_unstreamed(settings: Sequence[Settings], operations: Collection[str]) -> Iterator[Fault]:
    """Conditions on the time between two tokens where no answer is streamed."""
    if ASK not in operations or any(one.stream for one in settings):
        return
    with suppress(SettingsError):  # reported with the other settings of the result
        for one in parse_objective(settings[0].objective):
            if one.part == INTER_TOKEN:
                yield Fault(
                    "objective", f'"{one.text}"', f"is of {INTER_TOKEN}, and no answer is streamed", "Add --stream."
                )


def _tell_sizes(settings: Settings) -> None:
    """Log how large the documents are, so that documents/s, chunks/s and tokens/s follow from each other."""
    try:
        documents, nodes = find_documents(settings).documents, find_chunks(settings).nodes
    except CorpusError:  # a fault, and reported as one
        return
    count = token_counter()
    tokens = sum(count(node.text) for node in nodes)
    logger.info(
        "%s to ingest, each with %.1f chunks and %s tokens on average (--chunk-size %d)",
        count_of(len(documents), "document"),
        len(nodes) / len(documents),
        f"{tokens / len(documents):,.0f}",
        settings.chunk_size,
    )


def _find_dim(settings: Settings) -> int:
    """Raises SettingsError if only the model knows, and it does not answer."""
    try:
        return find_dim(embedding_spec(settings)) or measure_dim(settings)
    except ModelError as error:
        raise SettingsError([_as_fault("embedding", settings.embedding, str(error))]) from error


def _decided(name: str, settings: Settings) -> Fault:
    problem = "is decided by the documents and the embedding" if not settings.existing else "describes other data"
    return Fault(name, f"{getattr(settings, name)}", problem, "Omit it.")


def _as_fault(setting: str, value: str, text: str) -> Fault:
    """The value and the last full stop are added again when it is shown."""
    own = text.removeprefix(f"{value}: ").removeprefix(f"{value} ").removesuffix(".")
    problem, stop, hint = own.rpartition(". ")
    return Fault(setting, value, problem or hint, f"{hint}." if stop else "Correct it.")
