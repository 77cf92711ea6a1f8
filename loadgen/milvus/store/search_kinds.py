"""Which kinds of search a server and a collection can do: known before anything is created or sent."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pymilvus import DataType, FunctionType

from loadgen.milvus.store.reaching import ServerInfo
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.values import HYBRID, MMR

BM25_SINCE = (2, 5)
"""The first version of Milvus that computes BM25 itself."""
VERSION = re.compile(r"v?(\d+)\.(\d+)")
MMR_FIELD = "embedding"
"""The field from which LlamaIndex's MMR search reads the vectors, whatever `embedding_field` says."""


def find_kind_faults(settings: Settings, server: ServerInfo) -> list[Fault]:
    """Why this server cannot do the kind of search.

    Milvus Lite has BM25 whatever version it reports. A version that cannot be read is not refused: the server refuses
    the index then, and the collection is dropped again.
    """
    if not settings.has_full_text or server.kind == "lite":
        return []
    match = VERSION.match(server.version)
    if match is None or (int(match[1]), int(match[2])) >= BM25_SINCE:
        return []
    problem = f"needs Milvus 2.5 or later, or Milvus Lite: the server is {server.version}, which has no BM25"
    return [Fault("search_kind", HYBRID, problem, "Choose dense or mmr, or another server.")]


def require_kinds(settings: Iterable[Settings], server: ServerInfo) -> None:
    """Raise SettingsError if the server cannot do all kinds of search of a run."""
    if faults := list(dict.fromkeys(fault for one in settings for fault in find_kind_faults(one, server))):
        raise SettingsError(faults)


def find_sparse_fields(described: Mapping[str, Any]) -> list[str]:
    """The fields of a collection that its server fills by BM25."""
    functions = [one for one in described.get("functions") or () if one["type"] == FunctionType.BM25]
    return [field for one in functions for field in one["output_field_names"]]


def find_generated(described: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a collection that its server fills by functions of any type."""
    return tuple(field for one in described.get("functions") or () for field in one["output_field_names"])


def find_schema_faults(settings: Settings, described: Mapping[str, Any], embedding_field: str) -> Iterator[Fault]:
    """Why the kind of search is impossible in an existing collection."""
    where = f"collection '{settings.collection}'"
    if settings.search_kind == MMR and embedding_field != MMR_FIELD:
        problem = f"reads the vectors from a field named {MMR_FIELD} in LlamaIndex, and those of {where} are in"
        yield Fault("search_kind", MMR, f"{problem} {embedding_field}", "Choose dense.")
    if settings.search_kind != HYBRID:
        return
    known = find_sparse_fields(described)
    if not known:
        sparse = [one["name"] for one in described["fields"] if one["type"] == DataType.SPARSE_FLOAT_VECTOR]
        has = f"fills {sparse[0]} with other vectors than BM25" if sparse else "has none"
        yield Fault(
            "search_kind", HYBRID, f"needs a BM25 field, and {where} {has}", "Choose dense, or another collection."
        )
    elif settings.sparse_field and settings.sparse_field not in known:
        problem = f"is not a BM25 field of {where}"
        yield Fault("sparse_field", settings.sparse_field, problem, f"It has {', '.join(known)}.")
    elif not settings.sparse_field and len(known) > 1:
        hint = f"Name one of {', '.join(known)} with --sparse-field."
        yield Fault("sparse_field", "", f"is needed: {where} has {len(known)} BM25 fields", hint)
