"""Settings are read from text, and all faults are reported together with remedies."""

from pathlib import Path

import pytest

from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.values import Default


def faults(**given: object) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(given)
    return {fault.setting: str(fault) for fault in caught.value.faults}


def test_the_defaults_are_those_of_the_search_locustfile() -> None:
    settings = Settings.parse({})
    assert (settings.dim, settings.metric, settings.index_type) == (768, "COSINE", "HNSW")
    assert (settings.top_k, settings.consistency) == (10, "Bounded")
    assert (settings.mode, settings.concurrency) == ("compare", (1, 8, 32))
    assert settings.index_config == {"index_type": "HNSW", "M": 16, "efConstruction": 200}
    assert settings.search_config == {"ef": 64}


def test_text_from_a_command_line_becomes_values() -> None:
    settings = Settings.parse(
        {
            "concurrency": "1, 8,64",
            "index_params": "M=8,efConstruction=100",
            "search_params": '{"ef": 128}',
            "output_fields": "text, doc_id",
            "metric": "cosine",
            "index_type": "hnsw",
            "consistency": "strong",
            "deadline": "2.5",
            "upsert": True,
        }
    )
    assert settings.concurrency == (1, 8, 64)
    assert settings.index_config == {"index_type": "HNSW", "M": 8, "efConstruction": 100}
    assert settings.search_config == {"ef": 128}
    assert settings.output_fields == ("text", "doc_id")
    assert (settings.metric, settings.index_type, settings.consistency) == ("COSINE", "HNSW", "Strong")
    assert settings.deadline == 2.5
    assert settings.upsert is True


def test_hnsw_searches_at_least_as_wide_as_top_k() -> None:
    assert Settings.parse({"top_k": "200"}).search_config == {"ef": 200}


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("metric", "HAMMING", "Choose 'COSINE', 'IP' or 'L2'."),
        ("index_type", "BTREE", "'HNSW', 'FLAT'"),
        ("consistency", "Weak", "'Strong', 'Session', 'Bounded' or 'Eventually'"),
        ("top_k", "16385", "Choose 1 to 16384"),
        ("top_k", "0", "Choose 1 to 16384"),
        ("rows", "-5", "Choose a number from 1 to 10,000,000,000."),
        ("dim", "one", "Choose a number from 2 to 32,768."),
        ("concurrency", "1,x", "Give whole numbers from 1 to 1,000,000 with commas"),
        ("concurrency", "", "Give whole numbers from 1 to 1,000,000 with commas"),
        ("concurrency", "0", "Give whole numbers from 1 to 1,000,000 with commas"),
        ("concurrency", "8,1,8", "names a level twice. Use --concurrency 8,1,"),
        ("phase_seconds", "0", "Choose a number from 0.01 to 86,400."),
        ("deadline", "-1", "Choose a number above 0"),
        ("index_params", "M", "neither JSON nor key=value pairs"),
        ("index_params", "{broken", "not a JSON object"),
        ("mode", "both", "'compare', 'sync' or 'async'"),
        ("collection", "1st", "not a digit first"),
        ("host", "127.0.0.1:19530", "Give an address such as"),
        ("host", "./milvus.db", "Use --embedded lite"),
        ("host", "http://", "names no host"),
        ("host", "http://a:b:c", "is not an address"),
        ("ca_file", "/no/such.pem", "is not a file"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting_and_a_way_out(name: str, value: str, reported: str) -> None:
    result = faults(**{name: value})
    flag = f"--{name.replace('_', '-')}"
    assert result[name].startswith(f"{flag} {value}".rstrip())
    assert reported in result[name]


def test_all_faults_are_told_at_once_also_those_between_settings(tmp_path: Path) -> None:
    result = faults(
        metric="no", top_k="50", rows="20", warmup_seconds="9", phase_seconds="3", client_key_file=str(tmp_path)
    )
    assert set(result) == {
        "metric", "top_k", "warmup_seconds", "client_key_file", "client_cert_file",
    }  # fmt: skip
    assert "more than the 20 rows" in result["top_k"]
    assert "longer than a phase of 3 s" in result["warmup_seconds"]


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (("ca_file",), {}),
        (("server_cert_file",), {}),
        (("ca_file", "server_cert_file"), {}),
        (("ca_file", "client_cert_file", "client_key_file"), {}),
        (("server_cert_file", "client_cert_file", "client_key_file"), {}),
        (("ca_file", "client_cert_file"), {"client_key_file": "is required with --client-cert-file"}),
        (("client_cert_file",), {"client_key_file": "is required with --client-cert-file"}),
        (("client_key_file",), {"client_cert_file": "is required with --client-key-file"}),
        (
            ("client_cert_file", "client_key_file"),
            {"ca_file": "is required with --client-cert-file and --client-key-file"},
        ),
    ],
)
def test_one_authority_is_enough_and_a_client_needs_its_certificate_its_key_and_somebody_to_trust(
    given: tuple[str, ...], reported: dict[str, str], tmp_path: Path
) -> None:
    pem = tmp_path / "any.pem"
    pem.touch()
    files = dict.fromkeys(given, str(pem))
    result = faults(**files) if reported else {}
    Settings.parse({} if reported else files)
    assert set(result) == set(reported)
    assert all(text in result[name] for name, text in reported.items())


def test_search_parameters_that_contradict_top_k_are_told() -> None:
    assert "ef=5" in faults(search_params="ef=5")["search_params"]
    assert "AUTOINDEX" in faults(index_type="AUTOINDEX", index_params="M=4")["index_params"]


def test_the_token_is_shown_nowhere() -> None:
    settings = Settings.parse({"token": "root:secret"})
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.token.get_secret_value() == "root:secret"
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"token": "root:secret", "host": "ftp://root:secret@there", "dim": "x"})
    assert "secret" not in str(caught.value)


def test_a_password_in_an_address_is_masked() -> None:
    assert without_secret("http://root:secret@there:19530") == "http://***@there:19530"
    assert without_secret("root:secret@there:19530") == "***@there:19530"
    assert without_secret("http://there:19530") == "http://there:19530"


def test_an_unknown_setting_is_refused() -> None:
    assert "topk" in faults(topk="5")


def test_a_default_is_not_given_and_everything_else_is() -> None:
    settings = Settings.parse({"dim": "768", "rows": Default("1000"), "upsert": False, "fresh": True, "metric": None})
    assert [name for name in Settings.model_fields if settings.is_given(name)] == ["dim", "fresh"]
    assert settings.rows == 1_000
    assert settings.model_copy(update={"rows": 5}).is_given("dim")


def test_in_a_pod_nobody_is_advised_to_start_a_server_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hint = "or none to start a server"
    assert hint in faults(host="nowhere")["host"]
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert hint not in faults(host="nowhere")["host"]
