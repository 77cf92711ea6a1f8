"""Collections with partitions, or with a partition key, which MilvusVectorStore itself does not create."""

from typing import Any

from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import CollectionSchema, DataType, MilvusClient

from loadgen.settings.metadata import parse_metadata
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import find_partitions

LONGEST_KEY = 512
"""Maximum bytes of a text as partition key."""


def find_store_class(settings: Settings) -> type[MilvusVectorStore]:
    """The class that creates a collection: with a partition key, one that adds this as a scalar field."""
    if not settings.partition_key:
        return MilvusVectorStore
    field = next(one for one in parse_metadata(settings.metadata) if one.name == settings.partition_key)
    type_of: dict[str, Any] = {"datatype": DataType.INT64}
    if field.kind == "enum":
        type_of = {"datatype": DataType.VARCHAR, "max_length": LONGEST_KEY}

    class KeyedVectorStore(MilvusVectorStore):
        """Creates the collection with the field."""

        def _add_fields_to_schema(self, schema: CollectionSchema) -> CollectionSchema:
            schema = super()._add_fields_to_schema(schema)
            schema.add_field(field_name=field.name, is_partition_key=True, **type_of)
            return schema

    return KeyedVectorStore


def create_partitions(client: MilvusClient, settings: Settings) -> None:
    """Create all partitions of a new collection."""
    for name in find_partitions(settings.partitions):
        client.create_partition(settings.collection, name)
