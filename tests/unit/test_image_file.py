"""What the image is built from, and what it starts as, by the text of its files; `make image-test` runs it."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
STEPS = [
    (word, rest.strip())
    for word, _, rest in (step.partition(" ") for step in "\n".join(LINES).replace("\\\n", " ").splitlines() if step)
]
"""Instructions in their order, each with its arguments on one line."""
STARTS = [number for number, (word, _) in enumerate(STEPS) if word == "FROM"]
BUILD, LAST = STEPS[STARTS[0] : STARTS[-1]], STEPS[STARTS[-1] :]
RULES = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def given(steps: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in steps if name == word]


def taken() -> set[str]:
    """Names that are copied from the folder of the project."""
    copied = [rest.split()[:-1] for rest in given(STEPS, "COPY") if not rest.startswith("--from=")]
    return {name for names in copied for name in names}


def is_left_out(path: str) -> bool:
    """Whether the builder never sees a file: the last rule that fits it, or a folder that it is in, decides."""
    out = False
    parts = path.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    for rule in RULES:
        pattern = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(pattern, prefix) for prefix in prefixes):
            out = not rule.startswith("!")
    return out


def test_the_image_has_what_another_stage_built_and_both_stand_on_the_base_that_is_named() -> None:
    assert [rest.split()[0] for rest in given(STEPS, "FROM")] == ["${BASE_IMAGE}"] * 2
    [base] = given(STEPS[: STARTS[0]], "ARG")
    assert re.fullmatch(r"BASE_IMAGE=\S+/python:3\.1[1-9]-\S+", base), "it can be named, and need not be"
    name = STEPS[STARTS[0]][1].partition(" AS ")[2]
    [venv] = [rest.split()[1:] for rest in given(LAST, "COPY") if rest.startswith(f"--from={name} ")]
    assert venv[0] == venv[1], "an environment stays where it was made"
    assert any(f"venv --without-pip {venv[0]} " in rest for rest in given(BUILD, "RUN"))
    assert any(rest.startswith(f"PATH={venv[0]}/bin:") for rest in given(LAST, "ENV"))


def test_pip_installs_the_constrained_versions_and_the_project_without_choosing_any() -> None:
    commands = [part for rest in given(BUILD, "RUN") for part in rest.split("&&") if re.search(r"/pip\b", part)]
    assert len(commands) == 4, "setuptools, the requirements, the wheel of the project, the project"
    constrained = ["--constraint constraints.txt" in command for command in commands]
    assert constrained == [True, True, False, False]
    assert ["--no-deps" in command for command in commands] == [not one for one in constrained]
    assert "--no-build-isolation" in commands[2], "or the wheel is built with whatever is newest"


def test_nothing_is_installed_in_the_image_itself() -> None:
    commands = " ".join(given(LAST, "RUN"))
    assert commands
    assert re.findall(r"\b(?:pip3?|apt|apt-get|apk|dnf|yum|curl|wget)\b", commands) == []


def test_it_starts_locust_with_a_locustfile_of_its_own_and_not_as_root() -> None:
    assert [json.loads(rest) for rest in given(LAST, "ENTRYPOINT")] == [["locust"]]
    [[flag, path]] = [json.loads(rest) for rest in given(LAST, "CMD")]
    assert flag == "--locustfile"
    assert "locustfiles /opt/loadgen/locustfiles" in given(LAST, "COPY")
    assert (ROOT / Path(path).relative_to("/opt/loadgen")).is_file()
    user = given(LAST, "USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes can tell from a number alone that it is not root"
    [command] = given(LAST, "RUN")
    assert f"chown {user.partition(':')[0]}:0 /record" in command, "where it writes its records"
    assert "chmod 775 /record" in command, "any user of group 0 may, as on OpenShift"


def test_the_builder_sees_what_is_copied_and_nothing_else() -> None:
    assert [name for name in sorted(taken()) if not (ROOT / name).exists()] == []
    assert {rule.removeprefix("!") for rule in RULES if rule.startswith("!")} == taken()
    assert [name for name in sorted(taken()) if is_left_out(name)] == []
    assert not is_left_out("loadgen/reports/page.css")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", ".venv/bin/python", "runs/run.json", "tests/conftest.py", "build/lock/names", "dist/some.whl",
        ".env", "loadgen/__pycache__/cli.cpython-312.pyc", "loadgen/cli.pyc",
        "locustfiles/__pycache__/search.cpython-312.pyc.14",
    ],
)  # fmt: skip
def test_the_builder_never_sees_a_history_a_record_a_test_or_a_cache(path: str) -> None:
    assert is_left_out(path)
