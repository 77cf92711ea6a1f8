"""Settings of the RAG path: which client a variant has, what collections differ in, keys, and the faults."""

import pytest

from loadgen.clients.rag.engine import embedding_spec, find_key, find_place, llm_spec
from loadgen.locust_plugin.preparation.llm_server import needs_server
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import Variant, find_variants, settings_of

URL = "http://127.0.0.1:1/v1"


def parse(**given: object) -> Settings:
    return Settings.parse({"client": "rag", **given})


def faults(**given: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(given)
    return [str(fault) for fault in caught.value.faults]


def collections(settings: Settings) -> list[str]:
    return [settings_of(settings, one).collection for one in find_variants(settings)]


def test_the_client_of_the_run_is_that_of_variants_that_name_none_and_no_part_of_their_names() -> None:
    result = find_variants(parse())
    assert [(one.name, one.client) for one in result] == [("sync", "rag"), ("async", "rag")]
    named = find_variants(parse(variants="async; rag/sync stream=true"))
    assert [(one.name, one.client) for one in named] == [("async", "rag"), ("sync stream=true", "rag")]
    other = find_variants(Settings.parse({"variants": "rag/sync; sync"}))
    assert [(one.name, one.client) for one in other] == [("rag/sync", "rag"), ("sync", "llamaindex")]
    assert Variant("", "sync", "llamaindex", usual="rag").text == "llamaindex/sync"


def test_the_settings_of_a_variant_have_its_client() -> None:
    settings = Settings.parse({"variants": "rag/sync; rag/async stream=true"})
    assert [settings_of(settings, one).client for one in find_variants(settings)] == ["rag", "rag"]


def test_embeddings_and_chunks_that_differ_have_collections_of_their_own_and_other_models_do_not() -> None:
    chunks, models = "async chunk-size=256 chunk-overlap=16", "async llm=openai:x; async embed-in=loop"
    text = f"async; async embedding=simulated:64; {chunks}; {models}"
    assert collections(parse(variants=text, llm_url=URL)) == [
        "loadgen",
        "loadgen_simulated_64",
        "loadgen_256_16",
        "loadgen",
        "loadgen",
    ]


def test_all_variants_of_an_existing_collection_use_it() -> None:
    given = {"existing": True, "questions": "q.jsonl", "host": "http://127.0.0.1:1"}
    assert collections(parse(variants="async; async embedding=simulated:64", **given)) == ["loadgen", "loadgen"]


def test_one_collection_cannot_have_two_embeddings() -> None:
    (fault,) = faults(client="rag", variants="async; async embedding=simulated:64 collection=loadgen")
    assert "uses collection loadgen, as async does, but with another index, consistency, embedding" in fault


def test_settings_of_the_path_need_its_client_and_it_has_no_filters() -> None:
    assert faults(stream=True, llm="openai:x") == [
        "--llm openai:x: is for the RAG path. Add --client rag, or omit it.",
        "--stream: is for the RAG path. Add --client rag, or omit it.",
    ]
    assert faults(client="rag", search_kind="mmr", upsert=True) == [
        "--search-kind mmr: is not possible with --client rag. Omit it.",
        "--upsert: is not possible with --client rag. Omit it.",
    ]
    assert Settings.parse({"variants": "rag/sync; rag/async", "stream": True}).stream


def test_settings_as_the_data_resolve_them_are_read_again_by_a_worker() -> None:
    settings = parse(top_k=3).model_copy(update={"rows": 5, "dim": 256, "dataset": "documents", "queries": 20})
    again = Settings.parse(settings.as_message())
    assert (again.rows, again.dim, again.dataset, again.queries) == (5, 256, "documents", 20)


@pytest.mark.parametrize(
    ("url", "variables", "key"),
    [
        ("", {"OPENAI_API_KEY": "a"}, "a"),
        ("", {"OPENAI_API_KEY": "a", "LOADGEN_LLM_KEY": "b"}, "b"),
        (URL, {"OPENAI_API_KEY": "a"}, ""),
        (URL, {"LOADGEN_LLM_KEY": "b"}, "b"),
        (URL, {"LOADGEN_EMBEDDING_KEY": "c"}, ""),
        ("", {}, ""),
    ],
)
def test_the_key_of_openai_is_sent_to_openai_alone(url: str, variables: dict[str, str], key: str) -> None:
    assert find_key("llm", url, variables) == key


def test_keys_are_in_no_settings_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADGEN_LLM_KEY", "S3cret")
    settings = parse(llm="openai:x", llm_url=URL)
    assert llm_spec(settings).key == "S3cret"
    assert "S3cret" not in f"{llm_spec(settings)} {settings} {settings.as_message()}"


def test_simulated_models_are_asked_at_the_simulated_server_and_others_at_their_own() -> None:
    settings = parse(embedding="simulated:64", simulated_url=URL)
    assert [spec.url for spec in (embedding_spec(settings), llm_spec(settings))] == [URL, URL]
    other = parse(llm="openai:x", llm_url="http://127.0.0.1:2/v1", simulated_url=URL)
    assert llm_spec(other).url == "http://127.0.0.1:2/v1"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "threads"),
        ({"embedding": "simulated:64"}, "server"),
        ({"embedding": "openai:x", "embedding_url": URL}, "server"),
        ({"embed_in": "batched"}, "batched"),
        ({"embed_in": "loop"}, "loop"),
    ],
)
def test_questions_are_embedded_where_the_model_is(given: dict[str, str], place: str) -> None:
    assert find_place(parse(**given)) == place


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"client": "llamaindex"}, False),
        ({}, True),
        ({"simulated_url": URL}, False),
        ({"llm": "openai:x", "llm_url": URL}, False),
        ({"llm_url": URL}, False),
        ({"llm": "openai:x", "llm_url": URL, "embedding": "simulated:64"}, True),
        ({"llm": "openai:x", "llm_url": URL, "variants": "async; async embedding=simulated:64"}, True),
        ({"client": "llamaindex", "variants": "rag/sync; rag/async"}, True),
    ],
)
def test_a_server_is_started_only_for_simulated_models_without_an_address(
    given: dict[str, object], needed: bool
) -> None:
    assert needs_server(parse(**given)) is needed
