"""Messages beyond a limit, on real servers: estimated before the load, and rejected with their sizes during it."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.schema import TextNode

from loadgen.clients.llamaindex import AsyncClient, SyncClient
from loadgen.clients.outcomes import describe
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import (
    aclose_stores,
    close_stores,
    open_stores,
    to_node,
    to_query,
    warm_stores,
    warm_sync_stores,
)
from loadgen.settings.faults import SettingsError
from loadgen.settings.message_sizes import estimate_answer, estimate_request
from tests.integration.plain_clients import client_of
from tests.integration.store_support import prepare_for, settings_for

NAME = "message_sizes"
LIMIT = 67_108_864
TEXT = "t" * 64_000
"""Nodes are made large by their text, as a list of floats would cost the test far more memory."""


@pytest.fixture(params=["milvus", "lite"])
def uri(request: pytest.FixtureRequest) -> Iterator[str]:
    address: str = request.getfixturevalue(f"{request.param}_uri")
    yield address
    with client_of(address) as client:
        client.drop_collection(NAME)


class Weighed:
    """Wraps a gRPC method and keeps the sizes of each request and answer."""

    def __init__(self, method: Any, seen: list[tuple[int, int]]) -> None:
        self._method, self._seen = method, seen

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._method(*args, **kwargs)
        self._keep(args, kwargs, answer)
        return answer

    def future(self, *args: Any, **kwargs: Any) -> Any:
        pending = self._method.future(*args, **kwargs)
        self._keep(args, kwargs, pending.result())
        return pending

    def _keep(self, args: Any, kwargs: Any, answer: Any) -> None:
        request = kwargs["request"] if "request" in kwargs else args[0]
        self._seen.append((request.ByteSize(), answer.ByteSize()))


@pytest.mark.parametrize("dim", [2, 768])
def test_the_estimates_are_the_real_sizes_and_never_more(uri: str, dim: int) -> None:
    settings = settings_for(uri, NAME, dim=dim, rows=500, top_k=400, batch_size=300, nodes_per_insert=300, fresh=True)
    prepare_for(settings)
    (store,) = open_stores(settings, Mode.SYNC)
    warm_sync_stores([store])
    stream = open_dataset(settings).fresh_rows(1)
    seen: list[tuple[int, int]] = []
    for name in ("Search", "Insert"):
        setattr(store.client._handler._stub, name, Weighed(getattr(store.client._handler._stub, name), seen))
    store.query(to_query(open_dataset(settings).queries()[0], settings))
    store.add([to_node(next(stream)) for _ in range(300)])
    close_stores([store])
    (_, answer), (request, _) = seen
    assert 0.9 * answer < estimate_answer(settings) <= answer
    assert 0.9 * request < estimate_request(settings) <= request


def test_a_batch_and_an_answer_that_cannot_pass_are_faults_before_the_load(milvus_uri: str) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare_for(settings_for(milvus_uri, NAME, dim=32_768, rows=1_000, batch_size=1_000, top_k=1_000))
    assert [(fault.setting, fault.value) for fault in caught.value.faults] == [
        ("batch_size", "1000"),
        ("top_k", "1000"),
    ]
    assert all("the server accepts 64 MiB" in fault.problem for fault in caught.value.faults)
    with client_of(milvus_uri) as client:
        assert not client.has_collection(NAME)


def nodes(count: int, start: int = 0) -> list[Any]:
    return [TextNode(id_=f"large{n}", text=TEXT, embedding=[1.0, float(n)]) for n in range(start, start + count)]


def assert_rejected(sample: Sample, words: str) -> None:
    assert sample.outcome is Outcome.REJECTED
    assert sample.error is not None
    match = re.fullmatch(rf"grpc: {words} message larger than max \((\d+) vs\. (\d+)\)", describe(sample.error))
    assert match is not None, describe(sample.error)
    assert int(match[1]) > int(match[2]) == LIMIT


def test_what_is_larger_than_the_limit_is_rejected_in_both_modes(milvus_uri: str) -> None:
    settings = settings_for(milvus_uri, NAME, dim=2, rows=10, top_k=10, fresh=True)
    prepare_for(settings)
    open_wide = settings.model_copy(update={"batch_size": 100_000, "top_k": 1_200, "deadline": 120.0})
    query = to_query(open_dataset(settings).queries()[0], open_wide)
    samples: list[Sample] = []
    stores = open_stores(open_wide, Mode.SYNC)
    client = SyncClient(stores[0], samples.append)
    for part in (nodes(1_200), nodes(600), nodes(600, start=600)):
        client.insert(part)
    client.search(query)
    close_stores(stores)

    async def ask() -> None:
        stores = open_stores(open_wide, Mode.ASYNC)
        await warm_stores(stores)
        client = AsyncClient(stores[0], samples.append)
        await client.insert(nodes(1_200))
        await client.search(query)
        await aclose_stores(stores)

    asyncio.run(ask())
    assert [sample.outcome for sample in samples[1:3]] == [Outcome.OK, Outcome.OK]
    for sample in (samples[0], samples[4]):
        assert_rejected(sample, "received")
    for sample in (samples[3], samples[5]):
        assert_rejected(sample, "trying to send")
    with client_of(milvus_uri) as cleaning:
        cleaning.drop_collection(NAME)
