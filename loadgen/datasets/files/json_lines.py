"""JSON Lines: an object in each line with `text` and `vector`, and if need be `id` and `metadata`."""

import json
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from loadgen.datasets.dataset import Vectors
from loadgen.datasets.files.content import Content, DataFileError, Payload, as_float32
from loadgen.datasets.rows import FINGERPRINT_KEY

VECTOR = ("vector", "emb", "embedding")
"""Accepted names of the vector."""
RESERVED = frozenset(
    (FINGERPRINT_KEY, "row", "file_id", "id", "doc_id", "document_id", "ref_doc_id", "text", "embedding",
     "_node_content", "_node_type", "$meta")
)  # fmt: skip
"""Keys of a row that LlamaIndex or this tool sets."""
TEXT_BYTES = 65_535
"""Maximum length of a text in UTF-8: LlamaIndex creates the field with it. Tried with Milvus 2.3.5."""
METADATA_BYTES = (65_536 - 800) // 2
"""Maximum size of the metadata as JSON: the dynamic fields of a row contain them twice, beside LlamaIndex's own 700
bytes. Tried likewise."""
EXAMPLE = 'Write one object in each line, such as {"text": "...", "vector": [0.1, 0.2]}.'
SHOWN = 40


class JsonLines:
    """The lines of a file, by their positions. Blank lines are skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts, self._lines = _find_lines(path)
        self.size = len(self._starts)
        if not self.size:
            raise DataFileError(path, "is empty", EXAMPLE)
        self.dim = 0
        self.dim = self.read(0, 1).shape[1]

    def read(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1."""
        result = [self._vector(number, one) for number, one in self._objects(start, stop)]
        return as_float32(np.array(result)) if result else np.empty((0, self.dim), dtype=np.float32)

    def payloads(self, start: int, stop: int) -> list[Payload]:
        """Texts and metadata of these rows. Raises DataFileError for what Milvus does not take."""
        return [self._payload(number, one) for number, one in self._objects(start, stop)]

    def _objects(self, start: int, stop: int) -> list[tuple[int, Mapping[str, Any]]]:
        result = []
        with self.path.open("rb") as file:
            for number in range(start, stop):
                file.seek(self._starts[number])
                result.append((number, self._parse(number, file.readline())))
        return result

    def _parse(self, number: int, line: bytes) -> Mapping[str, Any]:
        try:
            parsed = json.loads(line)
        except (ValueError, RecursionError) as error:
            shown = line[:SHOWN].decode(errors="replace").strip()
            raise self._error(number, f"is not JSON ({error}): {shown}", EXAMPLE) from error
        if not isinstance(parsed, dict):
            raise self._error(number, "is no object", EXAMPLE)
        return parsed

    def _vector(self, number: int, one: Mapping[str, Any]) -> "np.ndarray[Any, Any]":
        name = next((name for name in VECTOR if name in one), None)
        if name is None:
            problem = f"has no vector, only {', '.join(map(str, one)) or 'an empty object'}"
            raise self._error(number, problem, f"Name it {' or '.join(VECTOR)}.")
        try:
            vector = np.array(one[name])
        except ValueError:  # lists of different lengths
            vector = np.array(None)
        if vector.ndim != 1 or not vector.size or vector.dtype.kind not in "fiu":
            raise self._error(number, f"has no list of numbers as {name}", EXAMPLE)
        if self.dim and vector.size != self.dim:
            problem = f"has a vector of {vector.size} values, and the first has {self.dim}"
            raise self._error(number, problem, "Write all vectors with the same length.")
        return vector

    def _payload(self, number: int, one: Mapping[str, Any]) -> Payload:
        text, metadata = one.get("text", ""), one.get("metadata") or {}
        if not isinstance(text, str):
            raise self._error(number, "has a text that is no string", EXAMPLE)
        if not isinstance(metadata, dict):
            raise self._error(number, "has metadata that is no object", EXAMPLE)
        if taken := sorted(RESERVED.intersection(metadata)):
            problem = f"has metadata named {', '.join(taken)}, which LlamaIndex or this tool sets"
            raise self._error(number, problem, "Give it another name.")
        sizes = len(text.encode(errors="replace")), len(json.dumps(metadata, ensure_ascii=False).encode())
        for size, limit, what in zip(sizes, (TEXT_BYTES, METADATA_BYTES), ("text", "metadata"), strict=True):
            if size > limit:
                problem = f"has {size:,} bytes of {what}, and Milvus takes {limit:,}"
                raise self._error(number, problem, f"Shorten the {what}, or split the row.")
        own = {"file_id": one["id"]} if isinstance(one.get("id"), str | int) else {}
        return Payload(text, metadata | own)

    def _error(self, number: int, problem: str, hint: str) -> DataFileError:
        return DataFileError(self.path, f"line {self._lines[number]} {problem}", hint)


def open_json_lines(path: Path) -> Content:
    """The rows of a file of JSON lines; it has no queries. Raises DataFileError."""
    lines = JsonLines(path)
    return Content(path, "json lines", lines, (path,), payloads=lines.payloads)


def _find_lines(path: Path) -> "tuple[array[int], array[int]]":
    """Position and number of each line that is not blank."""
    starts, numbers, at = array("q"), array("q"), 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.isspace():
                starts.append(at)
                numbers.append(number)
            at += len(line)
    return starts, numbers
