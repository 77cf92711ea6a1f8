"""The documents of a corpus: read from files or built in, and split into chunks."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clients.rag.built_in import write_document
from loadgen.clients.rag.extras import RAG, list_missing, name_remedy
from loadgen.clients.rag.reading import SUFFIXES, explain, load_files
from loadgen.text.listing import count_of, join, join_some
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import BaseNode, Document, TextNode

FORMAT = 1
"""Increase it with any change to how files become documents."""
KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
PDF_MODULES = ("llama_index.readers.file", "pypdf")


class CorpusError(ValueError):
    """Documents that cannot be used; the message names the path, the problem and the remedy."""


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that was left out: its path relative to the root, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents in the order of their ids; the id of one from a file is the path relative to the root."""

    documents: "tuple[Document, ...]"
    broken: tuple[BrokenFile, ...]
    fingerprint: str
    """16 hex digits of all ids and texts."""
    root: Path | None = None
    """The folder that the ids are relative to; None for a corpus that is in no files."""


def read_corpus(path: Path) -> Corpus:
    """The .txt, .md and .pdf files of a folder and its subfolders, or one file, a document each.

    Hidden files and folders are skipped. Files that cannot be read are left out and listed in `broken`. Raises
    CorpusError if the path cannot be read, if there is nothing to read, or if a package that reads PDFs is missing.
    """
    root, names = _find_files(path)
    if any(name.lower().endswith(".pdf") for name in names) and (missing := list_missing(*PDF_MODULES)):
        raise _fault(path, f"contains PDFs, which cannot be read without {join(missing)}", name_remedy(RAG))
    documents: list[Document] = []
    broken: list[BrokenFile] = []
    for name in names:
        try:
            name.encode()
            (document,) = load_files(root, [name])
        except Exception as error:  # noqa: BLE001 - a parser may raise anything
            broken.append(BrokenFile(one_line(name), explain(error)))
            continue
        if document.text.strip():
            documents.append(document)
        else:
            broken.append(BrokenFile(name, "contains no text"))
    if not documents:
        result = join_some([f"{one.path} ({one.reason})" for one in broken])
        raise _fault(path, f"has no readable document: {result}", "Add files with text.")
    return Corpus(tuple(documents), tuple(broken), _find_fingerprint(documents), root)


def built_in_corpus(documents: int, seed: int) -> Corpus:
    """A seeded corpus of short English-like documents on a dozen topics, 50 to 600 words each."""
    from llama_index.core.schema import Document

    written = sorted(write_document(number, seed) for number in range(documents))
    made = tuple(Document(id_=name, text=text) for name, text in written)
    return Corpus(made, (), _find_fingerprint(made))


def make_splitter(chunk_size: int, chunk_overlap: int) -> "SentenceSplitter":
    """LlamaIndex's SentenceSplitter; sizes are in tokens of its tokenizer.

    A chunk's id is that of its document, `#` and its number, from 0. Raises CorpusError if it would be all overlap.
    """
    from llama_index.core.node_parser import SentenceSplitter

    if not 0 <= chunk_overlap < chunk_size:
        raise CorpusError(
            f"a chunk of {count_of(chunk_size, 'token')} cannot overlap by {chunk_overlap:,}. "
            "Choose an overlap from 0 to less than the chunk."
        )
    return SentenceSplitter(chunk_size=chunk_size, chunk_overlap=chunk_overlap, id_func=name_chunk)


def name_chunk(number: int, document: "BaseNode") -> str:
    """The id of a chunk."""
    return f"{document.node_id}#{number}"


def split_corpus(corpus: Corpus, chunk_size: int, chunk_overlap: int) -> "list[TextNode]":
    """The chunks of all documents, in their order, with their document as `ref_doc_id`. Raises CorpusError."""
    from llama_index.core.schema import TextNode

    nodes = make_splitter(chunk_size, chunk_overlap)(corpus.documents)
    return [node for node in nodes if isinstance(node, TextNode)]


def token_counter() -> Callable[[str], int]:
    """Counts the tokens of a text with the tokenizer that the splitter uses."""
    from llama_index.core.utils import get_tokenizer

    tokenize = get_tokenizer()
    return lambda text: len(tokenize(text))


def _find_files(path: Path) -> tuple[Path, list[str]]:
    """The root, and the files below it in order. Raises CorpusError."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            names = sorted(_walk(path))
            if not names:
                raise _fault(path, f"contains no {KINDS} files", "Add some, or name another folder.")
            return path, names
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise _fault(path, problem, "Name a readable file or folder.") from error
    if not stat.S_ISREG(mode):
        raise _fault(path, "is neither a file nor a folder", "Name a file or a folder.")
    if path.suffix.lower() not in SUFFIXES:
        raise _fault(path, "is of an unknown kind", f"Name a {KINDS} file, or a folder of such files.")
    return path.parent, [path.name]


def _walk(root: Path) -> Iterable[str]:
    """Relative paths of the files that can be read; raises the OSError of a folder that cannot."""
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            result = Path(folder, name)
            if (
                not name.startswith(".")
                and result.suffix.lower() in SUFFIXES
                and (result.is_file() or result.is_symlink())
            ):
                yield result.relative_to(root).as_posix()


def _raise(error: OSError) -> None:
    raise error


def _fault(path: Path, problem: str, hint: str) -> CorpusError:
    return CorpusError(f"{one_line(path)} {problem}. {hint}")


def _find_fingerprint(documents: "Sequence[Document]") -> str:
    digest = hashlib.sha256(f"{FORMAT}".encode())
    for document in documents:
        for part in (document.node_id, document.text):
            content = part.encode(errors="surrogatepass")
            digest.update(f"/{len(content)}/".encode() + content)
    return digest.hexdigest()[:16]
