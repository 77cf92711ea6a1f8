"""What a run compares: how variants are written, named, and turned into settings."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.comparison import Pair
from loadgen.results.comparison_plan import find_comparison_plan
from loadgen.settings.answers import decides_answers
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import (
    PER_VARIANT,
    Variant,
    find_baseline,
    find_variants,
    longest_deadline,
    parse_variant,
    settings_of,
)


def names(variants: str, **given: object) -> list[str]:
    return [one.name for one in find_variants(Settings.parse({"variants": variants} | given))]


def faults(variants: str, **given: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"variants": variants} | given)
    return [str(fault) for fault in caught.value.faults]


def own(variants: str, **given: object) -> dict[str, Settings]:
    settings = Settings.parse({"variants": variants} | given)
    return {one.name: settings_of(settings, one) for one in find_variants(settings)}


@pytest.mark.parametrize(("mode", "result"), [("compare", ["sync", "async"]), ("sync", ["sync"]), ("async", ["async"])])
def test_a_mode_is_the_short_form_of_its_variants(mode: str, result: list[str]) -> None:
    settings = Settings.parse({"mode": mode})
    assert [(one.name, one.mode, one.given) for one in find_variants(settings)] == [(one, one, {}) for one in result]
    assert find_baseline(settings) == result[0]


def test_a_variant_is_named_by_its_text_without_defaults() -> None:
    assert names("sync; llamaindex/async;async  connections=4 ; quick: async top-k=1") == [
        "sync", "async", "async connections=4", "quick",
    ]  # fmt: skip
    assert names('async search-params="ef=64, x=1"; async index-params=M=8,efConstruction=50') == [
        'async search-params="ef=64, x=1"', "async index-params=M=8,efConstruction=50",
    ]  # fmt: skip


def test_the_second_of_two_equal_ones_has_a_number() -> None:
    assert names("async; async; async top-k=5; async top_k=5; async") == [
        "async", "async#2", "async top-k=5", "async top-k=5#2", "async#3",
    ]  # fmt: skip


def test_the_baseline_is_the_first_or_the_one_that_is_named() -> None:
    settings = Settings.parse({"variants": "sync; async; fast: async top-k=5", "baseline": "fast"})
    assert find_baseline(settings) == "fast"
    assert find_comparison_plan(settings).pairs == [Pair("fast", "sync"), Pair("fast", "async")]
    assert find_comparison_plan(Settings()).pairs == [Pair("sync", "async")]


def test_a_variant_has_its_own_settings_and_otherwise_those_of_the_run() -> None:
    result = own("sync; async connections=4 output-fields=text,doc_id deadline=2.5", connections=2, rows=500)
    assert [(one.connections, one.output_fields, one.deadline, one.rows) for one in result.values()] == [
        (2, (), 30.0, 500),
        (4, ("text", "doc_id"), 2.5, 500),
    ]
    assert {one.collection for one in result.values()} == {"loadgen"}
    settings = Settings.parse({"variants": "sync deadline=40; async", "deadline": 5})
    assert longest_deadline(settings) == 40.0


def test_what_a_collection_is_made_with_gives_the_variant_a_collection_of_its_own() -> None:
    result = own(
        "sync; ivf: async index-type=IVF_FLAT; async index-type=ivf_flat; async collection=mine; "
        "async consistency=Strong",
        collection="docs",
        index_params="M=8,efConstruction=50",
        search_params="ef=99",
    )
    assert [one.collection for one in result.values()] == [
        "docs", "docs_ivf_flat", "docs_ivf_flat", "mine", "docs_strong",
    ]  # fmt: skip
    assert result["ivf"].index_config == {"index_type": "IVF_FLAT", "nlist": 128}, "the parameters are of another index"
    assert result["ivf"].search_config == {"nprobe": 16}
    assert result["sync"].index_config == {"index_type": "HNSW", "M": 8, "efConstruction": 50}


def test_a_variant_that_spells_out_what_the_run_has_shares_its_collection() -> None:
    result = own("sync; async index-type=HNSW consistency=Bounded; async index-type=HNSW index-params=M=8")
    assert [one.collection for one in result.values()] == ["loadgen", "loadgen", "loadgen_hnsw_m_8"]


def test_a_collection_is_the_same_one_in_every_run_and_its_name_is_bounded() -> None:
    long = ",".join(f"parameter{number}={number}" for number in range(12))
    (_, first), (_, second) = (own(f"many: async index-params={long}").popitem() for _ in range(2))
    assert first.collection == second.collection
    assert len(first.collection) <= len("loadgen_") + 60


def test_a_name_that_no_table_could_show_is_refused() -> None:
    (fault,) = faults("sync; async output-fields=" + ",".join(f"field{number}" for number in range(12)))
    assert "has 105 characters; the limit is 60" in fault


def test_an_error_of_the_run_itself_is_reported_once() -> None:
    assert len(faults("sync; async top-k=5; async top-k=6", arrival="poisson", concurrency="2")) == 2


def test_what_decides_the_answers_is_equal_or_not() -> None:
    result = own("sync; async connections=4 deadline=1; async top-k=5; async search-params=ef=99; async collection=b")
    assert [decides_answers(one) == decides_answers(result["sync"]) for one in result.values()] == [
        True, True, False, False, False,
    ]  # fmt: skip
    comparison_plan = find_comparison_plan(Settings.parse({"variants": "sync; async connections=4; async top-k=5"}))
    assert [comparison_plan.is_alike(pair) for pair in comparison_plan.pairs] == [True, False]
    assert comparison_plan.connections == {"sync": 1, "async connections=4": 4, "async top-k=5": 1}


def test_all_faults_of_all_variants_come_together() -> None:
    assert len(faults("asynk dim=5; grpc/async; async conections=1; async foo")) == 5
    assert len(faults("sync top-k=0 connections=0; async deadline=-1")) == 3


def test_a_variant_that_would_be_wrong_as_a_run_is_wrong() -> None:
    assert faults("sync; async top-k=100", search_params="ef=50") == [
        '--variants "async top-k=100": is wrong: search-params ef=50: is below top_k 100. Set ef to 100 or more.'
    ]


def test_one_collection_cannot_be_made_in_two_ways() -> None:
    (fault,) = faults("sync; async collection=loadgen index-type=FLAT")
    reported = "uses collection loadgen, as sync does, but with another index, consistency, embedding or search kind"
    assert reported in fault
    assert names("a: sync collection=x index-type=FLAT; b: async collection=x index-type=flat") == ["a", "b"]


def test_a_setting_of_the_process_the_server_or_the_data_is_none_of_a_variant() -> None:
    for name in set(Settings.model_fields) - set(PER_VARIANT):
        (fault, *_) = faults(f"sync; async {name}=1")
        assert "in which a variant cannot differ" in fault


words = st.from_regex(r"[A-Za-z0-9_,.=-]{1,20}", fullmatch=True)
values = words | st.text(st.characters(codec="ascii", exclude_characters='";', min_codepoint=32), max_size=20)


@given(
    st.sampled_from(["sync", "async"]),
    st.dictionaries(st.sampled_from(PER_VARIANT), values, max_size=4),
)
def test_what_a_variant_is_called_reads_as_the_same_variant(mode: str, settings: dict[str, str]) -> None:
    text = Variant("", "sync" if mode == "sync" else "async", given=settings).text
    assert parse_variant(text) == Variant("", "sync" if mode == "sync" else "async", given=settings)


@given(st.text(max_size=60))
def test_any_text_is_a_variant_or_a_fault(text: str) -> None:
    mode = ""
    with contextlib.suppress(SettingsError):
        mode = str(parse_variant(text).mode)
    assert mode in text
