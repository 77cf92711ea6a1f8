"""An existing collection as its server describes it. Nothing here creates, loads or changes anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Self

import grpc
from pymilvus import DataType, MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.opening import COUNT
from loadgen.milvus.store.reaching import explain_failure
from loadgen.milvus.store.search_kinds import find_generated, find_schema_faults, find_sparse_fields
from loadgen.milvus.store.unready import absent, no_index, not_loaded
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rag_settings import RAG
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.text.listing import join_some

VECTOR_TYPES = {
    DataType.FLOAT_VECTOR: "float32",
    DataType.FLOAT16_VECTOR: "float16",
    DataType.BFLOAT16_VECTOR: "bfloat16",
    DataType.INT8_VECTOR: "int8",
    DataType.BINARY_VECTOR: "binary",
    DataType.SPARSE_FLOAT_VECTOR: "sparse",
}
"""Types of vector fields, by the names that settings and messages use."""
CONSISTENCY = ("Strong", "Session", "Bounded", "Eventually", "Customized")
"""In the order of their numbers in Milvus."""
FROM_DATA = ("dim", "metric", "index_type", "index_params", "consistency", "rows")
"""Settings whose values an existing collection decides."""
FOR_SYNTHETIC = ("clusters", "spread")
"""Settings that only describe generated data."""


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a run has to know of an existing collection. Plain values, so that it can be sent to workers."""

    name: str
    id_field: str
    id_type: str
    """`int64` or `varchar`."""
    id_length: int
    """Maximum characters of a text id; 0 for numbers."""
    is_auto_id: bool
    embedding_field: str
    vector_type: str
    """One of `VECTOR_TYPES`."""
    text_field: str
    """Empty if it has none."""
    sparse_field: str
    """Filled by BM25; empty if it has none, or if several and none was named."""
    doc_id_field: str
    """Empty if it has none."""
    is_dynamic: bool
    is_llamaindex: bool
    """Made by MilvusVectorStore, so that it can also write to it."""
    dim: int
    """0 for sparse vectors."""
    metric: str
    index_type: str
    index_params: Mapping[str, Any]
    consistency: str
    rows: int
    sample: Sequence[int | str] = ()
    """Ids of the rows from which queries are made."""
    token: int = 0
    """Tells the rows that a run inserts from all others."""
    drawn: Sequence[str] = ()
    """Fields whose values filters take from the sampled rows."""
    generated: Sequence[str] = ()
    """Fields that the server fills itself, by functions such as BM25: inserted rows do not have them."""

    def apply(self, settings: Settings) -> Settings:
        """The settings with what the collection decides. Not validated: its index may be one that we do not create."""
        names = (*FROM_DATA, "id_field", "embedding_field", "text_field", "sparse_field", "doc_id_field")
        return settings.model_copy(update={name: getattr(self, name) for name in names})

    def as_message(self) -> dict[str, Any]:
        """Plain values for a worker."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        return cls(**message)


def inspect_collection(settings: Settings, variants: Sequence[tuple[str, Settings]]) -> CollectionInfo:
    """Describe the collection of these settings. Blocks; changes nothing.

    `variants` are all that use it, each with the name of its client and its settings.

    Raises SettingsError with every fault: it does not exist, is not loaded or indexed, its fields are ambiguous, or it
    contradicts a setting of a variant. StoreError if the server fails.
    """
    client = MilvusClient(**connection_arguments(settings, settings.deadline))
    try:
        if not client.has_collection(settings.collection):
            raise SettingsError([absent(client, settings)])
        described = client.describe_collection(settings.collection)
        fields, faults = find_fields(described, settings)
        faults += _find_alias(settings, described)
        if faults:
            raise SettingsError(faults)
        index = _find_index(client, settings.collection, fields["embedding_field"])
        if index is None:
            faults.append(no_index(settings, fields["embedding_field"]))
        if client.get_load_state(settings.collection)["state"] != LoadState.Loaded:
            faults.append(not_loaded(settings))
        for name, one in variants:
            faults += _find_unsupported(one, fields, name)
            faults += find_schema_faults(one, described, fields["embedding_field"])
        if faults:
            raise SettingsError(list(dict.fromkeys(faults)))
        assert index is not None  # noqa: S101 - a fault otherwise
        info = _describe(settings, described, fields, index, _count(client, settings.collection))
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("inspect", settings, error)) from error
    finally:
        client.close()
    if faults := [fault for _, one in variants for fault in find_contradictions(one, info)]:
        raise SettingsError(list(dict.fromkeys(faults)))
    return info


def _count(client: MilvusClient, name: str) -> int:
    return int(client.query(name, **COUNT)[0]["count(*)"])


def _describe(
    settings: Settings, described: Mapping[str, Any], fields: Mapping[str, Any], index: Mapping[str, Any], rows: int
) -> CollectionInfo:
    schema = {field["name"]: field for field in described["fields"]}
    own = {"index_type", "metric_type", "field_name", "index_name", "state", "index_id", "params"}
    params = {name: _number(value) for name, value in index.items() if name not in own and not name.endswith("_rows")}
    params.pop("index_state_fail_reason", None)
    key = schema[fields["id_field"]]
    return CollectionInfo(
        name=settings.collection,
        id_type="int64" if key["type"] == DataType.INT64 else "varchar",
        id_length=int(key.get("params", {}).get("max_length", 0)),
        is_auto_id=bool(described.get("auto_id")),
        is_dynamic=bool(described.get("enable_dynamic_field")),
        is_llamaindex=_is_llamaindex(described, schema),
        dim=int(schema[fields["embedding_field"]].get("params", {}).get("dim", 0)),
        metric=str(index.get("metric_type", "")),
        index_type=str(index["index_type"]),
        index_params=params,
        consistency=CONSISTENCY[int(described.get("consistency_level") or 0)],
        rows=rows,
        generated=find_generated(described),
        **fields,
    )


def _is_llamaindex(described: Mapping[str, Any], schema: Mapping[str, Mapping[str, Any]]) -> bool:
    key = schema.get("id", {})
    has_own_ids = key.get("is_primary") and key["type"] == DataType.VARCHAR and not described.get("auto_id")
    return bool(has_own_ids and "doc_id" in schema and described.get("enable_dynamic_field"))


def _number(value: object) -> object:
    """Milvus reports index parameters as text."""
    text = str(value)
    return int(text) if text.isdecimal() else value


def find_fields(described: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], list[Fault]]:
    """The fields that a run uses, given or detected, with a fault for each that is missing or ambiguous."""
    faults: list[Fault] = []
    schema = {field["name"]: field for field in described["fields"]}
    keys = [name for name, field in schema.items() if field.get("is_primary")]
    sparse = find_sparse_fields(described)
    vectors = {name: VECTOR_TYPES[f["type"]] for name, f in schema.items() if f["type"] in VECTOR_TYPES}
    own = [name for name in vectors if name not in sparse] or list(vectors)
    texts = [name for name, f in schema.items() if f["type"] == DataType.VARCHAR and name not in keys]
    where = f"collection '{settings.collection}'"

    def choose(setting: str, known: Sequence[str], detected: str) -> str:
        given = str(getattr(settings, setting))
        if given and given not in known:
            faults.append(Fault(setting, given, f"is not such a field of {where}", f"It has {join_some(list(known))}."))
        return given or detected

    embedding = choose("embedding_field", list(vectors), own[0] if len(own) == 1 else "")
    if not embedding:
        flag = "Name the one to search with --embedding-field"
        problem = f"is needed: {where} has {len(vectors)} vector fields"
        faults.append(Fault("embedding_field", "", problem, f"{flag}: {join_some(list(vectors))}."))
    key = choose("id_field", keys, keys[0] if keys else "")
    usual = "text" if "text" in texts else ""
    others = [name for name in texts if name != "doc_id"]
    text = choose("text_field", texts, usual or (others[0] if len(others) == 1 else ""))
    doc_id = choose("doc_id_field", [*texts, *keys], "doc_id" if "doc_id" in texts else "")
    filled = settings.sparse_field or (sparse[0] if len(sparse) == 1 else "")
    result = {"id_field": key, "embedding_field": embedding, "text_field": text, "doc_id_field": doc_id}
    result |= {"sparse_field": filled}
    return result | {"vector_type": vectors.get(embedding, "")}, faults


def find_contradictions(settings: Settings, info: CollectionInfo) -> Iterator[Fault]:
    """Settings that were given and differ from the collection, or do not concern it."""
    where = f"collection '{info.name}'"
    for name in FROM_DATA:
        given, actual = getattr(settings, name), getattr(info, name)
        is_unknown = name == "index_params" and not (given and actual)  # Milvus Lite does not report them
        if not settings.is_given(name) or given == actual or is_unknown:
            continue
        shown = ",".join(f"{key}={value}" for key, value in given.items()) if isinstance(given, Mapping) else str(given)
        hint = f"Omit --{name.replace('_', '-')}: an existing collection is measured as it is."
        yield Fault(name, shown, f"contradicts {where}, which has {_shown(actual)}", hint)
    for name in FOR_SYNTHETIC:
        if settings.is_given(name):
            shown, hint = str(getattr(settings, name)), f"Omit --{name}."
            yield Fault(name, shown, f"describes generated data, and {where} exists", hint)
    if not info.rows:
        yield Fault("collection", info.name, "is empty", "Load data, or name another collection.")
    elif settings.top_k > info.rows:
        problem = f"is more than the {info.rows:,} rows of {where}"
        yield Fault("top_k", str(settings.top_k), problem, f"Lower --top-k to {info.rows} or less.")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={part}" for key, part in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _find_index(client: MilvusClient, name: str, field: str) -> Mapping[str, Any] | None:
    for index in client.list_indexes(name):
        described: Mapping[str, Any] = client.describe_index(name, index) or {}
        if described.get("field_name") == field:
            return described
    return None


def _find_alias(settings: Settings, described: Mapping[str, Any]) -> Iterator[Fault]:
    """LlamaIndex looks for the name in the list of collections, and would create one of the name of an alias."""
    name = described["collection_name"]
    if name != settings.collection:
        yield Fault("collection", settings.collection, f"is an alias of '{name}'", f"Use --collection {name}.")


def _find_unsupported(settings: Settings, fields: Mapping[str, Any], client: str) -> Iterator[Fault]:
    kind = fields["vector_type"]
    is_llamaindex = client in (DEFAULT_CLIENT, RAG)
    if is_llamaindex and settings.output_fields and not fields["text_field"]:
        problem = f"need a text field with LlamaIndex, and collection '{settings.collection}' has none"
        hint = "Omit them, or use the pymilvus client."
        yield Fault("output_fields", ",".join(settings.output_fields), problem, hint)
    if kind == "bfloat16" and find_spec("ml_dtypes") is None:
        problem = "has bfloat16 vectors, for which a Python package is missing"
        yield Fault("embedding_field", fields["embedding_field"], problem, "Install it: pip install ml_dtypes.")
    if is_llamaindex and kind not in ("", "float32"):
        problem = f"has {kind} vectors, which LlamaIndex cannot search"
        hint = 'Use the pymilvus client: --variants "pymilvus/sync; pymilvus/async".'
        yield Fault("embedding_field", fields["embedding_field"], problem, hint)
