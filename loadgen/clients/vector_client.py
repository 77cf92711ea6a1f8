"""The operations of a vector store, timed: what the twins of every layer have in common."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from loadgen.clients.base import Client, ClosedError
from loadgen.clients.staging import MARKS, Marks, time_stub
from loadgen.clients.tracing import trace_stub
from loadgen.datasets import Checks
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode, Sample

OPERATIONS = (
    Operation("search", is_checked=True, takes="query"),
    Operation("insert", writes=True, takes="nodes"),
    Operation("delete", writes=True),
)
"""The operations of a vector store."""


class Probe(NamedTuple):
    """Nodes to insert, and how to see that a search finds them."""

    nodes: list[Any]
    """What `insert` takes."""
    query: Any
    """A search that finds the last of them and nothing else."""
    deadline: float
    """Seconds after which `find` gives up."""


class VectorClient(Client):
    """One user's client over a store. A layer's twins implement the calls, and this class tells what they return."""

    operations = OPERATIONS

    def __init__(
        self, store: Any, emit: Callable[[Sample], None], checks: Checks | None = None, variant: str = ""
    ) -> None:
        super().__init__(emit, checks, variant)
        self._store = store
        self._below: Any = None
        """The client of pymilvus whose requests are timed or traced."""

    @abstractmethod
    def ids_of(self, result: Any) -> Sequence[str]:
        """The ids in the answer to a search, nearest first."""

    def split_operations(self) -> None:
        """Split operations into `STAGES` from now on."""
        self.has_stages = True
        self._below = self._pymilvus_client()
        if self._below is not None:
            time_stub(self._below)

    def _send_traces(self) -> None:
        self._below = self._pymilvus_client()
        if self._below is not None:
            trace_stub(self._below)

    def _pymilvus_client(self) -> Any:
        """The client of pymilvus below the store; None: there is none, and the store times and traces its requests."""
        return None

    def _mark(self) -> Marks:
        """What the requests of an operation that begins now tell the clock."""
        if self._below is not None:
            time_stub(self._below)
        MARKS.set(marks := Marks())
        return marks

    def _give_up(self, probe: Probe, started: float) -> None:
        """Raise TimeoutError at the deadline of a probe, and ClosedError if nobody waits for it any more."""
        if self._abandoned:
            raise ClosedError
        if perf_counter() - started >= probe.deadline:
            raise TimeoutError(f"searches did not return an inserted node within the deadline of {probe.deadline:g} s")

    def _begin_write(self, operation: str) -> int:
        self._permit(operation)
        self._checks.spoil()
        return self.begin(operation)


class SyncVectorClient(VectorClient):
    """The blocking twin. A failed operation is a sample with its outcome, and None here; nothing is raised."""

    mode = Mode.SYNC

    def search(self, query: Any, **kwargs: Any) -> Any:
        """Find the nearest neighbours; the sample's rows are the hits. Further arguments are the store's."""
        token = self.begin("search")
        marks = self._mark() if self.has_stages else None
        try:
            result = self._search(query, **kwargs)
            ids = self.ids_of(result)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(ids), None, marks)
        self._checks.keep("search", query, ids)
        return result

    def find(self, probe: Probe) -> Any:
        """Search for the node of a probe until it appears. The searches are no samples: time them with `measure`.

        Raises what the store raises, and TimeoutError at the deadline.
        """
        started = perf_counter()
        while not self.ids_of(result := self._search(probe.query)):
            self._give_up(probe, started)
        return result

    def insert(self, nodes: list[Any], **kwargs: Any) -> list[str] | None:
        """Add nodes; the sample's rows are the nodes. Returns their ids. Further arguments are the store's."""
        token = self._begin_write("insert")
        marks = self._mark() if self.has_stages else None
        try:
            ids = self._insert(nodes, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(ids), None, marks)
        if self.acknowledged is not None:
            self.acknowledged.add(ids)
        return ids

    def delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        """Delete the nodes of one document; stores do not report how many, so the sample's rows are 1."""
        if self.acknowledged is not None:
            self.acknowledged.forget(ref_doc_id)
        token = self._begin_write("delete")
        marks = self._mark() if self.has_stages else None
        try:
            self._delete(ref_doc_id, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
        else:
            self.end(token, 1, None, marks)

    @abstractmethod
    def _search(self, query: Any, **kwargs: Any) -> Any:
        """The layer's answer to a query."""

    @abstractmethod
    def _insert(self, nodes: list[Any], **kwargs: Any) -> list[str]:
        """The ids of the inserted nodes."""

    @abstractmethod
    def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        """Delete the nodes of a document."""


class AsyncVectorClient(VectorClient):
    """The asyncio twin. A failed operation is a sample with its outcome, and None here; nothing is raised."""

    mode = Mode.ASYNC

    async def search(self, query: Any, **kwargs: Any) -> Any:
        """Find the nearest neighbours; the sample's rows are the hits. Further arguments are the store's."""
        token = self.begin("search")
        marks = self._mark() if self.has_stages else None
        try:
            result = await self._search(query, **kwargs)
            ids = self.ids_of(result)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(ids), None, marks)
        self._checks.keep("search", query, ids)
        return result

    async def find(self, probe: Probe) -> Any:
        """Search for the node of a probe until it appears. The searches are no samples: time them with `measure`.

        Raises what the store raises, and TimeoutError at the deadline.
        """
        started = perf_counter()
        while not self.ids_of(result := await self._search(probe.query)):
            self._give_up(probe, started)
        return result

    async def insert(self, nodes: list[Any], **kwargs: Any) -> list[str] | None:
        """Add nodes; the sample's rows are the nodes. Returns their ids. Further arguments are the store's."""
        token = self._begin_write("insert")
        marks = self._mark() if self.has_stages else None
        try:
            ids = await self._insert(nodes, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(ids), None, marks)
        if self.acknowledged is not None:
            self.acknowledged.add(ids)
        return ids

    async def delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        """Delete the nodes of one document; stores do not report how many, so the sample's rows are 1."""
        if self.acknowledged is not None:
            self.acknowledged.forget(ref_doc_id)
        token = self._begin_write("delete")
        marks = self._mark() if self.has_stages else None
        try:
            await self._delete(ref_doc_id, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
        else:
            self.end(token, 1, None, marks)

    @abstractmethod
    async def _search(self, query: Any, **kwargs: Any) -> Any:
        """The layer's answer to a query."""

    @abstractmethod
    async def _insert(self, nodes: list[Any], **kwargs: Any) -> list[str]:
        """The ids of the inserted nodes."""

    @abstractmethod
    async def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        """Delete the nodes of a document."""
