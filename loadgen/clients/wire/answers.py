"""Answers of Milvus, reduced to what was asked for. Raises MilvusException for those that report an error."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from pymilvus.client.types import DataType
from pymilvus.client.utils import check_status
from pymilvus.grpc_gen import milvus_pb2

_parse_search = milvus_pb2.SearchResults.FromString


class Hits(NamedTuple):
    """The answer to a search, nearest first, query vector by query vector."""

    ids: list[Any]
    """Texts or numbers, as the primary key is."""
    scores: list[float]
    """One per hit: float32, as Milvus sends them."""
    counts: list[int]
    """Hits of each query vector."""
    columns: dict[str, list[Any]]
    """The requested fields that are no vectors, by name: one value per hit, None if it has none."""


class Written(NamedTuple):
    """The answer to an insert, an upsert or a delete."""

    ids: list[str]
    timestamp: int
    """When the server wrote it: what a search with Session consistency waits for."""


def decode_search(reply: bytes) -> Hits:
    """The hits of `SearchResults`; vectors in it are skipped."""
    answer = _parse_search(reply)
    status = answer.status
    if status.code or status.error_code:
        check_status(status)
    result = answer.results
    ids = result.ids.str_id.data[:] or result.ids.int_id.data[:]  # a slice is a list, made sooner than by `list`
    fields = result.fields_data
    return Hits(ids, result.scores[:], result.topks[:], _read_columns(fields, result, ids) if fields else {})


def decode_written(reply: bytes) -> Written:
    """What `MutationResult` says."""
    answer = milvus_pb2.MutationResult.FromString(reply)
    check_status(answer.status)
    return Written(list(answer.IDs.str_id.data) or list(map(str, answer.IDs.int_id.data)), answer.timestamp)


def decode_count(reply: bytes) -> int:
    """The number in `QueryResults` for `count(*)`."""
    answer = milvus_pb2.QueryResults.FromString(reply)
    check_status(answer.status)
    return int(answer.fields_data[0].scalars.long_data.data[0])


def text_ids(ids: Sequence[Any]) -> Sequence[str]:
    """Ids as texts."""
    return ids if not ids or isinstance(ids[0], str) else [str(one) for one in ids]


def _read_columns(fields: Sequence[Any], result: Any, ids: list[Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    key = result.primary_field_name
    for field in fields:
        if key and field.field_name == key:  # its values are the ids
            columns[key] = ids
            continue
        read = _READERS.get(field.type)
        if read is None:
            continue
        values = read(field)
        if len(values) < len(ids):  # of a field without any value a server may send nothing
            values = [*values, *[None] * (len(ids) - len(values))]
        if field.valid_data:
            values = [value if valid else None for value, valid in zip(values, field.valid_data, strict=True)]
        if field.is_dynamic:
            columns |= _find_dynamic(values, fields, result.output_fields)
        else:
            columns[field.field_name] = values
    return columns


def _find_dynamic(values: Sequence[Any], fields: Sequence[Any], requested: Sequence[str]) -> dict[str, Any]:
    """Columns of the names in the dynamic field: those requested, or, if `*` was, all that a row has.

    A row may have none: those from before a collection had a dynamic field.
    """
    declared = {field.field_name for field in fields}
    rows: list[Mapping[str, Any]] = [value or {} for value in values]
    names = [name for name in requested if name not in declared]
    return {
        name: [row.get(name) for row in rows] for name in names or dict.fromkeys(name for row in rows for name in row)
    }


def _values_of(name: str) -> Callable[[Any], list[Any]]:
    return lambda field: list(getattr(field.scalars, name).data)


def _read_json(field: Any) -> list[Any]:
    return [orjson.loads(text) if text else None for text in field.scalars.json_data.data]


def _read_arrays(field: Any) -> list[Any]:
    return [_read_array(one) for one in field.scalars.array_data.data]


def _read_array(array: Any) -> list[Any]:
    kind = array.WhichOneof("data")
    return list(getattr(array, kind).data) if kind else []


_READERS: Mapping[int, Callable[[Any], list[Any]]] = {
    DataType.BOOL: _values_of("bool_data"),
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), _values_of("int_data")),
    DataType.INT64: _values_of("long_data"),
    DataType.FLOAT: _values_of("float_data"),
    DataType.DOUBLE: _values_of("double_data"),
    DataType.VARCHAR: _values_of("string_data"),
    DataType.JSON: _read_json,
    DataType.ARRAY: _read_arrays,
}
"""How the values of a field are read, by its type; fields of other types are skipped."""
