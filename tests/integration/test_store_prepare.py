"""Preparing: exactly the data, reused where it is there, and never at the cost of somebody else's."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store import aclose_stores, close_stores, open_stores, to_node, to_query, warm_stores
from loadgen.milvus.store.manifest import MANIFEST_KEY, make_manifest
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.integration.plain_clients import client_of, open_store
from tests.integration.store_support import (
    ROWS,
    count_rows,
    make_foreign,
    prepare_for,
    settings_for,
)

NAME = "store_prepare"


@pytest.fixture(params=["milvus", "lite"])
def uri(request: pytest.FixtureRequest) -> Iterator[str]:
    address: str = request.getfixturevalue(f"{request.param}_uri")
    yield address
    with client_of(address) as client:
        client.drop_collection(NAME)


def add_rows(settings: Settings, count: int) -> None:
    (store,) = open_stores(settings, Mode.SYNC)
    stream = open_dataset(settings).fresh_rows(0)
    store.add([to_node(next(stream)) for _ in range(count)])
    close_stores([store])


def test_every_row_is_found_by_its_own_vector_blocking_and_async(uri: str) -> None:
    settings = settings_for(uri, NAME, top_k=3)
    reported: list[str] = []
    prepared = prepare_for(settings, reported.append)
    assert (prepared.rows, prepared.reused, prepared.index) == (ROWS, False, "FLAT")
    assert prepared.server.kind == ("lite" if prepared.server.version.startswith("milvus_lite") else "milvus")
    assert reported[-1].startswith("loaded 1,200 rows in ")
    data = open_dataset(settings)
    queries = {data.row_id(row): to_query(data.vectors(row, row + 1)[0], settings) for row in (0, 611, ROWS - 1)}
    (store,) = open_stores(settings, Mode.SYNC)
    seen = [store.query(query) for query in queries.values()]
    close_stores([store])

    async def search() -> list[str]:
        stores = open_stores(settings, Mode.ASYNC)
        await warm_stores(stores)
        results = [await stores[0].aquery(query) for query in queries.values()]
        await aclose_stores(stores)
        return [(result.ids or [])[0] for result in results]

    ids = [result.ids or [] for result in seen]
    assert [each[0] for each in ids] == list(queries)
    assert [len(each) for each in ids] == [3, 3, 3]
    node = (seen[1].nodes or [])[0]
    assert (node.ref_doc_id, node.metadata["row"]) == ("n612", 611)
    assert asyncio.run(search()) == list(queries)


def test_the_same_data_is_reused_without_a_row_sent(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(uri, NAME)
    prepare_for(settings)
    with client_of(uri) as client:
        before = client.describe_collection(NAME)
    monkeypatch.setattr(MilvusVectorStore, "async_add", None)
    reported: list[str] = []
    prepared = prepare_for(settings.model_copy(update={"top_k": 5, "deadline": 3.0}), reported.append)
    with client_of(uri) as client:
        assert client.describe_collection(NAME)["collection_id"] == before["collection_id"]
    assert (prepared.reused, prepared.rows, reported) == (True, ROWS, [])


def test_other_settings_are_refused_all_at_once_and_fresh_loads_anew(uri: str) -> None:
    prepare_for(settings_for(uri, NAME))
    changed = {"dim": 8, "rows": 300, "metric": "L2"}
    with pytest.raises(SettingsError) as caught:
        prepare_for(settings_for(uri, NAME, **changed))
    assert [str(fault).partition(". ")[0] for fault in caught.value.faults] == [
        f"--rows 300: collection '{NAME}' has rows {ROWS}",
        f"--dim 8: collection '{NAME}' has dim 16",
        f"--metric L2: collection '{NAME}' has metric COSINE",
    ]
    assert count_rows(uri, NAME) == ROWS
    assert prepare_for(settings_for(uri, NAME, fresh=True, **changed)).rows == 300
    assert count_rows(uri, NAME) == 300
    assert prepare_for(settings_for(uri, NAME, **changed)).reused


def test_a_foreign_collection_is_left_as_it_is_until_overwrite(uri: str) -> None:
    make_foreign(uri, NAME, dim=8, rows=50)
    before = count_rows(uri, NAME)
    for given in ({}, {"fresh": True}):
        with pytest.raises(SettingsError) as caught:
            prepare_for(settings_for(uri, NAME, **given))
        assert [(fault.setting, fault.problem) for fault in caught.value.faults] == [
            ("collection", "was not created by this tool and is left unchanged"),
            ("dim", f"collection '{NAME}' has dim 8"),
        ]
        assert "--overwrite" in caught.value.faults[0].hint
    assert (before, count_rows(uri, NAME)) == (50, 50)
    assert not prepare_for(settings_for(uri, NAME, overwrite=True)).reused
    assert count_rows(uri, NAME) == ROWS


def test_rows_that_were_inserted_since_are_told_and_loaded_away(uri: str) -> None:
    settings = settings_for(uri, NAME)
    prepare_for(settings)
    add_rows(settings, 12)
    reported: list[str] = []
    assert not prepare_for(settings, reported.append).reused
    assert reported[0] == f"collection '{NAME}' contains 1,212 rows, 12 more than asked for: reloading"
    assert count_rows(uri, NAME) == ROWS


def test_a_loading_that_was_cut_off_is_continued_with_the_rows_that_are_missing(uri: str) -> None:
    settings = settings_for(uri, NAME, batch_size=200)
    manifest = {MANIFEST_KEY: json.dumps(make_manifest(settings, open_dataset(settings)))}
    given: dict[str, Any] = {
        "similarity_metric": "COSINE",
        "collection_properties": manifest,
        "use_async_client": False,
    }
    store = open_store(uri, NAME, dim=16, **given)
    for start, stop in ((0, 400), (600, 700)):  # batches 1 and 2, and half of the 4th
        store.add([to_node(row) for row in open_dataset(settings).rows(start, stop)])
    store.client.close()
    with client_of(uri) as client:
        before = client.describe_collection(NAME)["collection_id"]
    reported: list[str] = []
    assert not prepare_for(settings, reported.append).reused
    assert reported[0] == f"collection '{NAME}' contains 500 of 1,200 rows: continuing"
    assert reported[-1].startswith("loaded 800 rows in ")
    assert "(400 were there); waiting for the index" in reported[-1]
    assert count_rows(uri, NAME) == ROWS
    with client_of(uri) as client:
        assert client.describe_collection(NAME)["collection_id"] == before
        ids = [open_dataset(settings).row_id(row) for row in range(ROWS)]
        result = client.query(NAME, filter="", output_fields=["id"], limit=2 * ROWS, consistency_level="Strong")
    assert sorted(row["id"] for row in result) == sorted(ids), "each once"
    assert prepare_for(settings).reused


def test_a_collection_without_a_row_or_an_index_is_made_anew(uri: str) -> None:
    settings = settings_for(uri, NAME)
    prepare_for(settings)
    with client_of(uri) as client:
        client.delete(NAME, filter="id != ''")
    reported: list[str] = []
    assert not prepare_for(settings, reported.append).reused
    assert reported[0] == f"collection '{NAME}' contains 0 rows, 1,200 fewer than asked for: reloading"
    with client_of(uri) as client:
        client.delete(NAME, filter="id != ''")
        client.release_collection(NAME)
        client.drop_index(NAME, "embedding")
    reported.clear()
    assert not prepare_for(settings, reported.append).reused
    assert reported[0] == f"collection '{NAME}' was not finished: reloading"


def test_as_many_rows_of_other_data_are_not_taken_for_ours(uri: str) -> None:
    settings = settings_for(uri, NAME)
    prepare_for(settings)
    with client_of(uri) as client:
        client.delete(NAME, ids=[open_dataset(settings).row_id(row) for row in range(5)])
    add_rows(settings, 5)
    reported: list[str] = []
    assert not prepare_for(settings, reported.append).reused
    assert reported[0] == f"collection '{NAME}' contains 1,200 rows, 5 of them not of this data: reloading"


def test_dropping_and_loading_again_and_again_works(milvus_uri: str) -> None:
    for turn in range(3):
        given = {"dim": 8 if turn % 2 else 16, "rows": 200, "fresh": True}
        assert prepare_for(settings_for(milvus_uri, NAME, **given)).rows == 200
    with client_of(milvus_uri) as client:
        client.drop_collection(NAME)


@pytest.mark.parametrize("level", ["Strong", "Bounded"])
def test_the_collection_keeps_the_consistency_level(milvus_uri: str, level: str) -> None:
    prepare_for(settings_for(milvus_uri, NAME, consistency=level, rows=100, fresh=True))
    with client_of(milvus_uri) as client:
        assert client.describe_collection(NAME)["consistency_level_name"] == level
        client.drop_collection(NAME)


def test_a_refused_index_is_told_in_the_servers_words_and_leaves_nothing(milvus_uri: str) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare_for(settings_for(milvus_uri, NAME, index_type="IVF_PQ", index_params="nlist=16,m=7"))
    (fault,) = caught.value.faults
    assert (fault.setting, fault.value) == ("index_params", "nlist=16,m=7")
    assert "dimension must be able to be divided by `m`" in fault.problem
    with client_of(milvus_uri) as client:
        assert not client.has_collection(NAME)


def test_an_index_that_lite_only_pretends_to_build_is_refused(lite_uri: str) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare_for(settings_for(lite_uri, NAME, index_type="SCANN"))
    assert [(fault.setting, fault.value) for fault in caught.value.faults] == [("index_type", "SCANN")]
    with client_of(lite_uri) as client:
        assert not client.has_collection(NAME)
