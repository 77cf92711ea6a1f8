"""A release is named alike everywhere, and its workflows run what is tested."""

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import loadgen
from release.agreement import CHART, find_disagreements, find_release, read_notes
from release.chart import as_semantic, find_problems, find_version, package_chart
from tests.lowest.bounds import find_lowest, read_project

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIN = re.compile(r"^\s*(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def workflow(name: str) -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / name).read_text()
    loaded: dict[str, Any] = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - all values stay text, and `on` is no boolean
    return loaded


def steps_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = job.get("steps", [])
    return steps


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.name}: {name}", job) for path in WORKFLOWS for name, job in workflow(path.name)["jobs"].items()]


def test_every_place_names_the_newest_release() -> None:
    assert find_disagreements() == []
    assert find_disagreements(tag=f"v{find_release()}") == []


@pytest.mark.parametrize(
    ("path", "before", "place"),
    [
        ("pyproject.toml", 'fallback_version = "', "pyproject.toml, fallback_version"),
        ("charts/milvus-loadgen/Chart.yaml", "\nversion: ", "Chart.yaml, version"),
        ("charts/milvus-loadgen/Chart.yaml", "appVersion: ", "Chart.yaml, appVersion"),
        ("k8s/llm-server.yaml", "milvus-loadgen:", "k8s/llm-server.yaml:22"),
        ("Makefile", "milvus-loadgen:", "Makefile:"),
    ],
)
def test_a_place_that_was_forgotten_is_named(tmp_path: Path, path: str, before: str, place: str) -> None:
    for name in ("CHANGELOG.md", "pyproject.toml", "Makefile", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("k8s", str(CHART)):
        shutil.copytree(ROOT / name, tmp_path / name)
    release = find_release()
    text = (tmp_path / path).read_text()
    (tmp_path / path).write_text(text.replace(f"{before}{release}", f"{before}9.8.7", 1))
    [line] = find_disagreements(tmp_path)
    assert line.startswith(place)
    assert line.endswith(f": 9.8.7, but CHANGELOG.md has {release}")


def test_another_tag_is_a_disagreement() -> None:
    assert find_disagreements(tag="v0.0.1") == [f"the tag: 0.0.1, but CHANGELOG.md has {find_release()}"]


def test_the_notes_are_the_section_of_the_release(tmp_path: Path) -> None:
    sections = ("[Unreleased]\n\n- later", "[0.2.0] - 2026-11-28\n\n- this", "[0.1.0] - 2026-01-01\n\n- that")
    text = "".join(f"\n## {section}\n" for section in sections)
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert read_notes(tmp_path) == "- this\n"
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n")
    with pytest.raises(ValueError, match="has no release"):
        find_release(tmp_path)


def test_the_version_is_that_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loadgen.__version__ == version("milvus-loadgen")

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    assert loadgen.__version__ == "0+unknown"


@pytest.mark.parametrize(
    ("wheel", "chart"),
    [("0.2.0", "0.2.0"), ("0.2.1.dev3+g1a2b3c4", "0.2.1-dev.3+g1a2b3c4"), ("1.0.0.dev1", "1.0.0-dev.1")],
)
def test_the_version_of_the_chart_is_that_of_the_wheel_as_helm_wants_it(wheel: str, chart: str) -> None:
    assert as_semantic(Version(wheel)) == chart


def test_the_chart_has_nothing_that_helm_warns_of_and_is_packaged_for_the_wheel_beside_it(tmp_path: Path) -> None:
    assert find_problems() == []
    with pytest.raises(ValueError, match="has 0 wheels of milvus-loadgen instead of one"):
        find_version(tmp_path)
    (tmp_path / "milvus_loadgen-9.9.9.dev1+gabc-py3-none-any.whl").touch()
    archive = package_chart(tmp_path)
    assert archive.name == "milvus-loadgen-9.9.9-dev.1+gabc.tgz"
    shown = subprocess.run(
        ["tar", "--extract", "--to-stdout", "--file", archive, "milvus-loadgen/Chart.yaml"],
        capture_output=True,
        check=True,
    )
    described = yaml.safe_load(shown.stdout)
    assert (described["version"], described["appVersion"]) == ("9.9.9-dev.1+gabc", "9.9.9-dev.1")


def test_every_action_is_pinned_by_its_commit() -> None:
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses: " in line]
    assert len(lines) > 10
    assert [line for line in lines if not PIN.match(line) and "./.github/workflows/" not in line] == []
    pins: dict[str, set[str]] = {}
    for line in lines:
        name, _, pin = line.partition("uses: ")[2].partition("@")
        pins.setdefault(name, set()).add(pin)
    assert {name: sorted(pin) for name, pin in pins.items() if len(pin) > 1} == {}


def test_every_job_ends_in_time_and_may_do_no_more_than_it_says() -> None:
    for name, job in jobs():
        assert "timeout-minutes" in job or "uses" in job, name
    assert {workflow(path.name)["permissions"]["contents"] for path in WORKFLOWS} == {"read"}
    writing = {name: job["permissions"] for name, job in jobs() if "write" in job.get("permissions", {}).values()}
    assert [name for name in writing if not name.startswith("release.yml")] == []
    assert [name for name, given in writing.items() if given["contents"] == "write"] == ["release.yml: announce"]


def test_no_checkout_leaves_its_token_to_what_runs_after_it() -> None:
    steps = [
        step for _, job in jobs() for step in steps_of(job) if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(steps) > 3
    assert {dict(step["with"])["persist-credentials"] for step in steps} == {"false"}


def test_every_script_of_a_workflow_is_bash_and_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    scripts = [step["run"] for _, job in jobs() for step in steps_of(job) if "run" in step]
    assert {"make check", "make lowest", "make dist"} <= set(scripts)
    for script in scripts:
        assert set(re.findall(r"^make ([a-z-]+)", script, re.MULTILINE)) <= targets
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_the_tests_have_what_they_need_beside_python() -> None:
    """.ci/run installs it on a bare machine; the runner has openssl and Chrome, which the browser tests take."""
    needed = set(re.findall(r"missing\+=\((\w+)\)", (ROOT / ".ci" / "run").read_text()))
    steps = [step["run"] for step in steps_of(workflow("ci.yml")["jobs"]["test"]) if "run" in step]
    [install] = [line for line in steps if "apt-get install" in line]
    assert {name for name in needed if name in install.split()} == needed - {"openssl", "chromium"} == {"prometheus"}
    assert steps.index(install) < steps.index("make check")


def test_a_release_is_built_by_the_command_that_ci_runs() -> None:
    building = [step["run"] for step in steps_of(workflow("release.yml")["jobs"]["build"]) if "run" in step]
    assert building[0] == 'make dist TAG="$GITHUB_REF_NAME"'
    needed = {name: job.get("needs", []) for name, job in workflow("release.yml")["jobs"].items()}
    assert needed["build"] == needed["image"] == "test"
    assert needed["publish"] == ["build", "image", "chart"]
    signed = [name for name, job in workflow("release.yml")["jobs"].items() if "cosign sign" in str(job)]
    attested = [name for name, job in workflow("release.yml")["jobs"].items() if "attest-build-provenance" in str(job)]
    assert signed == attested == ["build", "image", "chart"]


def test_the_table_of_versions_is_that_of_the_files() -> None:
    page = (ROOT / "docs" / "versions.md").read_text()
    rows = {
        row[0]: row[1:3]
        for row in re.findall(r"^\| ([^|]+?) \| ([^|]*?) ?\| ([^|]+?) \| [^|]+ \|$", page, re.MULTILINE)
    }
    project = read_project(ROOT)
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, pinned = line.partition("==")
        pins[canonicalize_name(name)] = pinned
    lowest = find_lowest(project)
    for shown, name in {"Locust": "locust", "Milvus standalone, embedded": "milvus"}.items():
        assert rows[shown] == (lowest[name], pins[name])
    for name in ("pymilvus", "llama-index-core", "llama-index-vector-stores-milvus"):
        assert rows[name] == (lowest[name], pins[name])
    assert rows["Milvus Lite"] == ("", pins["milvus-lite"])
    pythons = workflow("ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert rows["Python"] == (pythons[0], ", ".join(pythons))
    assert project["requires-python"] == f">={pythons[0]}"
    classified = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert classified == pythons


def test_pymilvus_3_is_refused_as_the_page_says() -> None:
    [wanted] = [each for each in map(Requirement, read_project(ROOT)["dependencies"]) if each.name == "pymilvus"]
    assert not wanted.specifier.contains("3.0.0")
    assert "`pyproject.toml` says `pymilvus <3`" in (ROOT / "docs" / "versions.md").read_text()
