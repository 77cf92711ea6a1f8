"""What a process prepares before a run, with servers and collections that only say what was asked of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.datasets import Checks
from loadgen.locust_plugin.preparation import resources
from loadgen.locust_plugin.preparation.resources import Resources
from loadgen.locust_plugin.preparation.searches import make_queries
from loadgen.locust_plugin.preparation.variant_setup import open_datasets, set_up_variants
from loadgen.milvus.store import Prepared, ServerInfo, StoreError
from loadgen.settings.model import Settings

EMBEDDED = {"rows": 10, "dim": 8, "clusters": 2, "queries": 5, "recall_every": 0}


class Server:
    """An embedded server whose death is seen at its port before its guardian has noticed it."""

    running = True
    metrics_uri = None

    def __init__(self, number: int) -> None:
        self.uri = f"http://127.0.0.1:{number}"
        self.dead = False

        self.stopped = False

    def listens(self) -> bool:
        return not self.dead

    def stop(self, *, keep: bool) -> None:
        assert keep, "its log says why it died"
        self.stopped = True


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """The servers that were started; a collection can be prepared only on those that live."""
    started: list[Server] = []

    def start(_kind: str, **_: Any) -> Server:
        started.append(Server(len(started)))
        return started[-1]

    def prepare(settings: Settings, *_: Any) -> Any:
        if next(one for one in started if one.uri == settings.host).dead:
            raise StoreError("nobody answers")
        return Prepared(1, False, 0.1, "HNSW", ServerInfo("v2.6.0", "milvus"))

    monkeypatch.setattr(resources, "start_server", start)
    monkeypatch.setattr(resources, "prepare", prepare)
    return started


def test_a_server_that_has_just_died_is_replaced_although_nobody_has_seen_it_yet(servers: list[Server]) -> None:
    """A start was accepted within the moment that a guardian needs to notice the death, and then failed."""
    process = Resources(lambda _: None)
    settings = Settings.parse(EMBEDDED)
    assert process.prepare(settings, writes=False).host == "http://127.0.0.1:0"
    servers[0].dead = True
    assert process.prepare(settings, writes=False).host == "http://127.0.0.1:1"
    assert process.prepare(settings, writes=False).host == "http://127.0.0.1:1", "it goes on with that one"
    assert [server.stopped for server in servers] == [True, False]


def test_variants_share_the_vectors_of_their_queries_and_those_that_are_equal_the_queries() -> None:
    text = "sync; async top-k=5; async collection=other; pymilvus/sync; pymilvus/async top-k=5"
    settings = Settings.parse(EMBEDDED | {"host": "http://127.0.0.1:1", "variants": text})
    variants = set_up_variants(settings)
    datasets = open_datasets(settings, variants.values())
    assert len({id(dataset) for dataset in datasets.values()}) == 1
    state: Any = SimpleNamespace(settings=settings, checks=Checks())
    make_queries(state, variants, datasets)
    sync, fewer, other, blocking, awaited = (state.queries[name] for name in variants)
    assert sync is other
    assert [query.similarity_top_k for query in (sync[0], fewer[0])] == [10, 5]
    assert all(one.query_embedding is two.query_embedding for one, two in zip(sync, fewer, strict=True))
    assert [query.arguments["limit"] for query in (blocking[0], awaited[0])] == [10, 5]
    assert all(one.arguments["data"][0] is two.arguments["data"][0] for one, two in zip(blocking, awaited, strict=True))
