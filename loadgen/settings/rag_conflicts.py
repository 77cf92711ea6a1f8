"""Conflicts of the settings of the RAG path with each other and with those of other clients."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loadgen.settings.data_settings import DOCUMENTS, SYNTHETIC
from loadgen.settings.faults import Fault
from loadgen.settings.rag_settings import RAG

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

ONLY_FOR_RAG = (
    "documents", "documents_per_ingest", "chunk_size", "chunk_overlap", "questions", "embedding", "embedding_url",
    "embed_in", "llm", "llm_url", "stream", "simulated_url",
)  # fmt: skip
UNUSED = ("dataset", "query_file", "filter", "partitions", "partition_key", "metadata", "text_bytes", "search_kind",
          "output_fields", "queries_per_search", "upsert", "stages")  # fmt: skip
"""Settings of searches and inserts that this client does not have."""
QUESTIONS_HINT = 'Give a JSON Lines file with lines such as {"question": "Who ...?", "documents": ["id"]}.'
URLS = ("embedding_url", "llm_url", "simulated_url")
NAMED = re.compile(rf"(?:[^:=\"]*:)?\s*{RAG}/")
Conflict = tuple[Fault, tuple[str, ...]]


def is_rag(settings: "Settings") -> bool:
    """Whether any variant may use the client."""
    return settings.client == RAG or any(NAMED.match(text.strip()) for text in settings.variants)


def find_rag_conflicts(settings: "Settings") -> list[Conflict]:
    """All faults, each with the names of the settings involved."""
    if not is_rag(settings):
        return [*_find_idle(settings)]
    return [*_find_unused(settings), *_find_chunk_faults(settings), *_find_url_faults(settings)]


def _find_idle(settings: "Settings") -> Iterator[Conflict]:
    for name in ONLY_FOR_RAG:
        value = getattr(settings, name)
        if value != type(settings).model_fields[name].default:
            shown = "" if isinstance(value, bool) else str(value)
            fault = Fault(name, shown, "is for the RAG path", "Add --client rag, or omit it.")
            yield fault, (name, "client", "variants")


def _find_unused(settings: "Settings") -> Iterator[Conflict]:
    for name in UNUSED:
        value = getattr(settings, name)
        if value != type(settings).model_fields[name].default and (name, value) != ("dataset", DOCUMENTS):
            shown = {"search_kind": str(value), "dataset": str(value)}.get(name, "" if value is True else _text(value))
            yield Fault(name, shown, "is not possible with --client rag", "Omit it."), (name, "client", "variants")
    if settings.existing and settings.documents and not settings.allow_writes:
        problem = "are documents to index, but --existing loads none"
        hint = "Omit one of the two, or let users ingest them with --allow-writes."
        yield Fault("documents", settings.documents, problem, hint), ("documents", "existing")
    if settings.existing and not settings.questions and not settings.allow_writes:
        problem = "are required with --existing: there are no documents from which to generate them"
        hint = f"{QUESTIONS_HINT} Users who only ingest need --allow-writes instead."
        yield Fault("questions", "", problem, hint), ("questions", "existing")


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _find_chunk_faults(settings: "Settings") -> Iterator[Conflict]:
    if settings.chunk_overlap >= settings.chunk_size:
        problem = f"is not below the {settings.chunk_size} tokens of a chunk"
        hint = "Lower --chunk-overlap or raise --chunk-size."
        fault = Fault("chunk_overlap", str(settings.chunk_overlap), problem, hint)
        yield fault, ("chunk_overlap", "chunk_size")


def _find_url_faults(settings: "Settings") -> Iterator[Conflict]:
    for name in URLS:
        url = getattr(settings, name)
        if url and (problem := _find_flaw(url)):
            yield (
                Fault(name, _without_query(url), problem, "Give an address such as http://127.0.0.1:8000/v1."),
                (name,),
            )


def _find_flaw(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return "is not an address that starts with http:// or https://"
    except ValueError as error:
        return f"is not an address ({error})"
    if parts.username or parts.password:
        return "contains a password, which would be recorded; keys are read from the environment"
    return ""


def _without_query(url: str) -> str:
    from loadgen.settings.conflicts import without_secret

    return without_secret(url).partition("?")[0]  # it may contain a key


def is_documents(settings: "Settings") -> bool:
    """Whether the rows of the collection are chunks of documents, not vectors of a dataset."""
    return settings.client == RAG and settings.dataset in (SYNTHETIC, DOCUMENTS)
