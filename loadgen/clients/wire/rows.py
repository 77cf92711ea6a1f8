"""Inserts and upserts: pymilvus packs the scalar fields of the rows, and float vectors go in as they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus.client.prepare import Prepare
from pymilvus.client.types import DataType
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from loadgen.clients.wire.protobuf import MessageField, split, write_head, write_number, write_text

ROWS = milvus_pb2.InsertRequest.DESCRIPTOR.fields_by_name["fields_data"].number
"""The fields of the rows in an insert; the same in an upsert."""
_FIELD = {name: one.number for name, one in schema_pb2.FieldData.DESCRIPTOR.fields_by_name.items()}
_VECTORS = {name: one.number for name, one in schema_pb2.VectorField.DESCRIPTOR.fields_by_name.items()}
FLOATS = schema_pb2.FloatArray.DESCRIPTOR.fields_by_name["data"].number


def encode_rows(
    collection: str, rows: Sequence[Mapping[str, Any]], partition: str, schema: Mapping[str, Any], *, upserts: bool
) -> bytes:
    """The request that pymilvus's clients send for the rows of a collection, as their `describe_collection` has it.

    Raises DataNotMatchException for rows that do not fit.
    """
    vectors = {name: result for name in _find_vector_fields(schema) if (result := _stack(rows, name)) is not None}
    others = [field for field in schema["fields"] if field["name"] not in vectors]
    scalars = [{name: value for name, value in row.items() if name not in vectors} for row in rows]
    pack = Prepare.row_upsert_param if upserts else Prepare.row_insert_param
    request = pack(
        collection,
        scalars,
        partition,
        others,
        schema.get("struct_array_fields", []),
        enable_dynamic=schema.get("enable_dynamic_field", False),
        schema_timestamp=schema.get("update_timestamp", 0),
    )
    packed: bytes = request.SerializeToString()
    if not vectors:
        return packed
    names = [field.field_name for field in request.fields_data]
    return b"".join(_insert_vectors(split(packed), names, vectors, [field["name"] for field in schema["fields"]]))


def _find_vector_fields(schema: Mapping[str, Any]) -> list[str]:
    """Fields with float vectors that every row has."""
    fields = schema["fields"]
    return [one["name"] for one in fields if one["type"] == DataType.FLOAT_VECTOR and not one.get("nullable")]


def _stack(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    """The vectors of all rows, (rows, dim); None unless they are arrays of one length."""
    result = [row.get(name) for row in rows]
    first = result[0] if result else None
    if not isinstance(first, np.ndarray) or not first.size:
        return None
    if not all(isinstance(one, np.ndarray) and one.shape == (first.size,) for one in result):
        return None
    return np.asarray(result, dtype="<f4")


def _insert_vectors(
    fields: list[MessageField], names: list[str], vectors: Mapping[str, Any], order: Sequence[str]
) -> list[Any]:
    """The pieces of a request with the vectors at their place among its rows' fields."""
    first = next(place for place, one in enumerate(fields) if one.number == ROWS)
    packed = [one.raw for one in fields if one.number == ROWS]
    written: list[Any] = [one.raw for one in fields[:first]]
    done = 0
    for name in order:
        if name in vectors:
            written += [_head_of(name, vectors[name]), vectors[name].data]
        elif done < len(names) and names[done] == name:
            written.append(packed[done])
            done += 1
    return [*written, *packed[done:], *(one.raw for one in fields[first:] if one.number != ROWS)]


def _head_of(name: str, vectors: Any) -> bytes:
    """All of the `FieldData` of some vectors (rows, dim) but their numbers."""
    floats = write_head(FLOATS, vectors.nbytes)
    array = write_head(_VECTORS["float_vector"], len(floats) + vectors.nbytes) + floats
    content = write_number(_VECTORS["dim"], vectors.shape[1]) + array
    before = (
        write_number(_FIELD["type"], int(DataType.FLOAT_VECTOR))
        + write_text(_FIELD["field_name"], name)
        + write_head(_FIELD["vectors"], len(content) + vectors.nbytes)
        + content
    )
    return write_head(ROWS, len(before) + vectors.nbytes) + before
