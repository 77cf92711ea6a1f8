"""Kinds of search: what each needs of the settings, the server and the collection."""

from typing import Any

import numpy as np
import pytest
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from llama_index.vector_stores.milvus import base
from pymilvus import DataType, FunctionType

from loadgen.clients import find_layer
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store import ServerInfo, store_arguments, to_query, vary_query
from loadgen.milvus.store.manifest import find_differences, make_manifest
from loadgen.milvus.store.nodes import MODES
from loadgen.milvus.store.search_kinds import find_kind_faults, find_schema_faults, require_kinds
from loadgen.settings.answers import decides_answers
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.values import MMR_FETCHES, SEARCH_KINDS
from loadgen.settings.variants import find_variants, settings_of

VECTOR = np.ones(4, dtype=np.float32)


def parse(**given: Any) -> Settings:
    return Settings.parse(given)


def variants_of(text: str, **given: Any) -> dict[str, Settings]:
    run = parse(variants=text, **given)
    return {one.name: settings_of(run, one) for one in find_variants(run)}


def test_mmr_fetches_as_many_rows_as_llamaindex_does_and_hnsw_searches_as_wide() -> None:
    assert base.DEFAULT_MMR_PREFETCH_FACTOR == MMR_FETCHES
    assert parse(search_kind="mmr", top_k=20).search_config == {"ef": 80}
    assert parse(search_kind="mmr", top_k=10).search_config == {"ef": 64}
    assert parse(search_kind="dense", top_k=20).search_config == {"ef": 64}


def test_each_kind_is_a_mode_of_llamaindex_and_a_query_takes_that_of_its_variant() -> None:
    assert set(MODES) == set(SEARCH_KINDS)
    query = to_query(VECTOR, parse(search_kind="hybrid"), "some words")
    assert (query.mode, query.query_str) == (VectorStoreQueryMode.HYBRID, "some words")
    varied = vary_query(query, parse(search_kind="mmr", top_k=3))
    assert (varied.mode, varied.similarity_top_k) == (VectorStoreQueryMode.MMR, 3)
    assert varied.query_embedding is query.query_embedding
    assert to_query(VECTOR, parse()).mode is VectorStoreQueryMode.DEFAULT


def test_only_a_hybrid_variant_has_another_collection() -> None:
    result = variants_of(
        "sync; async search-kind=mmr; async search-kind=hybrid; sync search-kind=Hybrid", collection="c"
    )
    assert [one.collection for one in result.values()] == ["c", "c", "c_hybrid", "c_hybrid"]
    result = variants_of("sync; async search-kind=mmr; async search-kind=dense", collection="c", search_kind="hybrid")
    assert [one.collection for one in result.values()] == ["c", "c_mmr", "c_dense"]
    result = variants_of("sync index-type=FLAT; async index-type=FLAT search-kind=mmr", collection="c")
    assert [one.collection for one in result.values()] == ["c_flat", "c_flat"]


def test_kinds_need_not_find_the_same_rows() -> None:
    result = [decides_answers(parse(search_kind=kind)) for kind in SEARCH_KINDS]
    assert len({repr(one) for one in result}) == 3


@pytest.mark.parametrize(
    ("version", "kind", "is_refused"),
    [
        ("v2.3.5-lite", "milvus", True),
        ("2.4.23", "milvus", True),
        ("v2.5.0", "milvus", False),
        ("2.6.15", "milvus", False),
        ("v3.0", "milvus", False),
        ("v2.10.1", "milvus", False),
        ("milvus_lite-3.2.2", "lite", False),
        ("2.3.0", "lite", False),
        ("Zilliz Cloud Vector Database", "zilliz", False),
    ],
)
def test_hybrid_searches_need_a_server_with_bm25(version: str, kind: str, is_refused: bool) -> None:
    faults = find_kind_faults(parse(search_kind="hybrid"), ServerInfo(version, kind))
    reported = f"needs Milvus 2.5 or later, or Milvus Lite: the server is {version}, which has no BM25"
    assert [fault.problem for fault in faults] == ([reported] if is_refused else [])
    assert find_kind_faults(parse(search_kind="mmr"), ServerInfo(version, kind)) == []


def test_a_run_is_refused_once_however_many_of_its_variants_need_bm25() -> None:
    kinds = [parse(search_kind=kind) for kind in ("dense", "hybrid", "hybrid", "mmr")]
    with pytest.raises(SettingsError, match="1 setting is wrong"):
        require_kinds(kinds, ServerInfo("v2.4.1", "milvus"))
    require_kinds(kinds, ServerInfo("v2.5.1", "milvus"))


def schema(*functions: tuple[FunctionType, str]) -> dict[str, Any]:
    fields = [{"name": name, "type": DataType.SPARSE_FLOAT_VECTOR} for _, name in functions]
    reported = [{"type": kind, "output_field_names": [name]} for kind, name in functions]
    return {"fields": fields, "functions": reported}


BM25, OTHER = (FunctionType.BM25, "words"), (FunctionType.TEXTEMBEDDING, "other")


@pytest.mark.parametrize(
    ("described", "given", "reported"),
    [
        (schema(BM25), {"search_kind": "hybrid"}, []),
        (schema(BM25, (FunctionType.BM25, "titles")), {"search_kind": "hybrid"}, ["sparse_field"]),
        (schema(BM25, (FunctionType.BM25, "titles")), {"search_kind": "hybrid", "sparse_field": "titles"}, []),
        (schema(BM25), {"search_kind": "hybrid", "sparse_field": "titles"}, ["sparse_field"]),
        (schema(OTHER), {"search_kind": "hybrid"}, ["search_kind"]),
        ({"fields": []}, {"search_kind": "hybrid"}, ["search_kind"]),
        ({"fields": []}, {"search_kind": "mmr"}, ["search_kind"]),
        ({"fields": []}, {"search_kind": "dense"}, []),
    ],
)
def test_an_existing_collection_decides_which_kinds_are_possible(
    described: dict[str, Any], given: dict[str, str], reported: list[str]
) -> None:
    settings = Settings.parse({"existing": True, "host": "http://127.0.0.1:1", "collection": "papers"} | given)
    assert [fault.setting for fault in find_schema_faults(settings, described, "vec")] == reported
    if given["search_kind"] == "mmr":
        assert list(find_schema_faults(settings, described, "embedding")) == []


def test_the_server_fills_the_field_that_hybrid_searches_read() -> None:
    assert "enable_sparse" not in store_arguments(parse(search_kind="mmr"), Mode.SYNC)
    result = store_arguments(parse(search_kind="hybrid"), Mode.SYNC)
    assert (result["enable_sparse"], result["sparse_embedding_field"]) == (True, "sparse_embedding")
    function = result["sparse_embedding_function"]
    assert (function.input_field_names, function.output_field_names) == (["text"], ["sparse_embedding"])


def test_a_collection_with_a_bm25_field_is_another_one() -> None:
    dense, hybrid = parse(), parse(search_kind="hybrid")
    made = {one.search_kind: make_manifest(one, open_dataset(one)) for one in (dense, hybrid)}
    assert "full_text" not in made["dense"]
    (fault,) = find_differences(made["dense"], made["hybrid"], hybrid)
    assert (fault.setting, fault.problem) == ("search_kind", "collection 'loadgen' has no BM25 field")
    (fault,) = find_differences(made["hybrid"], made["dense"], dense)
    assert fault.problem == "collection 'loadgen' has a BM25 field"
    mmr = parse(search_kind="mmr")
    assert find_differences(made["dense"], make_manifest(mmr, open_dataset(mmr)), mmr) == []


def test_the_layers_say_what_they_can_do() -> None:
    assert find_layer("llamaindex").connector.search_kinds == ("dense", "hybrid", "mmr")
    assert find_layer("pymilvus").connector.search_kinds == ("dense",)


def test_an_existing_collection_is_searched_in_all_kinds_as_it_is() -> None:
    existing = {"existing": True, "host": "http://127.0.0.1:1", "collection": "papers"}
    result = variants_of("sync; async search-kind=hybrid; sync search-kind=mmr", **existing)
    assert [one.collection for one in result.values()] == ["papers"] * 3
