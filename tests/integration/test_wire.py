"""The wire client on real servers: the answers, outcomes and effects of the layer of pymilvus."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from loadgen.clients import find_layer
from loadgen.clients.outcomes import outcome_of
from loadgen.datasets import Narrowing, open_dataset
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store.arguments import SERVICE
from loadgen.results.record import read_record
from loadgen.settings.filter_grammar import parse_filter
from loadgen.settings.model import Settings
from tests.integration.faulty_server import FaultyServer, Refusal, faulty_server
from tests.integration.locust_command import run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import prepare_for, settings_for
from tests.unit.wire_support import compare_decoders

METADATA = "tenant:int:5; lang:enum:de,en; year:int:2000-2026"
BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.2")
WIRE, PLAIN = (find_layer(name) for name in ("wire", "pymilvus"))
FILTER = Narrowing(parse_filter("tenant == 3 and year >= 2005"))


@pytest.fixture(params=["milvus", "lite"])
def prepared(request: pytest.FixtureRequest) -> Settings:
    """Of a collection with metadata, searched exactly."""
    uri = str(request.getfixturevalue(f"{request.param}_uri"))
    settings = settings_for(uri, "wired", metadata=METADATA, top_k=5)
    prepare_for(settings)
    return settings


def make_queries(connector: Any, settings: Settings) -> list[Any]:
    vectors = open_dataset(settings).queries()
    several = connector.make_query(list(vectors[1:4]), settings)
    return [
        connector.make_query([vectors[0]], settings),
        several,
        connector.narrow_query(several, FILTER),
        connector.narrow_query(several, Narrowing(text="year < 0")),
    ]


@pytest.mark.parametrize("fields", ["", "id", "text,tenant,lang", "embedding"])
def test_answers_of_a_server_are_read_as_pymilvus_reads_them(prepared: Settings, fields: str) -> None:
    settings = prepared.model_copy(update={"output_fields": tuple(fields.split(",")) if fields else ()})
    (store,), (plain,) = (layer.connector.open(settings, Mode.SYNC) for layer in (WIRE, PLAIN))
    WIRE.connector.warm([store])
    try:
        raw = store._channel.unary_unary(f"/{SERVICE}/Search")
        queries = make_queries(WIRE.connector, settings)
        result = [compare_decoders(raw(store.encode(query, {}))) for query in queries]
        assert [one.counts for one in result[:3]] == [[5], [5, 5, 5], [5, 5, 5]]
        assert not result[3].ids
        asked = make_queries(PLAIN.connector, settings)
        assert WIRE.connector.ask(store, queries) == PLAIN.connector.ask(plain, asked)
        columns = result[2].columns
        if not fields or "tenant" in fields:
            assert columns["tenant"] == [3] * 15
            assert set(columns["lang"]) <= {"de", "en"}
            assert all(text and isinstance(text, str) for text in columns["text"])
        assert "embedding" not in columns
    finally:
        WIRE.connector.close([store])
        PLAIN.connector.close([plain])


def play(settings: Settings, mode: Mode) -> list[Sample]:
    """Insert, find, delete and miss a row, and the samples of it."""
    samples: list[Sample] = []

    async def run() -> None:
        (store,) = WIRE.connector.open(settings, mode)
        make: Any = WIRE.clients[mode]
        client = make(store, samples.append)
        connector = WIRE.connector
        if mode is Mode.SYNC:
            connector.warm([store])
        else:
            await connector.awarm([store])
        (row,) = open_dataset(settings.model_copy(update={"seed": 77})).rows(3, 4)
        row = replace(row, row_id="fresh", source="fresh-doc")
        probe = connector.make_probe(row, settings)
        strong = {"consistency_level": "Strong"}  # a server does not always say when it deleted
        for call, argument, more in (
            (client.insert, [connector.make_node(row, settings)], {}),
            (client.search, probe, {}),
            (client.delete, "fresh-doc", {}),
            (client.search, probe, strong),
        ):
            answer = call(argument, **more)
            if mode is Mode.ASYNC:
                answer = await answer
            if call == client.insert:
                assert answer == ["fresh"]
        if mode is Mode.SYNC:
            connector.close([store])
        else:
            await connector.aclose([store])

    asyncio.run(run())
    return samples


@pytest.mark.parametrize("mode", list(Mode))
def test_a_written_row_is_found_until_it_is_deleted(milvus_uri: str, mode: Mode) -> None:
    settings = settings_for(milvus_uri, "wired_session", consistency="Session")
    prepare_for(settings)
    samples = play(settings, mode)
    assert [(one.operation, one.outcome, one.rows) for one in samples] == [
        ("insert", Outcome.OK, 1),
        ("search", Outcome.OK, 1),
        ("delete", Outcome.OK, 1),
        ("search", Outcome.EMPTY, 0),
    ]
    with client_of(milvus_uri) as client:
        assert not client.query("wired_session", filter='id == "fresh"', consistency_level="Strong")


@pytest.fixture
def faulty(milvus_uri: str) -> Iterator[FaultyServer]:
    with faulty_server(milvus_uri) as server:
        yield server


REFUSALS: list[Refusal] = [
    *(
        (status, "so it is")
        for status in grpc.StatusCode
        if status not in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
    ),
    *((code, "so it is") for code in (2, 3, 8, 9, 100, 101, 1100, 65_535)),
]


def test_failed_searches_have_the_outcomes_of_pymilvus(faulty: FaultyServer) -> None:
    settings = settings_for(faulty.uri, "wired_session", consistency="Session", deadline=1.0)
    prepare_for(settings)
    vector = np.ones(settings.dim, dtype=np.float32)

    async def outcomes_of(layer: Any) -> list[tuple[Outcome, Outcome]]:
        connector = layer.connector
        blocking, looping = connector.open(settings, Mode.SYNC), connector.open(settings, Mode.ASYNC)
        connector.warm(blocking)
        await connector.awarm(looping)
        query = connector.make_query([vector], settings)
        samples: list[Sample] = []
        sync = layer.clients[Mode.SYNC](blocking[0], samples.append)
        twin = layer.clients[Mode.ASYNC](looping[0], samples.append)
        for refusal in REFUSALS:
            faulty.refuse = lambda _number, refusal=refusal: refusal  # type: ignore[misc]
            await asyncio.to_thread(sync.search, query)
            await twin.search(query)
        faulty.refuse, faulty.delay = lambda _number: None, 1.5
        await asyncio.gather(asyncio.to_thread(sync.search, query), twin.search(query))
        faulty.delay = 0.0
        connector.close(blocking)
        await connector.aclose(looping)
        assert all(one.error is not None and outcome_of(one.error) is one.outcome for one in samples)
        return [(one.outcome, two.outcome) for one, two in zip(samples[::2], samples[1::2], strict=True)]

    wire, plain = asyncio.run(outcomes_of(WIRE)), asyncio.run(outcomes_of(PLAIN))
    assert wire == plain
    assert wire[-1] == (Outcome.TIMEOUT, Outcome.TIMEOUT)
    assert {one for pair in wire for one in pair} == set(Outcome) - {Outcome.OK, Outcome.EMPTY}


def test_a_server_that_comes_back_is_found_again(faulty: FaultyServer) -> None:
    settings = settings_for(faulty.uri, "wired_session", consistency="Session", deadline=10.0)
    prepare_for(settings)
    connector = WIRE.connector
    (store,) = connector.open(settings, Mode.SYNC)
    connector.warm([store])
    samples: list[Sample] = []
    make: Any = WIRE.clients[Mode.SYNC]
    client = make(store, samples.append)
    query = connector.make_query([np.ones(settings.dim, dtype=np.float32)], settings)
    faulty.kill()
    client.search(query)
    faulty.revive()
    while samples[-1].outcome is Outcome.UNAVAILABLE and len(samples) < 1_000:
        client.search(query)
    connector.close([store])
    assert samples[0].outcome is Outcome.UNAVAILABLE
    assert samples[-1].outcome is Outcome.OK
    assert samples[-1].finished - samples[0].finished < 5


def test_all_layers_are_compared_in_one_run(milvus_uri: str, tmp_path: Path) -> None:
    data = ("--rows", "1200", "--dim", "16", "--queries", "40", "--index-type", "FLAT", "--metadata", METADATA)
    variants = 'async; pymilvus/async; wire/async; wire/sync; lean: wire/sync output-fields=id filter="lang == {lang}"'
    flags = ("--host", milvus_uri, "--collection", "wired_run", *data, *BRIEF, "--consistency", "Bounded")
    done = run_locust(tmp_path, *flags, "--variants", variants, "--recall-every", "2")
    done.assert_good()
    for name in ("pymilvus/async", "wire/async", "wire/sync"):
        assert f"Async and {name} give the same answers to 40 queries" in done.err
    (path,) = (tmp_path / "runs").glob("[!.]*.json")
    record = read_record(path)
    assert [one.client for one in record.manifest.variants] == ["llamaindex", "pymilvus", "wire", "wire", "wire"]
    for phase in record.phases:
        (search,) = phase.operations
        assert set(search.outcomes) == {Outcome.OK}
        assert search.recall == 1.0, phase.variant


def test_a_kind_of_search_that_it_lacks_is_refused(milvus_uri: str, tmp_path: Path) -> None:
    done = run_locust(tmp_path, "--host", milvus_uri, "--variants", "async; wire/async search-kind=mmr")
    assert done.code == 2
    assert "search-kind mmr: is not possible with wire" in done.err.replace("--", "")
    assert 'Use a client that can: --variants "llamaindex/async search-kind=mmr", or choose dense.' in done.err
