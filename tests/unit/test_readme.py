"""The README names what there is, and so does CONTRIBUTING."""

import re
from pathlib import Path

from loadgen.settings.model import Settings, as_text

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_reference_with_its_default_and_help() -> None:
    for name, field in Settings.model_fields.items():
        default = "off" if field.annotation is bool else f"`{as_text(field.default)}`" if as_text(field.default) else ""
        row = re.search(rf"^\| `--{name.replace('_', '-')}` \| (.*?) \| (.*) \|$", README, re.MULTILINE)
        assert row, name
        assert row[1].startswith(default)
        assert row[2] == field.description


def test_every_flag_in_the_text_exists() -> None:
    ours = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    locusts = {"--headless", "--processes", "--master", "--worker", "--expect-workers", "--host", "--help"}
    commands = {"--format", "--tolerance", "--rag"}  # of `loadgen report`, `compare` and `calibrate`
    assert set(re.findall(r"`?(--[a-z][a-z-]+)", README)) <= ours | locusts | commands


def test_its_pictures_are_there_have_words_for_those_who_cannot_see_them_and_are_light() -> None:
    shown = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
    assert {path for _, path in shown} == {"docs/pictures/report.png", "docs/pictures/page.png"}
    for words, path in shown:
        assert len(words) > 40, "what is to be seen"
        picture = (ROOT / path).read_bytes()
        assert picture.startswith(b"\x89PNG")
        width = int.from_bytes(picture[16:20])
        assert 1000 <= width <= 1200
        assert len(picture) < 250_000


def test_both_commands_stand_in_the_first_screen() -> None:
    first = "\n".join(README.splitlines()[:40])
    assert "make demo" in first
    assert "make test" in first


def test_every_target_that_make_lists_is_named_for_people_and_every_named_one_exists() -> None:
    listed = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert listed >= {"env", "test", "check"}
    assert named == listed
