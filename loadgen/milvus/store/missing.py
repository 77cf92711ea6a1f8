"""Which rows of a collection are missing, by their ids."""

from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.model import Settings

AT_ONCE = 500
"""Ids in one query."""


def find_missing(settings: Settings, ids: Sequence[str]) -> list[str]:
    """The ids that no row of the collection has, in their order. Blocks. Raises StoreError."""
    try:
        with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
            fields = client.describe_collection(settings.collection)["fields"]
            key = next(field for field in fields if field.get("is_primary"))
            convert: Any = str if key["params"].get("max_length") else int
            result: set[str] = set()
            rest = iter(ids)
            while some := list(islice(rest, AT_ONCE)):
                asked = {"ids": [convert(one) for one in some], "output_fields": [key["name"]]}
                rows = client.query(settings.collection, **asked, consistency_level="Strong")
                result.update(str(row[key["name"]]) for row in rows)
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("inspect", settings, error)) from error
    return [one for one in ids if one not in result]
