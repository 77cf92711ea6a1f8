"""Nodes in batches as they are loaded: in the order of their rows, or by partition."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from llama_index.core.schema import BaseNode

from loadgen.datasets import Dataset, Partitioning
from loadgen.milvus.store.nodes import to_node
from loadgen.settings.model import Settings


class NodeBatch(NamedTuple):
    """Nodes for one call of `async_add`."""

    nodes: list[BaseNode]
    arguments: Mapping[str, Any]
    """Further arguments of the call."""


def make_batches(dataset: Dataset, settings: Settings, held_at_most: int) -> Iterator[NodeBatch]:
    """All rows in batches of `batch_size`. Of rows for partitions, about `held_at_most` wait for their batch.

    A batch is for one partition, so that some are smaller.
    """
    size = settings.batch_size
    starts = range(0, dataset.size, size)
    blocks = (dataset.rows(start, min(start + size, dataset.size)) for start in starts)
    partitioning = Partitioning.of(settings)
    if not partitioning.names:
        for rows in blocks:
            yield NodeBatch([to_node(row) for row in rows], {})
        return
    waiting: dict[str, list[BaseNode]] = {}
    held = 0
    for rows in blocks:
        for row in rows:
            name = partitioning.name(row.place)
            waiting.setdefault(name, []).append(to_node(row))
            held += 1
            if len(waiting[name]) == size or held > max(size, held_at_most):
                fullest = max(waiting, key=lambda one: len(waiting[one]))
                nodes = waiting.pop(fullest)
                held -= len(nodes)
                yield _for_partition(fullest, nodes)
    for name, nodes in waiting.items():
        yield _for_partition(name, nodes)


def _for_partition(name: str, nodes: list[BaseNode]) -> NodeBatch:
    return NodeBatch(nodes, {"milvus_partition_name": name})
