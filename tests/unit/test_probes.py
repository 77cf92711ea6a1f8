"""The search for a probe ends when it appears, or at its deadline; both twins do the same."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

from loadgen.clients import ClosedError, find_layer
from loadgen.clients.vector_client import AsyncVectorClient, Probe, SyncVectorClient, VectorClient
from loadgen.datasets import Row
from loadgen.measure.sample import Sample
from loadgen.settings.model import Settings

ROW = Row("0000000000000007", "some words", [0.5, 1.0], "d7", {"row": 7})
Answers = Callable[[], list[str]]


class Blocking(SyncVectorClient):
    """Its store is a function."""

    def ids_of(self, result: list[str]) -> list[str]:
        return result

    def _search(self, query: Any, **_: Any) -> Any:
        assert query == "query"
        return self._store()

    def _insert(self, nodes: list[Any], **_: Any) -> list[str]:
        return nodes

    def _delete(self, ref_doc_id: str, **_: Any) -> None:
        raise AssertionError(ref_doc_id)


class Awaited(AsyncVectorClient):
    """The same."""

    def ids_of(self, result: list[str]) -> list[str]:
        return result

    async def _search(self, query: Any, **_: Any) -> Any:
        assert query == "query"
        return self._store()

    async def _insert(self, nodes: list[Any], **_: Any) -> list[str]:
        return nodes

    async def _delete(self, ref_doc_id: str, **_: Any) -> None:
        raise AssertionError(ref_doc_id)


def find(client: VectorClient, deadline: float) -> Any:
    probe = Probe(["node"], "query", deadline)
    return client.find(probe) if isinstance(client, Blocking) else asyncio.run(_await(client, probe))


async def _await(client: Any, probe: Probe) -> Any:
    return await client.find(probe)


@pytest.fixture(params=[Blocking, Awaited])
def make(request: pytest.FixtureRequest) -> Callable[[Answers, list[Sample]], VectorClient]:
    return lambda answers, samples: request.param(answers, samples.append)


Make = Callable[[Answers, list[Sample]], VectorClient]


def test_the_first_search_that_finds_it_ends_the_probe_and_none_is_a_sample(make: Make) -> None:
    answers = iter([[], [], [], ["node"], []])
    samples: list[Sample] = []
    assert find(make(lambda: next(answers), samples), deadline=60.0) == ["node"]
    assert next(answers) == []
    assert samples == []


def test_a_node_that_is_not_found_by_the_deadline_is_a_timeout(make: Make) -> None:
    searches: list[int] = []

    def answer() -> list[str]:
        searches.append(1)
        return []

    with pytest.raises(TimeoutError, match=r"did not return an inserted node within the deadline of 0\.002 s"):
        find(make(answer, []), deadline=0.002)
    assert searches


def test_what_the_store_raises_ends_the_probe(make: Make) -> None:
    def answer() -> list[str]:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        find(make(answer, []), deadline=60.0)


def test_nobody_searches_on_for_a_user_that_was_abandoned(make: Make) -> None:
    made: list[VectorClient] = []

    def answer() -> list[str]:
        made[0].abandon()
        return []

    made.append(make(answer, []))
    with pytest.raises(ClosedError):
        find(made[0], deadline=60.0)


def test_a_closed_client_finishes_the_probe_that_is_under_way(make: Make) -> None:
    made: list[VectorClient] = []
    answers = iter([[], ["node"]])

    def answer() -> list[str]:
        made[0].close()
        return next(answers)

    made.append(make(answer, []))
    assert find(made[0], deadline=60.0) == ["node"]


def test_llamaindex_searches_by_the_vector_among_the_nodes_with_the_id() -> None:
    settings = Settings.parse({"output_fields": "text", "top_k": 20})
    query = find_layer("llamaindex").connector.make_probe(ROW, settings)
    assert isinstance(query, VectorStoreQuery)
    assert (query.node_ids, query.similarity_top_k) == ([ROW.row_id], 1)
    assert (query.query_embedding, query.output_fields) == (ROW.vector, ["text"])
    assert (query.mode, query.query_str) == (VectorStoreQueryMode.DEFAULT, None)
    hybrid = find_layer("llamaindex").connector.make_probe(ROW, Settings.parse({"search_kind": "hybrid"}))
    assert (hybrid.mode, hybrid.query_str) == (VectorStoreQueryMode.HYBRID, "some words")


@pytest.mark.parametrize(("row_id", "shown"), [("a7", '"a7"'), (7, "7")])
def test_pymilvus_filters_by_the_id_as_its_type_asks(row_id: str | int, shown: str) -> None:
    row = Row(row_id, "t", [0.5], "d", {})
    arguments = find_layer("pymilvus").connector.make_probe(row, Settings.parse({"top_k": 20})).arguments
    assert (arguments["filter"], arguments["limit"], arguments["data"]) == (f"id == {shown}", 1, [[0.5]])
