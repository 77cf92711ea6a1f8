"""Flags of ours are given in full; Locust's own stay as Locust has them."""

import pytest

from loadgen.cli.main import main
from tests.unit.argument_support import make_parser

SECRET = "root:hidden"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(arguments)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0].partition("error: ")[2]


def test_an_abbreviation_is_no_flag_and_what_was_meant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(["--data", "x.npy"], capsys).startswith(
        "--data is not a flag. Did you mean --database or --dataset? "
    )
    assert (
        refused(["--databse=x"], capsys) == "--databse is not a flag. Did you mean --database? Flags are given in full"
    )
    reported = refused(["--metrics", "1", "--xyzzy"], capsys)
    assert reported.startswith("--metrics is not a flag. Did you mean --metrics-bind or --metrics-linger or")
    assert reported.endswith("; --xyzzy is not a flag")


@pytest.mark.parametrize(
    "arguments", [["--tok", SECRET], [f"--tok={SECRET}"], ["--tokens", SECRET], [f"--to={SECRET}"]]
)
def test_a_mistyped_flag_does_not_show_its_value(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    reported = refused(arguments, capsys)
    assert "--token" in reported
    assert "hidden" not in reported


def test_locusts_own_flags_may_be_abbreviated_where_none_of_ours_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    options = make_parser().parse_args(["--user", "3", "--spawn", "2", "-t10s", "-Hhttp://m", "--run=5s"])
    assert (options.num_users, options.spawn_rate, options.run_time, options.host) == (3, 2.0, 5, "http://m")
    assert refused(["--re", "x"], capsys).startswith("ambiguous option: --re could match")


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["compare", "a", "b", "--toler", "5"], "loadgen compare: --toler is not a flag. Did you mean --tolerance?"),
        (["serve", "--emb", "lite"], "loadgen serve: --emb is not a flag. Did you mean --embedded?"),
        (["settings", "--form=markdown"], "loadgen settings: --form is not a flag. Did you mean --format?"),
        (["--vers"], "loadgen: "),
    ],
)
def test_commands_take_no_abbreviations(
    arguments: list[str], reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(reported)
