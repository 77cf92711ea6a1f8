"""Rows of an existing collection from which queries and inserts are made. Reads only."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from pymilvus import MilvusClient

from loadgen.datasets import Dataset, Metadata, SampledValues
from loadgen.datasets.existing import TOKENS, ExistingDataset, Fields, inserted_rows
from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.existing import CollectionInfo
from loadgen.milvus.store.opening import COUNT
from loadgen.settings.model import Settings

WINDOW = 16_384
"""Rows that Milvus returns to one query at most."""
PIVOTS = 64
"""Places in the range of an integer key at which ids are read: otherwise all would be the smallest ones."""
LARGEST = 2**63 - 1
FETCHED_BYTES = 8_000_000
"""Maximum size of the vectors in one answer."""


def sample_ids(settings: Settings, info: CollectionInfo, number: int) -> tuple[int | str, ...]:
    """At most `number` ids, seeded: spread over the range of a number, or among the first 16,384 texts."""
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        if info.id_type == "int64" and info.rows > WINDOW:
            pivots = _read_pivots(client, info, number, settings.seed)
        else:
            pivots = _read_ids(client, info, "", min(WINDOW, max(number, info.rows)))
    generator = np.random.default_rng([settings.seed, info.rows])
    unique = sorted(set(pivots), key=str)
    chosen = generator.permutation(len(unique))[:number]
    return tuple(unique[int(place)] for place in chosen)


def _read_pivots(client: MilvusClient, info: CollectionInfo, number: int, seed: int) -> list[int | str]:
    first, last = _find_range(client, info)
    generator = np.random.default_rng(seed)
    each = -(-number // PIVOTS)
    pivots: list[int | str] = []
    for pivot in generator.integers(first, last, size=PIVOTS, endpoint=True):
        pivots += _read_ids(client, info, f"{info.id_field} >= {pivot}", each)
    return pivots


def _find_range(client: MilvusClient, info: CollectionInfo) -> tuple[int, int]:
    """The smallest and the largest id, by bisection: Milvus cannot order a query."""

    def has(expression: str) -> bool:
        return bool(_read_ids(client, info, expression, 1))

    low, high = -LARGEST, LARGEST
    while low < high:  # the largest one
        middle = (low + high + 1) // 2
        low, high = (middle, high) if has(f"{info.id_field} >= {middle}") else (low, middle - 1)
    last, low, high = low, -LARGEST, low
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if has(f"{info.id_field} <= {middle}") else (middle + 1, high)
    return low, last


def _read_ids(client: MilvusClient, info: CollectionInfo, expression: str, limit: int) -> list[int | str]:
    fields = [info.id_field]  # Strong consistency, if that is the collection's, would wait for a tick of the server
    rows = client.query(info.name, filter=expression, output_fields=fields, limit=limit, consistency_level="Bounded")
    return [row[info.id_field] for row in rows]


def fetch_rows(
    settings: Settings, info: CollectionInfo, ids: Sequence[int | str], fields: Sequence[str]
) -> list[dict[str, Any]]:
    """Some fields of the rows with these ids, in their order; rows deleted meanwhile are left out."""
    batch = max(1, FETCHED_BYTES // max(1, 4 * info.dim)) if info.dim else 1_000
    batch = min(batch, WINDOW)
    result: dict[int | str, dict[str, Any]] = {}
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        for start in range(0, len(ids), batch):
            some = list(ids[start : start + batch])
            for row in client.get(info.name, ids=some, output_fields=[info.id_field, *fields]):
                result[row[info.id_field]] = row
    return [result[one] for one in ids if one in result]


def open_existing(settings: Settings, info: CollectionInfo) -> Dataset:
    """The dataset of an existing collection: every process makes the same queries of the same rows. Blocks.

    Raises StoreError if all sampled rows have been deleted.
    """
    texts = [info.text_field] if info.sparse_field and info.text_field else []
    drawn = [name for name in info.drawn if name != info.embedding_field]
    fields = ["*", info.embedding_field] if settings.allow_writes else [info.embedding_field, *texts, *drawn]
    sampled = fetch_rows(settings, info, info.sample, fields)
    if not sampled:
        raise StoreError(f"collection '{info.name}' no longer has the rows from which queries are made")
    shape = (settings.queries, info.dim, settings.seed)
    dataset = ExistingDataset(fields_of(info), sampled, info.rows, shape, info.token)
    dataset.metadata = SampledValues(Metadata.of(settings), sampled, info.drawn)
    dataset.generated = info.generated
    return dataset


def fields_of(info: CollectionInfo) -> Fields:
    """The fields that queries and rows use."""
    return Fields(
        id_field=info.id_field,
        id_type=info.id_type,
        embedding_field=info.embedding_field,
        vector_type=info.vector_type,
        text_field=info.text_field,
        doc_id_field=info.doc_id_field,
    )


def draw_token(settings: Settings, info: CollectionInfo) -> int:
    """A number for the rows that a run inserts, with which the collection has none yet."""
    generator = np.random.default_rng()
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        while True:
            token = int(generator.integers(1, TOKENS - 1))
            if not _read_ids(client, info, inserted_rows(fields_of(info), token), 1):
                return token


def describe_inserted(info: CollectionInfo) -> str:
    """The expression that selects the rows that the run inserts."""
    return inserted_rows(fields_of(info), info.token)


def delete_inserted(settings: Settings, info: CollectionInfo) -> int:
    """Delete the rows that the run has inserted, and return their number. Raises StoreError if some remain."""
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        expression = describe_inserted(info)
        count = COUNT | {"filter": expression}
        inserted = int(client.query(info.name, **count)[0]["count(*)"])
        client.delete(info.name, filter=expression)
        left = int(client.query(info.name, **count)[0]["count(*)"])
    if left:
        raise StoreError(f"{left:,} of them were not deleted")
    return inserted
