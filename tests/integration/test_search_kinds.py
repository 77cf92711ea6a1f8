"""Hybrid and MMR searches on real servers, in both modes; what cannot be done is refused before any load."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

from loadgen.datasets import find_query_texts, open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store import close_stores, open_stores, to_query
from loadgen.results.record import RunRecord
from tests.integration.locust_command import SMALL, Run, record_of, run_locust, settings_of
from tests.integration.plain_clients import client_of, open_store
from tests.integration.store_support import drop

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1")
NEEDED = "--search-kind hybrid: needs Milvus 2.5 or later, or Milvus Lite: the server is v2.3.5-lite"


def outcomes_of(record: RunRecord) -> dict[str, set[str]]:
    """The outcomes of the searches of each variant."""
    result: dict[str, set[str]] = {}
    for phase in record.phases:
        for one in phase.operations:
            result.setdefault(phase.variant, set()).update(str(outcome) for outcome in one.outcomes)
    return result


def all_ok(variants: Iterable[str]) -> dict[str, set[str]]:
    return {name: {"ok"} for name in variants}


def collections_of(uri: str) -> set[str]:
    with client_of(uri) as client:
        return set(client.list_collections())


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_hybrid_searches_run_beside_dense_and_mmr_ones_each_on_its_own_collection(
    lite_uri: str, tmp_path: Path, metric: str
) -> None:
    name = f"hybrid_{metric.lower()}"
    variants = "sync; async; async search-kind=dense; async search-kind=mmr"
    flags = ("--host", lite_uri, "--collection", name, "--metric", metric, "--variants", variants)
    each_checked = ("--recall-every", "1")
    run = run_locust(tmp_path, *SMALL, *BRIEF, *flags, *each_checked, files="hybrid.py")
    run.assert_good()
    record = record_of(tmp_path)
    assert outcomes_of(record) == all_ok(record.variant_names)
    recalls = {phase.variant: one.recall for phase in record.phases for one in phase.operations}
    assert recalls["async search-kind=dense"] == pytest.approx(1.0, abs=0.02)
    assert [recalls[one] for one in ("sync", "async", "async search-kind=mmr")] == [None] * 3
    assert not [reason for one in record.comparisons for reason in one.reasons if "differ" in reason]
    assert "Sync and async give the same answers to 50 queries" in run.err
    assert "Recall of hybrid and mmr searches (sync, async and async search-kind=mmr) was not measured" in run.out
    with client_of(lite_uri) as client:
        described = {one: client.describe_collection(one) for one in (name, f"{name}_dense", f"{name}_mmr")}
        rows = client.query(name, filter='text like "%"', output_fields=["text"], limit=3)
    assert [[len(one["functions"])] for one in described.values()] == [[1], [0], [0]]
    assert all(len(row["text"].split()) == 32 for row in rows)
    drop(lite_uri, *described)


def test_a_hybrid_search_finds_the_nearest_vectors_and_the_words_of_its_text(lite_uri: str, tmp_path: Path) -> None:
    flags = ("--host", lite_uri, "--collection", "hybrid_words")
    run_locust(tmp_path, *SMALL, *BRIEF, *flags, "--mode", "compare", files="hybrid.py").assert_good()
    settings = settings_of(lite_uri, collection="hybrid_words", search_kind="hybrid", top_k=5)
    dataset = open_dataset(settings)
    vectors, texts = dataset.queries(), find_query_texts(dataset, 50)
    stores = [*open_stores(settings, Mode.SYNC), *open_stores(settings, Mode.SYNC)]
    try:
        for vector, text in list(zip(vectors, texts, strict=True))[:10]:
            both = stores[0].query(to_query(vector, settings, text))
            near = stores[1].query(to_query(vector, settings.model_copy(update={"search_kind": "dense"})))
            assert both.ids
            assert both.nodes
            assert near.ids
            assert near.ids[0] in both.ids[:2], "the nearest vector is one of the two first"
            result = [set(node.get_content().split()) & set(text.split()) for node in both.nodes]
            assert any(len(words) == len(text.split()) for words in result), "and so is a row with all the words"
    finally:
        close_stores(stores)
        drop(lite_uri, "hybrid_words")


@pytest.mark.parametrize("server", ["milvus_uri", "lite_uri"])
def test_mmr_searches_give_the_same_rows_in_both_modes(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    uri = str(request.getfixturevalue(server))
    flags = ("--host", uri, "--collection", "kinds_mmr", "--variants", "sync; async; async search-kind=dense")
    longer = ("--top-k", "20", "--phase-seconds", "1.5")  # such a search takes 0.1 s, on a busy machine 0.5 s
    run = run_locust(tmp_path, *SMALL, *BRIEF, *flags, *longer, files="mmr.py")
    run.assert_good()
    record = record_of(tmp_path)
    assert outcomes_of(record) == all_ok(["sync", "async", "async search-kind=dense"])
    assert "Sync and async give the same answers to 50 queries" in run.err
    assert "Recall of mmr searches (sync and async) was not measured" in run.out
    assert collections_of(uri) & {"kinds_mmr", "kinds_mmr_dense", "kinds_mmr_mmr"} == {"kinds_mmr"}
    drop(uri, "kinds_mmr")


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--variants", "async search-kind=dense; async; sync"),
        ("--variants", "async search-kind=mmr; async", "--search-kind", "hybrid"),
    ],
)
def test_a_server_without_bm25_is_refused_with_the_version_and_nothing_is_created(
    milvus_uri: str, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    before = collections_of(milvus_uri)
    run = run_locust(tmp_path, "--host", milvus_uri, *SMALL, *BRIEF, *flags, files="hybrid.py")
    assert run.code == 2
    assert NEEDED in run.out + run.err
    assert "1 setting is wrong; nothing was sent" in run.out + run.err
    assert collections_of(milvus_uri) == before
    assert not list((tmp_path / "runs").glob("*.json"))


def make_existing(uri: str, name: str, **given: Any) -> None:
    """A collection that somebody has made with LlamaIndex."""
    nodes: list[BaseNode] = [
        TextNode(id_=f"e{number}", text=f"word{number % 7} term{number}", embedding=[float(number % 5), 1.0, 0.5, 2.0])
        for number in range(200)
    ]
    store = open_store(uri, name, dim=4, overwrite=True, use_async_client=False, **given)
    store.add(nodes)
    store.client.flush(name)
    result = store.query(VectorStoreQuery(query_embedding=[1.0] * 4, mode=VectorStoreQueryMode.DEFAULT))
    assert result.ids


def measure(uri: str, name: str, folder: Path, *flags: str) -> Run:
    existing = ("--host", uri, "--collection", name, "--existing", "--queries", "50")
    return run_locust(folder, *existing, *BRIEF, *flags)


def test_an_existing_collection_is_searched_by_all_kinds_that_its_fields_allow(lite_uri: str, tmp_path: Path) -> None:
    make_existing(lite_uri, "existing_bm25", enable_sparse=True, sparse_embedding_field="words")
    variants = ("--variants", "sync search-kind=hybrid; async search-kind=hybrid; async search-kind=mmr; async")
    run = measure(lite_uri, "existing_bm25", tmp_path, *variants)
    run.assert_good()
    record = record_of(tmp_path)
    assert outcomes_of(record) == all_ok(record.variant_names)
    assert record.manifest.settings["sparse_field"] == "words"
    assert record.manifest.settings["embedding_field"] == "embedding"
    wrong = measure(lite_uri, "existing_bm25", tmp_path / "b", "--search-kind", "hybrid", "--sparse-field", "text")
    assert wrong.code == 2
    assert (
        "--sparse-field text: is not a BM25 field of collection 'existing_bm25'. It has words." in wrong.out + wrong.err
    )
    drop(lite_uri, "existing_bm25")


def test_kinds_that_the_fields_of_an_existing_collection_rule_out_are_refused(lite_uri: str, tmp_path: Path) -> None:
    make_existing(lite_uri, "existing_plain", embedding_field="vec")
    hybrid = measure(lite_uri, "existing_plain", tmp_path / "a", "--search-kind", "hybrid")
    mmr = measure(lite_uri, "existing_plain", tmp_path / "b", "--variants", "async; async search-kind=mmr")
    fields = measure(lite_uri, "existing_plain", tmp_path / "c", "--search-kind", "mmr", "--output-fields", "text")
    assert [run.code for run in (hybrid, mmr, fields)] == [2, 2, 2]
    needs = "--search-kind hybrid: needs a BM25 field, and collection 'existing_plain' has none"
    assert needs in hybrid.out + hybrid.err
    named = "--search-kind mmr: reads the vectors from a field named embedding in LlamaIndex, and those of collection"
    assert named in mmr.out + mmr.err
    assert "--output-fields text: leave out the vectors" in fields.out + fields.err
    drop(lite_uri, "existing_plain")


def test_a_collection_made_for_one_kind_is_not_taken_for_the_other(lite_uri: str, tmp_path: Path) -> None:
    flags = (*SMALL, *BRIEF, "--host", lite_uri, "--collection", "kinds_apart")
    run_locust(tmp_path / "a", *flags, "--search-kind", "hybrid").assert_good()
    run = run_locust(tmp_path / "b", *flags)
    assert run.code == 2
    reported = "--search-kind dense: collection 'kinds_apart' has a BM25 field. Use another --collection, or --fresh"
    assert reported in run.out + run.err
    run_locust(tmp_path / "c", *flags, "--fresh").assert_good()
    run = run_locust(tmp_path / "d", *flags, "--search-kind", "hybrid")
    assert "--search-kind hybrid: collection 'kinds_apart' has no BM25 field" in run.out + run.err
    drop(lite_uri, "kinds_apart")
