"""The data of the RAG path: chunks of documents, embedded once before the load, and questions on them."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from loadgen.clients.rag.client import ASK, INGEST, RETRIEVE
from loadgen.clients.rag.corpora import find_chunks, find_documents
from loadgen.clients.rag.document_dataset import DocumentDataset, find_questions
from loadgen.clients.rag.documents import CorpusError, token_counter
from loadgen.clients.rag.embedding_rows import measure_dim
from loadgen.clients.rag.engine import embedding_spec, find_place, llm_spec
from loadgen.clients.rag.models import NONE, ModelError, check_embed_in, check_embedding, check_llm, find_dim
from loadgen.clients.rag.questions import (
    QuestionsError,
    fingerprint_of,
)
from loadgen.clients.rag.stages import INTER_TOKEN
from loadgen.measure.objective import parse_objective
from loadgen.settings.data_settings import DOCUMENTS
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rag_conflicts import QUESTIONS_HINT
from loadgen.settings.variants import find_variants, settings_of
from loadgen.text.listing import count_of

if TYPE_CHECKING:
    pass

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

    def find_faults(self, settings: Sequence[Settings], operations: Collection[str] | None = None) -> list[Fault]:
        """Missing packages, keys, documents and questions, and unknown models. Reads the documents; sends nothing."""
        faults: list[Fault] = []
        asks = operations is None or ASK in operations
        operations = operations or ()
        for one in settings:
            faults += _find_model_faults(one, asks=asks)
            if one.llm == NONE and ASK in operations:
                faults.append(Fault("llm", NONE, "cannot answer, but the users ask", "Give simulated or openai:MODEL."))
            if one.existing and not one.questions and {ASK, RETRIEVE} & set(operations):
                problem = "are required with --existing by users who ask: there are no documents to generate them from"
                faults.append(Fault("questions", "", problem, QUESTIONS_HINT))
            faults += [_decided(name, one) for name in DECIDED if one.is_given(name)]
            try:
                if not one.existing or one.allow_writes:
                    find_chunks(one)
                find_questions(one)
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
        queries = {"queries": len(find_questions(settings))}
        if settings.existing:
            return settings.model_copy(update=queries)
        rows = len(find_chunks(settings).nodes)
        if settings.top_k > rows:
            problem = f"is more than the {count_of(rows, 'chunk')} of the documents"
            hint = f"Lower --top-k to {rows} or less, or --chunk-size."
            raise SettingsError([Fault("top_k", str(settings.top_k), problem, hint)])
        return settings.model_copy(update=queries | {"rows": rows, "dim": _find_dim(settings), "dataset": DOCUMENTS})

    def describe(self, settings: Settings) -> str:
        """Documents and questions; of an existing collection that is only read, the latter. Raises CorpusError."""
        questions = find_questions(settings)
        result = [(count_of(len(questions), "question"), fingerprint_of(questions))]
        if not settings.existing or settings.allow_writes:
            corpus = find_documents(settings)
            result = [(count_of(len(corpus.documents), "document"), corpus.fingerprint), *result]
        return " and ".join(f"{number} (fingerprint {fingerprint})" for number, fingerprint in result)

    def open(self, settings: Settings, token: int = 0) -> "DocumentDataset":
        """The chunks of the documents; of an existing collection only the questions, and what is ingested."""
        return DocumentDataset(settings, token)


def _find_model_faults(settings: Settings, *, asks: bool) -> Iterator[Fault]:
    """An LLM that nobody asks needs no key."""
    embedding = embedding_spec(settings)
    for text in check_embedding(embedding):
        yield _as_fault("embedding", settings.embedding, text)
    for text in check_llm(llm_spec(settings)) if asks else ():
        yield _as_fault("llm", settings.llm, text)
    for text in check_embed_in(embedding, find_place(settings)):
        yield _as_fault("embed_in", settings.embed_in, text)


def _find_unstreamed(settings: Sequence[Settings], operations: Collection[str]) -> Iterator[Fault]:
    """Conditions and requirements on the time between two tokens where no answer is streamed."""
    if ASK not in operations or any(one.stream for one in settings):
        return
    problem = f"is of {INTER_TOKEN}, and no answer is streamed"
    for text in settings[0].require:
        if text.split()[:1] == [ASK] and INTER_TOKEN in text.split():
            yield Fault("require", f'"{text}"', problem, "Add --stream.")
    with suppress(SettingsError):  # reported with the other settings of the result
        for one in parse_objective(settings[0].objective):
            if one.part == INTER_TOKEN:
                yield Fault("objective", f'"{one.text}"', problem, "Add --stream.")


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
