"""The tables of bad inputs are many, each line another, and no setting is left out."""

import json
import re

import pytest

from loadgen.settings.model import Settings
from tests.corpus.commands import WAYS
from tests.corpus.tables import read_table

ALL = (*WAYS, "page")


@pytest.mark.parametrize("way", ALL)
def test_each_line_of_a_table_is_another_input(way: str) -> None:
    given = [json.dumps(dict(case.given), sort_keys=True) for case in read_table(way)]
    assert len(set(given)) == len(given) > 20
    assert [str(case) for case in read_table(way) if not all(case.message)] == []


def test_there_are_more_than_500_of_them() -> None:
    assert sum(len(read_table(way)) for way in ALL) > 500


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_bad_value_as_a_flag(name: str) -> None:
    flag = re.compile(rf"--{name.replace('_', '-')}(?![\w-])")
    ways = ("requirements",) if name == "require" else ("flags", "config_files")
    reported = [" ".join(case.message) for way in ways for case in read_table(way)]
    assert [text for text in reported if flag.search(text)], "no message mentions it"
