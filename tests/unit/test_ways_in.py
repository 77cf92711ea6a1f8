"""A setting is validated alike as a flag, a variable, a line of a file or a field of the page."""

import os
import string
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
from werkzeug.datastructures import MultiDict

from loadgen.locust_plugin.command_line.arguments import add_arguments, read_settings
from loadgen.locust_plugin.command_line.parser_errors import SWITCHES, ParserErrors
from loadgen.locust_plugin.web.form import read_form
from loadgen.settings.credentials import is_secret
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings, is_set_on_page

NAMES = tuple(name for name in Settings.model_fields if name not in SWITCHES and name != "host")
WORDS = (
    "",
    " ",
    "0",
    "-1",
    "1.5",
    "1e400",
    "nan",
    "-inf",
    "٣",
    "1_0",
    "0x1",
    "off",
    "{",
    "[1]",
    "M=16",
    "ef=1",
    "1,8,8",
)
PLAIN = string.ascii_letters + string.digits + "_=.:%<>/ -"
Judged = set[tuple[str, str, str]] | Settings
"""What is wrong, as setting, value and problem, or the settings."""

numbers = st.one_of(st.integers(-(10**40), 10**40), st.floats(), st.integers(0, 100_000)).map(str)
texts = st.one_of(
    st.sampled_from(WORDS), numbers, st.text(PLAIN, max_size=30), st.text(st.characters(codec="utf-8"), max_size=20)
)


def make_parser(parser_errors: ParserErrors) -> Any:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, parser_errors)
    return parser


@cache
def make_parser_once() -> tuple[Any, Any]:
    """A parser for variables and files of settings that are no switches, and Locust's own reader of files.

    To make one takes three times as long as to parse with it.
    """
    reader = get_empty_argument_parser(default_config_files=[])._config_file_parser
    return make_parser(ParserErrors()), reader


def parse(*arguments: str) -> Judged:
    """As the `locust` command reads arguments, variables and files."""
    parser_errors = ParserErrors()
    if any(f"LOADGEN_{name.upper()}" in os.environ for name in SWITCHES):  # these are looked at as it is made
        parser = make_parser(parser_errors)
    else:
        parser, reader = make_parser_once()
        parser._config_file_parser = reader
        parser_errors.watch(parser)
    options = parser.parse_args(list(arguments))

    def read() -> Settings:
        parser_errors.check()
        return read_settings(options, None)

    return judge(read)


def judge(read: Any) -> Judged:
    try:
        settings: Settings = read()
    except SettingsError as error:
        return {(fault.setting, fault.value, fault.problem) for fault in error.faults}
    return settings


def from_form(name: str, value: str) -> Judged:
    """As the page reads a form, without what only the start of the process may set."""
    read = read_form(MultiDict({name: value}), {}, ())
    assert read.faults == ()
    asked: Mapping[str, object] = read.asked
    return judge(lambda: Settings.parse(asked))


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """A variable that is set for a moment, and no other of ours."""
    kept = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("LOADGEN_")}
    os.environ[f"LOADGEN_{name.upper()}"] = value
    try:
        yield
    finally:
        del os.environ[f"LOADGEN_{name.upper()}"]
        os.environ.update(kept)


def from_file(name: str, value: str) -> Judged:
    """In TOML, in which every text can be written."""
    escaped = "".join(f"\\U{ord(character):08x}" for character in value)
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(f'[tool.locust]\n{name.replace("_", "-")} = "{escaped}"\n')
        file.flush()
        return parse("--config", file.name)


@settings(max_examples=250)
@given(st.sampled_from(NAMES), texts)
@example("rows", "0")
@example("token", "a\nb")
@example("index_params", "[" * 2_000)
@example("index_params", '{"M":' + "[" * 100_000)
@example("ca_file", "x" * 5_000)
@example("metrics_targets", f"{'x' * 5_000}.json")
@example("metrics_port", "9" * 5_000)
@example("seed", "9" * 5_000)
@example("burst", "1e400")
def test_all_ways_in_refuse_it_with_the_same_faults_or_take_it(name: str, value: str) -> None:
    flag = parse(f"--{name.replace('_', '-')}={value}")
    if "\0" not in value:  # no variable can hold it
        with variable(name, value):
            assert parse() == flag
    assert from_file(name, value) == flag
    if is_set_on_page(name):
        assert from_form(name, value) == flag
    if isinstance(flag, set):
        assert not (is_secret(Settings.model_fields[name]) and value.strip() and value in str(flag))


@settings(max_examples=100)
@given(st.sampled_from(SWITCHES), st.text(PLAIN, max_size=8))
def test_a_switch_is_neither_true_nor_false_as_a_variable_and_in_a_file_alike(name: str, value: str) -> None:
    with variable(name, value):
        by_variable = parse()
    by_file = from_file(name, value)
    if isinstance(by_variable, set):
        assert isinstance(by_file, set)
        assert {fault[:2] for fault in by_variable} == {fault[:2] for fault in by_file} == {(name, value)}
    else:
        assert by_file == by_variable
