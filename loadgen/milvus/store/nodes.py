"""Rows and queries as LlamaIndex objects."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

from loadgen.datasets import Row
from loadgen.settings.model import Settings

MODES = {"dense": VectorStoreQueryMode.DEFAULT, "hybrid": VectorStoreQueryMode.HYBRID, "mmr": VectorStoreQueryMode.MMR}
"""LlamaIndex's name of each kind of search."""
OWN_FIELDS = frozenset({"_node_content", "_node_type", "document_id", "doc_id", "ref_doc_id"})
"""Fields of a row that `node_to_metadata_dict` writes."""


def to_node(row: Row) -> TextNode:
    """The row as a node with its document; it shares the row's vector and metadata."""
    if row.node is not None:
        made: TextNode = row.node
        made.embedding = row.vector
        return made
    node = TextNode(
        id_=str(row.row_id),
        text=row.text,
        metadata=row.metadata,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=row.source)},
    )
    node.embedding = row.vector  # after the constructor, which would validate each float
    return node


def without_own_fields(row: Row) -> Row:
    """A copy of a row of a collection that LlamaIndex made, without the fields that it writes itself for each node."""
    return replace(row, metadata={name: value for name, value in row.metadata.items() if name not in OWN_FIELDS})


def to_probe(row: Row, settings: Settings) -> VectorStoreQuery:
    """The search for one row: the nearest neighbour of its vector among the nodes with its id."""
    return VectorStoreQuery(
        query_embedding=row.vector,
        similarity_top_k=1,
        node_ids=[str(row.row_id)],
        output_fields=list(settings.output_fields) or None,
        query_str=row.text if settings.has_full_text else None,
        mode=MODES[settings.search_kind],
    )


def vary_query(query: VectorStoreQuery, settings: Settings) -> VectorStoreQuery:
    """The same search with the settings of another variant; both share the vector."""
    fields = list(settings.output_fields) or None
    return replace(query, similarity_top_k=settings.top_k, output_fields=fields, mode=MODES[settings.search_kind])


def to_query(vector: npt.NDArray[np.float32], settings: Settings, text: str = "") -> VectorStoreQuery:
    """The search for the nearest neighbours of one vector (dim,); a hybrid one also for those of the text."""
    return VectorStoreQuery(
        query_embedding=vector.tolist(),
        similarity_top_k=settings.top_k,
        output_fields=list(settings.output_fields) or None,
        query_str=text or None,
        mode=MODES[settings.search_kind],
    )
