"""What the chart writes is what the program reads."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from charts import schema
from loadgen.locust_plugin.command_line.arguments import add_arguments, read_settings
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.charts.chart_support import (
    FEATURES,
    Document,
    config_of,
    container_of,
    one,
    release_of,
    render,
    run_of,
    values_of,
)

LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"


def make_parser(parser_errors: ParserErrors | None = None) -> Any:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, parser_errors or ParserErrors())
    return parser


def flags() -> set[str]:
    return {text for action in make_parser()._actions for text in action.option_strings}


def variable_of(documents: list[Document], role: str, name: str) -> str:
    """The value that a variable of a container has through its Secret."""
    [variable] = [each for each in container_of(documents, role)["env"] if each["name"] == name]
    reference = variable["valueFrom"]["secretKeyRef"]
    return str(one(documents, "Secret", reference["name"])["stringData"][reference["key"]])


def keys_of(config: str) -> list[str]:
    return [line.partition(" = ")[0] for line in config.splitlines() if line.strip()]


def parse(config: str, folder: Path, *arguments: str) -> Any:
    """Locust's own reading of a rendered config file; files that a pod would have are made here."""
    for name in ("ca.pem", "tls.crt", "tls.key"):
        (folder / name).touch()
    file = folder / "loadgen.conf"
    file.write_text(config.replace("/etc/loadgen/tls", str(folder)))
    parser_errors = ParserErrors()
    options = make_parser(parser_errors).parse_args(["--config", str(file), *arguments])
    parser_errors.check()
    return options


def read(config: str, folder: Path) -> Settings:
    options = parse(config, folder)
    return read_settings(options, options.host)


def test_the_charts_schema_is_the_one_that_the_program_makes() -> None:
    text = schema.FILE.read_text()
    assert text == schema.with_settings(text), "run `make chart-schema`"


def test_every_setting_has_its_place_in_the_chart() -> None:
    accepted = json.loads(schema.FILE.read_text())["properties"]["loadgen"]["properties"]
    for name in Settings.model_fields:
        assert (name.replace("_", "-") in accepted) != (name in schema.CHARTS), name
    assert {f"--{name}" for name in accepted} <= flags()


@pytest.mark.parametrize("feature", FEATURES)
def test_every_key_of_a_rendered_file_is_a_flag_that_the_program_knows_and_stands_there_once(feature: str) -> None:
    documents = release_of(feature)
    maps = [each for each in documents if each["metadata"]["name"].endswith(("-config", "-test"))]
    files = {name: text for each in maps if each["kind"] == "ConfigMap" for name, text in each["data"].items()}
    assert {"loadgen.conf"} <= set(files) <= {"loadgen.conf", "test.conf"}
    for text in files.values():
        keys = keys_of(text)
        assert len(keys) > 3
        assert {f"--{key}" for key in keys} <= flags()
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("feature", FEATURES)
def test_the_program_accepts_every_rendered_file_and_command_line(feature: str, tmp_path: Path) -> None:
    documents = release_of(feature)
    for role in ("master", "worker"):
        args = container_of(documents, role)["args"]
        config = args.index("--config")
        assert args[config + 1] == "/etc/loadgen/config/loadgen.conf"
        options = parse(config_of(documents), tmp_path, *args[:config], *args[config + 2 :])
        settings = read_settings(options, options.host or variable_of(documents, role, "LOADGEN_HOST"))
        assert settings.host.startswith("http")
        is_resumed = (feature, role) == ("resume", "master")
        assert settings.record == (f"/record/demo-milvus-loadgen-{run_of(documents)}" if is_resumed else "/record")
        assert (options.master, options.worker) == (role == "master", role == "worker")
        name = Path(options.locustfile).name
        assert (LOCUSTFILES / name).is_file() or values_of(feature)["locustfile"]["name"] == name


def test_values_of_every_kind_arrive_as_they_were_meant(tmp_path: Path) -> None:
    settings = read(config_of(release_of("settings")), tmp_path)
    assert settings.rows == 12_000_000
    assert settings.concurrency == (8, 64, 1024)
    assert settings.burst == (10, 20)
    assert settings.spread == 0.25
    assert settings.phase_seconds == 30.0
    assert (settings.consistency, settings.index_type) == ("Strong", "IVF_FLAT")
    assert (settings.index_params, settings.search_params) == ({"nlist": 1024}, {"nprobe": 32})
    assert settings.output_fields == ("text", "doc_id")
    assert (settings.upsert, settings.print_record) == (True, True)
    assert settings.max_failures == "1%"
    assert settings.require == ("search async p99 < 50 ms", "search ratio > 1")
    options = parse(config_of(release_of("settings")), tmp_path)
    assert (options.tags, options.stop_timeout) == (["fast"], 30)


def test_signs_that_mean_something_to_the_config_file_arrive_as_they_are(tmp_path: Path) -> None:
    values = {"loadgen": {"require": 'search p99 < 1 s ; # "really"', "collection": "a_b", "max-failures": "0"}}
    settings = read(config_of(render(values)), tmp_path)
    assert settings.require == ("search p99 < 1 s", '# "really"'), "a semicolon is between two, wherever they stand"
    assert settings.max_failures == "0"


@pytest.mark.parametrize(
    ("typed", "text"),
    [("10", "10"), ("'10'", "10"), ("0", "0"), ("1%", "1%"), ("0.1%", "0.1%"), ("1000000", "1000000")],
)
def test_failures_are_a_number_or_a_share_as_a_person_types_them(typed: str, text: str, tmp_path: Path) -> None:
    settings = read(config_of(render({"loadgen": yaml.safe_load(f"max-failures: {typed}")})), tmp_path)
    assert settings.max_failures == text


def test_a_switch_that_is_off_stays_off(tmp_path: Path) -> None:
    values = {"loadgen": {"upsert": False}, "record": {"print": False}}
    settings = read(config_of(render(values)), tmp_path)
    assert (settings.upsert, settings.print_record) == (False, False)


def test_fresh_data_are_loaded_once_by_the_step_that_prepares(tmp_path: Path) -> None:
    documents = release_of("settings")
    assert "fresh" not in keys_of(config_of(documents))
    master = next(each for each in documents if each["metadata"]["name"].endswith("-master") and each["kind"] == "Job")
    [prepare] = master["spec"]["template"]["spec"]["initContainers"]
    assert prepare["command"] == ["loadgen", "prepare"]
    assert prepare["args"][-1] == "--fresh"
    alone = render({"loadgen": {"fresh": True}, "prepare": {"enabled": False}})
    assert read(config_of(alone), tmp_path).fresh


def test_an_authority_alone_comes_out_of_the_secret(tmp_path: Path) -> None:
    settings = read(config_of(release_of("tls-ca")), tmp_path)
    assert settings.ca_file == str(tmp_path / "ca.pem")
    assert (settings.client_cert_file, settings.client_key_file, settings.server_cert_file) == ("", "", "")


def test_tls_files_and_name_come_out_of_the_secret_and_the_token_never_into_a_file(tmp_path: Path) -> None:
    settings = read(config_of(release_of("tls")), tmp_path)
    assert settings.ca_file == str(tmp_path / "ca.pem")
    assert (settings.client_cert_file, settings.client_key_file) == (
        str(tmp_path / "tls.crt"),
        str(tmp_path / "tls.key"),
    )
    assert settings.server_name == "milvus.example.com"
    for each in release_of("token"):
        if each["kind"] == "ConfigMap":
            assert "root:Milvus" not in json.dumps(each)


@pytest.mark.parametrize("uri", ["http://root:S3cret@m:19530", "https://S3cret@m"])
@pytest.mark.parametrize("mode", ["job", "interactive"])
def test_a_password_in_the_address_goes_into_the_secret_only_with_the_address(uri: str, mode: str) -> None:
    documents = render({"milvus": {"uri": uri}, "mode": mode, "networkPolicy": {"enabled": True}})
    for role in ("master", "worker"):
        assert variable_of(documents, role, "LOADGEN_HOST") == uri
    assert [each["kind"] for each in documents if "S3cret" in json.dumps(each)] == ["Secret"]
    assert "host" not in keys_of(config_of(documents)), "the variable would not override it"


def test_the_program_reads_the_password_out_of_the_address(tmp_path: Path) -> None:
    documents = release_of("uri-password")
    settings = read_settings(parse(config_of(documents), tmp_path), variable_of(documents, "master", "LOADGEN_HOST"))
    assert settings.host == "http://my-milvus:19530"
    assert settings.token.get_secret_value() == "root:S3cret/"


@pytest.mark.parametrize("uri", ["root:S3cret@m:19530", "http://root:S3@cret@m:19530", "http://root:S3/cret@m"])
def test_an_address_in_which_a_password_cannot_be_told_apart_is_refused_and_shown_to_nobody(uri: str) -> None:
    with pytest.raises(Exception, match=r"milvus\.uri: contains an @ in the wrong place") as refused:
        render({"milvus": {"uri": uri}, "networkPolicy": {"enabled": True}})
    assert "cret" not in str(refused.value)


def test_two_passwords_are_refused() -> None:
    for token in ({"value": "a"}, {"existingSecret": "b"}):
        with pytest.raises(Exception, match=r"and milvus\.token is set too") as refused:
            render({"milvus": {"uri": "http://root:S3cret@m", "token": token}})
        assert "S3cret" not in str(refused.value)


def test_metrics_are_served_to_other_machines_on_the_port_that_is_scraped(tmp_path: Path) -> None:
    settings = read(config_of(render({"metrics": {"port": 9999, "lingerSeconds": 20}})), tmp_path)
    assert (settings.metrics_port, settings.metrics_bind, settings.metrics_linger) == (9999, "*", 20.0)
    assert read(config_of(release_of("ipv6")), tmp_path).metrics_bind == "::"
    assert read(config_of(render({"metrics": {"enabled": False}})), tmp_path).metrics_port == "off"


def test_files_of_locusts_own_are_the_masters_and_periodic_tables_are_off_in_a_job_unless_asked_for() -> None:
    documents = release_of("locust-options")
    args = container_of(documents, "master")["args"]
    for flag, value in (
        ("--csv", "/record/locust"),
        ("--html", "/record/locust.html"),
        ("--json-file", "/record/locust"),
    ):
        assert args[args.index(flag) + 1] == value
    assert "--csv-full-history" in args
    assert not {"csv", "html", "json-file", "csv-full-history"} & set(keys_of(config_of(documents)))
    assert not any(word.startswith(("--csv", "--html", "--json")) for word in container_of(documents, "worker")["args"])
    assert 'only-summary = "false"' in config_of(documents)
    assert 'only-summary = "true"' in config_of(release_of("job"))
    assert "only-summary" not in config_of(release_of("interactive"))
    web = release_of("web-login")
    assert "--web-login" in container_of(web, "master")["args"]
    assert "--web-login" not in container_of(web, "worker")["args"]


def test_the_checking_run_asks_both_modes_for_success_and_is_small(tmp_path: Path) -> None:
    settings = read(config_of(release_of("settings"), "test.conf"), tmp_path)
    assert (settings.mode, settings.max_failures, settings.record) == ("compare", "0", "")
    assert settings.require == ("search sync throughput > 0", "search async throughput > 0")
    assert settings.collection == "loadgen_helm_test"
    assert settings.rows <= 1000
    assert settings.rounds * 4 * (settings.phase_seconds + settings.warmup_seconds) <= 12


def test_a_setting_of_the_charts_that_the_program_does_not_know_is_found(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="metrics-lingers"):
        parse(config_of(release_of("job")) + '\nmetrics-lingers = "3"\n', tmp_path)


def test_values_yaml_shows_no_setting_that_is_unknown() -> None:
    shown = re.findall(r"^#   ([a-z-]+):", (schema.FILE.parent / "values.yaml").read_text(), re.MULTILINE)
    assert len(shown) >= 3
    assert {f"--{key}" for key in shown} <= flags()
