"""Files as LlamaIndex documents, read by its SimpleDirectoryReader."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from llama_index.core.readers import SimpleDirectoryReader
    from llama_index.core.schema import Document

SUFFIXES = (".txt", ".md", ".pdf")
LONGEST_REASON = 200


def load_files(root: Path, names: Sequence[str], ids: Sequence[str] = ()) -> "list[Document]":
    """A document for each file, all its pages together. Raises whatever a parser raises.

    Its id is given, or the name of the file. It has no metadata: the reader's own changes with the machine and the day.
    """
    reader = _make_reader(root, names)
    return [_name(one, name) for one, name in zip(reader.load_data(), ids or names, strict=True)]


async def aload_files(root: Path, names: Sequence[str], ids: Sequence[str] = ()) -> "list[Document]":
    """The same by the reader's `aload_data`."""
    reader = _make_reader(root, names)
    return [_name(one, name) for one, name in zip(await reader.aload_data(), ids or names, strict=True)]


def explain(error: BaseException) -> str:
    """Why a file could not be read: the innermost cause, below the reader's retries, in one line."""
    while True:
        attempt = getattr(error, "last_attempt", None)  # of tenacity's RetryError
        inner = attempt.exception() if attempt is not None else error.__cause__
        if inner is None:
            break
        error = inner
    if isinstance(error, UnicodeError):
        return "is not UTF-8"
    if isinstance(error, OSError) and error.strerror:
        return one_line(error.strerror, LONGEST_REASON)
    return one_line(f"{error}".strip() or type(error).__name__, LONGEST_REASON)


def _make_reader(root: Path, names: Sequence[str]) -> "SimpleDirectoryReader":
    from llama_index.core.readers import SimpleDirectoryReader

    readers: dict[str, Any] = {}
    if any(name.lower().endswith(".pdf") for name in names):
        from llama_index.readers.file import PDFReader

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong with a file is said in one place
        readers[".pdf"] = PDFReader(return_full_document=True)
    return SimpleDirectoryReader(
        input_files=[root / name for name in names],
        errors="strict",
        file_extractor=readers,
        file_metadata=lambda _: {},
        raise_on_error=True,
    )


def _name(document: "Document", name: str) -> "Document":
    from llama_index.core.schema import Document

    return Document(id_=name, text=document.text)
