"""Message sizes of a run against the servers' limits, known before anything is sent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.metadata import parse_metadata

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

MIB = 1024 * 1024
ROW_BYTES = 795
"""A row without its vector, as LlamaIndex writes it: ids, text, and the node as JSON.

Below the smallest row of this tool (804 in an answer of Milvus, 818 in one of Milvus Lite, 830 in a request), so that
nothing is refused that a server would accept.
"""
SHORT_TEXT = 15
"""Bytes of a text that is not sized, at most."""
VECTOR_FIELDS = ("*", "embedding")
"""Output fields that return the vector; no output fields means all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest message in each direction, in bytes. pymilvus itself sets none: it passes -1 to gRPC."""

    request: int
    answer: int


MILVUS_2_3 = Limits(request=64 * MIB, answer=64 * MIB)
"""`proxy.grpc.serverMaxRecvSize` and `serverMaxSendSize` in the milvus.yaml of the wheel milvus 2.3.5. Tried there: 500
rows of 131,689 bytes pass in both directions; 520 are refused as 68,478,184 and 68,485,154 against 67,108,864."""
MILVUS = Limits(request=64 * MIB, answer=256 * MIB)
"""The same two settings in the milvus.yaml of Milvus 2.4 to 2.6, which Zilliz Cloud runs."""
LITE = Limits(request=256 * MIB, answer=256 * MIB)
"""`_MAX_MESSAGE_SIZE` in milvus_lite/adapter/grpc/server.py. Tried with 3.2.2: 2,030 such rows pass in both directions;
2,060 are refused as 271,281,371 and 271,321,518 against 268,435,456."""


def limits_of(kind: str, version: str) -> Limits:
    """Limits of a server of this kind (`milvus`, `lite`, `zilliz`) and version, in the default configuration."""
    if kind == "lite":
        return LITE
    return MILVUS_2_3 if version.startswith(("v2.2.", "v2.3.", "2.2.", "2.3.")) else MILVUS


def estimate_request(settings: "Settings") -> int:
    """Bytes of the largest insert: a batch while loading, or one operation, whichever has more rows."""
    loaded = 0 if settings.existing else settings.rows
    return min(settings.batch_size, max(loaded, settings.nodes_per_insert)) * _row_bytes(settings)


def estimate_answer(settings: "Settings") -> int:
    """Bytes of a search's answer that includes vectors or sized texts; 0 otherwise, as it is small then."""
    rows = settings.fetched * settings.queries_per_search
    if _has_vectors(settings):
        return rows * _row_bytes(settings)
    return rows * _text_bytes(settings)  # LlamaIndex always asks for the text


def _has_vectors(settings: "Settings") -> bool:
    fields, own = settings.output_fields, settings.embedding_field
    return not fields or bool(set(fields) & set(("*", own) if own else VECTOR_FIELDS))


def find_oversized(settings: "Settings", limits: Limits) -> list[Fault]:
    """A fault for each kind of message above the limit."""
    faults: list[Fault] = []
    row, has_vectors = _row_bytes(settings), _has_vectors(settings)
    each_found = row if has_vectors else settings.text_bytes
    for name, each, size, limit, hint in (
        ("batch_size", row, estimate_request(settings), limits.request, "Set --batch-size to {most} or less."),
        ("top_k", each_found, estimate_answer(settings), limits.answer, _fewer(settings)),
    ):
        if size > limit:
            what = "inserts" if name == "batch_size" else "answers with all fields"
            about = f"a {'vector' if settings.existing else 'row'} of dimension {settings.dim} has {each:,} bytes"
            if name == "top_k" and not has_vectors:
                what, about = "answers", f"a text has {each:,} bytes"
            problem = f"makes {what} of {size / MIB:,.0f} MiB ({about}), but the server accepts {limit // MIB} MiB"
            most = _most(settings, name, limit // each)
            faults.append(Fault(name, str(getattr(settings, name)), problem, hint.format(most=most)))
    return faults


def _fewer(settings: "Settings") -> str:
    """The remedy for an answer that is too large; an existing collection may have no field but the vector to return."""
    text, doc_id = (settings.text_field, settings.doc_id_field) if settings.existing else ("text", "doc_id")
    fewer = "Set --top-k to {most} or less"
    if settings.queries_per_search > 1:
        fewer = f"Lower --queries-per-search (now {settings.queries_per_search}), or set --top-k to {{most}} or less"
    if not text or not _has_vectors(settings):
        return f"{fewer}."
    others = f"{text},{doc_id}" if doc_id else text
    return f"{fewer}, or omit the vector with --output-fields {others}."


def _most(settings: "Settings", name: str, rows: int) -> int:
    """The highest value of a setting for a number of rows per message."""
    if name != "top_k":
        return rows
    return max(1, rows * settings.top_k // (settings.fetched * settings.queries_per_search))


def _text_bytes(settings: "Settings") -> int:
    return 0 if settings.existing else settings.text_bytes


def _row_bytes(settings: "Settings") -> int:
    if settings.existing:
        return 4 * settings.dim  # its rows may have little else
    text = max(0, settings.text_bytes - SHORT_TEXT)
    # LlamaIndex writes metadata twice: as fields, and in the node.
    metadata = sum(2 * (len(field.name) + field.shortest + 4) for field in parse_metadata(settings.metadata))
    return 4 * settings.dim + ROW_BYTES + text + metadata
