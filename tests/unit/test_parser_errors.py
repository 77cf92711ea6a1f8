"""Errors in config files and variables are reported with all other faults, not by the parser alone."""

from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from loadgen.locust_plugin.command_line.arguments import add_arguments, read_settings
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.settings.faults import SettingsError


def doubted(*arguments: str) -> tuple[ParserErrors, list[str]]:
    """The errors and the faults of a command line, joined as a run tells them."""
    parser_errors = ParserErrors()
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, parser_errors)
    options = parser.parse_args(list(arguments))
    try:
        read_settings(options, options.host)
        parser_errors.check()
    except SettingsError as error:
        return parser_errors, parser_errors.join(error).splitlines()[1:]
    return parser_errors, []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.conf", "concurency = 3\nrows = 0\nheadless = true\n"),
        ("run.yaml", "concurency: 3\nrows: 0\nheadless: true\n"),
        ("run.toml", '[tool.locust]\nconcurency = "3"\nrows = 0\nheadless = true\n'),
    ],
)
def test_an_unknown_key_is_told_with_its_file_what_was_meant_and_all_other_faults(
    name: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(text)
    _, reported = doubted("--config", str(file), "--top-k", "0")
    assert reported[0] == f"  --concurency 3: is not a setting (in {file}). Did you mean concurrency?"
    assert [line.partition(":")[0] for line in reported] == ["  --concurency 3", "  --rows 0", "  --top-k 0"]


def test_a_key_like_no_other_is_told_and_a_secret_in_it_is_not(tmp_path: Path) -> None:
    file = tmp_path / "run.conf"
    file.write_text("milvus-token = root:Verborgen\nhosts = http://root:Verborgen@m\nxyz = [1, 2]\n")
    _, reported = doubted("--config", str(file))
    assert [line.partition(":")[0] for line in reported] == ["  --milvus-token", "  --hosts http", "  --xyz [1, 2]"]
    assert "Verborgen" not in "".join(reported)
    assert "loadgen settings" in reported[2]


def test_a_switch_that_is_neither_true_nor_false_hides_no_other_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADGEN_FRESH", "perhaps")
    file = tmp_path / "run.conf"
    file.write_text("upsert = sometimes\noverwrite = yes\n")
    _, reported = doubted("--config", str(file), "--rows", "0")
    assert reported == [
        "  --fresh perhaps: is neither true nor false (in LOADGEN_FRESH). Choose true or false.",
        f"  --upsert sometimes: is neither true nor false (in {file}). Choose true or false.",
        "  --rows 0: should be greater than or equal to 1. Choose a number from 1 to 10,000,000,000.",
    ]


def test_switches_that_are_right_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADGEN_FRESH", "Yes")
    file = tmp_path / "run.conf"
    file.write_text("overwrite = true\nupsert = off\n")
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, ParserErrors())
    settings = read_settings(parser.parse_args(["--config", str(file)]), None)
    assert (settings.fresh, settings.overwrite, settings.upsert) == (True, True, False)


def test_a_worker_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "run.conf"
    file.write_text("concurency = 3\n")
    parser_errors, _ = doubted("--config", str(file))
    parser_errors.warn()
    assert [message.partition(":")[0] for message in caplog.messages] == ["Ignored in this worker"]
