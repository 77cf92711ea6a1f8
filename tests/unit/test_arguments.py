"""Every setting is a flag, a LOADGEN_* variable and a key of Locust's config file."""

from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments, ui_extra_args_dict
from pydantic import SecretStr

from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.settings.model import Settings
from tests.unit.argument_support import make_parser

OTHERS: dict[str, tuple[str, object]] = {
    "token": ("root:secret", SecretStr("root:secret")),
    "database": ("other", "other"),
    "embedded": ("lite", "lite"),
    "connections": ("4", 4),
    "deadline": ("2.5", 2.5),
    "retries": ("3", 3),
    "ca_file": (__file__, __file__),
    "client_cert_file": (__file__, __file__),
    "client_key_file": (__file__, __file__),
    "server_cert_file": (__file__, __file__),
    "server_metrics": ("http://milvus:9091/metrics", "http://milvus:9091/metrics"),
    "server_name": ("milvus", "milvus"),
    "collection": ("other", "other"),
    "dim": ("64", 64),
    "metric": ("L2", "L2"),
    "index_type": ("IVF_FLAT", "IVF_FLAT"),
    "index_params": ("nlist=64", {"nlist": 64}),
    "search_params": ("nprobe=8", {"nprobe": 8}),
    "consistency": ("Strong", "Strong"),
    "output_fields": ("text,doc_id", ("text", "doc_id")),
    "dataset": ("vectors.npy", "vectors.npy"),
    "rows": ("500", 500),
    "seed": ("7", 7),
    "clusters": ("8", 8),
    "spread": ("0.5", 0.5),
    "queries": ("50", 50),
    "query_file": ("queries.npy", "queries.npy"),
    "query_skew": ("zipf:1.1", "zipf:1.1"),
    "text_bytes": ("1200", 1_200),
    "metadata": ("tenant:int:100", "tenant:int:100"),
    "partitions": ("64", "64"),
    "partition_skew": ("zipf:0.9", "zipf:0.9"),
    "filter": ("tenant == {tenant}", "tenant == {tenant}"),
    "batch_size": ("20", 20),
    "load_in_flight": ("2", 2),
    "search_kind": ("Hybrid", "hybrid"),
    "top_k": ("5", 5),
    "queries_per_search": ("3", 3),
    "nodes_per_insert": ("3", 3),
    "recall_every": ("5", 5),
    "cache": ("elsewhere", "elsewhere"),
    "mode": ("async", "async"),
    "concurrency": ("2,4", (2, 4)),
    "max_in_flight": ("16", 16),
    "max_wait": ("0.5", 0.5),
    "rounds": ("4", 4),
    "phase_seconds": ("3", 3.0),
    "warmup_seconds": ("1", 1.0),
    "give_up_after": ("60", 60.0),
    "fault": ("1s cut; 2s blackhole 500ms", ("1s cut", "2s blackhole 500ms")),
    "recovery_within": ("15", 15.0),
    "abort_when": ("failures > 5 %", "failures > 5 %"),
    "worker_grace": ("15", 15.0),
    "burst": ("10,20", (10, 20)),
    "record": ("elsewhere", "elsewhere"),
    "record_url": ("s3://bucket/runs", "s3://bucket/runs"),
    "report": ("markdown", "markdown"),
    "require": ("search async p99 < 50 ms", ("search async p99 < 50 ms",)),
    "objective": ("response < 50 ms", "response < 50 ms"),
    "max_failures": ("1%", "1%"),
    "max_empty": ("2%", "2%"),
    "metrics_port": ("9700", 9700),
    "metrics_bind": ("0.0.0.0", "0.0.0.0"),  # noqa: S104
    "metrics_targets": ("targets.json", "targets.json"),
    "metrics_linger": ("2.5", 2.5),
    "otlp": ("http://collector:4318", "http://collector:4318"),
    "trace_sample": ("0.001", 0.001),
}
"""For each setting a value other than its default, as text and as the model has it."""
OPEN: dict[str, tuple[str, object]] = {"arrival": ("poisson", "poisson"), "rate": ("50,100.5", (50.0, 100.5))}
"""The same for those that do not go with a concurrency."""
SEARCHED: dict[str, tuple[str, object]] = {
    "find_rate": ("search p99 < 50 ms", "search p99 < 50 ms"),
    "find_within": ("11m", 660.0),
    "arrival": ("constant", "constant"),
}
"""The same for those of a search for a rate."""
VARIED: dict[str, tuple[str, object]] = {
    "variants": ("sync; async top-k=5", ("sync", "async top-k=5")),
    "baseline": ("async top-k=5", "async top-k=5"),
    "sweep": ("ef=16,32", "ef=16,32"),
    "at_recall": ("0.95", 0.95),
}
"""The same for those that do not go with one mode."""
EXISTING: dict[str, tuple[str, object]] = {
    "id_field": ("pk", "pk"),
    "embedding_field": ("vec", "vec"),
    "text_field": ("body", "body"),
    "sparse_field": ("words", "words"),
    "doc_id_field": ("document", "document"),
}
"""The same for those of an existing collection."""
RAG: dict[str, tuple[str, object]] = {
    "client": ("rag", "rag"),
    "documents": ("texts", "texts"),
    "documents_per_ingest": ("4", 4),
    "chunk_size": ("256", 256),
    "chunk_overlap": ("16", 16),
    "questions": ("questions.jsonl", "questions.jsonl"),
    "embedding": ("openai:small", "openai:small"),
    "embedding_url": ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"),
    "embed_in": ("server", "server"),
    "llm": ("openai:large", "openai:large"),
    "llm_url": ("http://127.0.0.1:2/v1", "http://127.0.0.1:2/v1"),
    "simulated_url": ("http://127.0.0.1:3/v1", "http://127.0.0.1:3/v1"),
}
"""The same for those of the RAG path."""
SWITCHES = ("dry_run", "upsert", "stages", "fresh", "overwrite", "resume", "print_record", "no_wait_compaction")


KEYED: dict[str, tuple[str, object]] = {
    "metadata": ("tenant:int:9; lang:enum:de,en", "tenant:int:9; lang:enum:de,en"),
    "partition_key": ("tenant", "tenant"),
}
"""Partitions exclude it."""
SCALED: dict[str, tuple[str, object]] = {"scale_workers": ("1,2", (1, 2)), "concurrency": ("8", (8,))}
"""It needs one load level."""


def read(arguments: list[str], **defaults: object) -> Settings:
    options = make_parser(**defaults).parse_args(arguments)
    return read_settings(options, options.host)


def expected() -> Settings:
    return Settings.model_validate({name: value for name, (_, value) in OTHERS.items()} | dict.fromkeys(SWITCHES, True))


def test_the_table_of_this_test_has_every_setting() -> None:
    alone = {"rate_profile", "host", "existing", "allow_writes", "stream"}
    assert {*OTHERS, *OPEN, *SEARCHED, *VARIED, *EXISTING, *KEYED, *RAG, *SCALED, *SWITCHES, *alone} == set(
        Settings.model_fields
    )
    defaults = Settings()
    assert all(
        getattr(defaults, name) != value
        for name, (_, value) in (OTHERS | OPEN | SEARCHED | VARIED | EXISTING | KEYED | RAG | SCALED).items()
    )


def test_without_arguments_all_settings_have_their_defaults() -> None:
    assert read([]) == Settings()


def test_every_setting_is_a_flag() -> None:
    flags = [part for name, (text, _) in OTHERS.items() for part in (f"--{name.replace('_', '-')}", text)]
    assert read([*flags, *(f"--{name.replace('_', '-')}" for name in SWITCHES)]) == expected()


@pytest.mark.parametrize(
    "table",
    [OPEN, SEARCHED, VARIED, EXISTING, KEYED, RAG, SCALED],
    ids=[
        "an open run",
        "a search for a rate",
        "variants",
        "an existing collection",
        "a partition key",
        "the RAG path",
        "workers",
    ],
)
def test_settings_that_go_with_few_others_are_flags_variables_and_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: dict[str, tuple[str, object]]
) -> None:
    wanted = Settings.model_validate({name: value for name, (_, value) in table.items()})
    more = {"existing": True, "host": "http://127.0.0.1:1"} if table is EXISTING else {}
    switches = ["--existing", "--host", "http://127.0.0.1:1"] if more else []
    wanted = wanted.model_copy(update=more)
    flags = [part for name, (text, _) in table.items() for part in (f"--{name.replace('_', '-')}", text)]
    assert read([*flags, *switches]) == wanted
    file = tmp_path / "few.conf"
    file.write_text("\n".join(f'{name.replace("_", "-")} = "{text}"' for name, (text, _) in table.items()))
    assert read(["--config", str(file), *switches]) == wanted
    for name, (text, _) in table.items():
        monkeypatch.setenv(f"LOADGEN_{name.upper()}", text)
    assert read(switches) == wanted


def test_every_setting_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (text, _) in OTHERS.items():
        monkeypatch.setenv(f"LOADGEN_{name.upper()}", text)
    for name in SWITCHES:
        monkeypatch.setenv(f"LOADGEN_{name.upper()}", "true")
    monkeypatch.setenv("LOADGEN_HOST", "http://127.0.0.1:1")
    assert read([]) == expected().model_copy(update={"host": "http://127.0.0.1:1"})


def test_every_setting_is_a_key_of_a_config_file(tmp_path: Path) -> None:
    lines = [f"{name.replace('_', '-')} = {text}" for name, (text, _) in OTHERS.items()]
    file = tmp_path / "run.conf"
    file.write_text(
        "\n".join([*lines, *(f"{name.replace('_', '-')} = true" for name in SWITCHES), "host = http://127.0.0.1:1"])
    )
    assert read(["--config", str(file)]) == expected().model_copy(update={"host": "http://127.0.0.1:1"})


def test_a_locustfiles_own_defaults_hold_until_somebody_says_otherwise() -> None:
    own = {"top_k": 3, "consistency": "Strong", "index_type": "FLAT", "rows": 1000}
    settings = read([], **own)
    assert (settings.top_k, settings.consistency, settings.index_type, settings.rows) == (3, "Strong", "FLAT", 1000)
    assert read(["--top-k", "7"], **own).top_k == 7


def test_an_unknown_default_of_a_locustfile_is_refused() -> None:
    with pytest.raises(ValueError, match="topk"):
        make_parser(topk=3)


def test_parsed_options_without_our_settings_are_an_error_and_not_a_run_with_defaults() -> None:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    with pytest.raises(RuntimeError, match="none of loadgen's settings"):
        read_settings(parser.parse_args([]), None)
    assert "rows" not in ui_extra_args_dict([]), "this test's parser leaves Locust's global events alone"


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_what_a_person_gives_is_told_from_a_default_even_where_it_is_the_same(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.conf").write_text("dim = 768\n")
    arguments = {"flag": ["--dim", "768"], "variable": [], "file": ["--config", str(tmp_path / "some.conf")]}[way]
    if way == "variable":
        monkeypatch.setenv("LOADGEN_DIM", "768")
    settings = read(arguments, rows=500)
    assert settings.rows == 500
    assert [name for name in Settings.model_fields if settings.is_given(name)] == ["dim"]
