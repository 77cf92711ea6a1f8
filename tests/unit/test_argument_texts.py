"""What a person writes and reads on the command line: lists, choices, the help, and mistyped names."""

from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from loadgen.locust_plugin.command_line.arguments import add_arguments, find_unknown
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.locust_plugin.command_line.text_lists import take_lists
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import TEXT_LISTS, Settings, as_text
from tests.unit.argument_support import make_parser


@pytest.mark.parametrize(
    "text",
    [
        'variants = "sync; async ef-x=1 ; b: async a=x,y"',
        "variants = sync; async ef-x=1; b: async a=x,y",
        'variants = ["sync", "async ef-x=1", "b: async a=x,y"]',
        "variants = [\n  'sync',\n  'async ef-x=1',\n  'b: async a=x,y'\n]",
        "variants = sync\nvariants = async ef-x=1  # a comment\nvariants = b: async a=x,y",
        "variants:\n  - sync\n  - async ef-x=1\n  - 'b: async a=x,y'",
        "variants: [sync, 'async ef-x=1', \"b: async a=x,y\"]",
    ],
)
def test_a_list_of_texts_is_read_however_a_file_writes_it(text: str) -> None:
    rest, lists, cut = take_lists(f"host = http://m\n{text}\nrows = 5", TEXT_LISTS)
    (taken,) = lists.values()
    assert [part.strip() for one in taken for part in one.split(";")] == ["sync", "async ef-x=1", "b: async a=x,y"]
    assert (rest.splitlines(), cut) == (["host = http://m", "rows = 5"], {})


def test_a_list_that_its_own_semicolon_cuts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.conf"
    file.write_text("variants = sync ; async ; async connections=4\n")
    parser_errors = ParserErrors()
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, parser_errors)
    parser.parse_args(["--config", str(file)])
    with pytest.raises(SettingsError, match='is cut off, as " ;" starts a comment'):
        parser_errors.check()


def test_the_help_has_each_flag_with_its_text_and_unit_and_never_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADGEN_TOKEN", "root:secret")
    text = make_parser().format_help()
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text
    assert "secret" not in text
    assert "[s]" in text


def test_a_field_with_choices_offers_them_and_leaves_refusing_to_the_model() -> None:
    actions = {action.dest: action for action in make_parser()._actions}
    assert list(actions["metric"].choices) == ["COSINE", "IP", "L2"]
    assert list(actions["mode"].choices) == ["compare", "sync", "async"]
    assert make_parser().parse_args(["--metric", "HAMMING"]).metric == "HAMMING"


def test_values_are_written_as_a_person_types_them() -> None:
    assert [as_text(value) for value in ((1, 8), {"M": 16, "ef": 2}, 2.5, "x", ())] == [
        "1,8",
        "M=16,ef=2",
        "2.5",
        "x",
        "",
    ]


def test_a_mistyped_variable_is_told_with_what_was_meant_and_those_of_kubernetes_are_not() -> None:
    names = [
        "LOADGEN_PHASE_SECOND",
        "LOADGEN_TOP_K",
        "LOADGEN_PORT",
        "LOADGEN_SERVICE_HOST",
        "LOADGEN_XYZ",
        "LOADGEN_LLM_KEY",
        "PATH",
    ]
    assert find_unknown(names) == [
        "The variable LOADGEN_PHASE_SECOND is not a setting and is ignored; did you mean LOADGEN_PHASE_SECONDS?",
        "The variable LOADGEN_XYZ is not a setting and is ignored",
    ]
