"""What the twins share: the operations of MilvusVectorStore, and one store for each client."""

from collections.abc import Callable

from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.base import Client
from loadgen.datasets import Checks
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Sample

OPERATIONS = (
    Operation("search"),
    Operation("insert", writes=True),
    Operation("delete", writes=True),
)
"""What MilvusVectorStore does."""


class StoreClient(Client):
    """One user's client. A failed operation is a sample with its outcome, and None here; nothing is raised."""

    operations = OPERATIONS

    def __init__(
        self, store: MilvusVectorStore, emit: Callable[[Sample], None], checks: Checks | None = None, variant: str = ""
    ) -> None:
        super().__init__(emit, checks, variant)
        self._store = store
