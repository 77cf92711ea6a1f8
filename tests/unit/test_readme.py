"""The README names what there is, and so does CONTRIBUTING."""

import re
from pathlib import Path

from loadgen.settings.model import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
QUESTIONS = {
    "Sync or async?": "--concurrency",
    "Where does the time go?": "--stages",
    "How much can we serve?": "--find-rate",
    "Is the new index faster?": "index-type=",
    "What does our RAG path do?": "rag_query.py",
}
"""What people come with, and what the command that answers it must contain."""


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_each_question_is_followed_by_the_one_command_that_answers_it() -> None:
    for question, part in QUESTIONS.items():
        after = README.partition(f"**{question}**")[2].partition("**")[0]
        (command,) = re.findall(r"^```bash\n(.*?)^```$", after, re.MULTILINE | re.DOTALL)
        assert command.startswith("locust -f locustfiles/"), question
        assert part in command, question
        assert re.search(r"\]\(docs/[a-z/-]+\.md\)", after), "where to read more"


def test_every_flag_in_the_text_exists() -> None:
    ours = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    locusts = {"--headless", "--processes", "--master", "--worker", "--host"}
    assert set(re.findall(r"`?(--[a-z][a-z-]+)", README)) <= ours | locusts


def test_its_one_picture_is_there_as_are_those_of_the_pages_with_words_for_those_who_cannot_see_them() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    shown = [
        (words, (page.parent / path).resolve().relative_to(ROOT).as_posix())
        for page in pages
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())
    ]
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README) == ["docs/pictures/report.png"]
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
