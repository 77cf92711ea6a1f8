"""What a client calls: one connection to one collection, and prepared searches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadgen.datasets import Narrowing
from loadgen.settings.filter_grammar import write_filter
from loadgen.settings.model import Settings

ID, EMBEDDING, TEXT, DOC_ID = "id", "embedding", "text", "doc_id"
"""Fields of a collection that LlamaIndex made."""


@dataclass(frozen=True, slots=True)
class PymilvusStore:
    """One connection, and the collection's name and fields."""

    client: Any
    """A MilvusClient or an AsyncMilvusClient."""
    collection: str
    doc_id_field: str
    """Deletes select rows by it; the primary key if there are no documents."""
    is_by_key: bool = False
    """It is the primary key, which may be a number."""
    upserts: bool = False
    """Inserts replace rows with the same key."""

    def deletion(self, ref_doc_id: str) -> str:
        """The expression that selects the rows of a document."""
        return select_document(self.doc_id_field, ref_doc_id, is_by_key=self.is_by_key)


def find_doc_id_field(settings: Settings) -> tuple[str, bool]:
    """The field by which deletes select the rows of a document, and whether it is the primary key."""
    is_by_key = settings.existing and not settings.doc_id_field
    return (settings.id_field if is_by_key else settings.doc_id_field or DOC_ID), is_by_key


def select_document(field: str, ref_doc_id: str, *, is_by_key: bool) -> str:
    """The expression that selects the rows of a document; the primary key may be a number."""
    value = ref_doc_id if is_by_key and ref_doc_id.isdecimal() else f'"{ref_doc_id}"'
    return f"{field} == {value}"


@dataclass(frozen=True, slots=True)
class SearchArguments:
    """All arguments of a search."""

    arguments: Mapping[str, Any]


def prepare_search(vectors: Sequence[Any], settings: Settings) -> SearchArguments:
    """The search for the neighbours of one or more vectors, each as pymilvus takes it.

    Without `output_fields` it asks for all fields, as MilvusVectorStore does.
    """
    return SearchArguments(
        {
            "collection_name": settings.collection,
            "data": list(vectors),
            "anns_field": settings.embedding_field or EMBEDDING,
            "limit": settings.top_k,
            "output_fields": list(settings.output_fields) or ["*"],
            "search_params": {"params": settings.search_config, "metric_type": settings.metric},
        }
    )


def narrow_search(search: SearchArguments, narrowing: Narrowing) -> SearchArguments:
    """The same search, narrowed; both share the vectors."""
    arguments = dict(search.arguments)
    if narrowing.expression is not None or narrowing.text:
        arguments["filter"] = write_filter(narrowing.expression) if narrowing.expression else narrowing.text
    if narrowing.partition:
        arguments["partition_names"] = [narrowing.partition]
    return SearchArguments(arguments)


def find_ids(result: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The ids of all hits as text, query by query."""
    return [str(hit["id"] if "id" in hit else hit[next(iter(hit))]) for hits in result for hit in hits]
