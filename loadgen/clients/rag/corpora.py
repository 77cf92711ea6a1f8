"""The documents of a run and their chunks, read once per process as long as the files do not change."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clients.rag.documents import Corpus, built_in_corpus, read_corpus, split_corpus
from loadgen.clients.rag.questions import Question, generate_questions
from loadgen.settings.model import Settings
from loadgen.text.listing import count_of, join_some

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

BUILT_IN = 400
"""Documents that are generated if none are given."""
Signature = tuple[tuple[str, int, int], ...]

logger = logging.getLogger("loadgen")


@dataclass(frozen=True, slots=True)
class CorpusChunks:
    """The chunks of all documents, and the fingerprint of these."""

    fingerprint: str
    nodes: "tuple[TextNode, ...]"


def find_documents(settings: Settings) -> Corpus:
    """The documents of these settings. Raises CorpusError."""
    return _read(settings.documents, settings.seed, _sign(settings.documents))


def find_chunks(settings: Settings) -> CorpusChunks:
    """The chunks of the documents. Raises CorpusError."""
    key = (settings.documents, settings.seed, _sign(settings.documents))
    return _split(*key, settings.chunk_size, settings.chunk_overlap)


def find_generated_questions(settings: Settings) -> tuple[Question, ...]:
    """Questions on the documents, made once for each number of them. Raises CorpusError."""
    return _generate(settings.documents, settings.seed, _sign(settings.documents), settings.queries)


@lru_cache(maxsize=8)
def _generate(path: str, seed: int, signature: Signature, number: int) -> tuple[Question, ...]:
    return generate_questions(_read(path, seed, signature), number, seed)


@lru_cache(maxsize=1)
def _read(path: str, seed: int, _signature: Signature) -> Corpus:
    if not path:
        return built_in_corpus(BUILT_IN, seed)
    corpus = read_corpus(Path(path))
    if corpus.broken:
        shown = join_some([f"{one.path} ({one.reason})" for one in corpus.broken])
        logger.warning("%s of %s left out: %s", count_of(len(corpus.broken), "file"), path, shown)
    return corpus


@lru_cache(maxsize=8)
def _split(path: str, seed: int, signature: Signature, size: int, overlap: int) -> CorpusChunks:
    corpus = _read(path, seed, signature)
    return CorpusChunks(corpus.fingerprint, tuple(split_corpus(corpus, size, overlap)))


def _sign(path: str) -> Signature:
    """Names, sizes and times of all files; reading them reports what is wrong with them."""
    return tuple(_list_files(path)) if path else ()


def _list_files(path: str) -> Iterator[tuple[str, int, int]]:
    names = (
        [path]
        if Path(path).is_file()
        else sorted(str(Path(folder, name)) for folder, _, files in os.walk(path) for name in files)
    )
    for name in names:
        try:
            result = Path(name).stat()
        except OSError:
            continue
        yield name, result.st_size, result.st_mtime_ns
