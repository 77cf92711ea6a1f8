"""The laws of the house that no linter knows."""

import ast
import asyncio
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import loadgen

HOUSE = Path(__file__).parents[2]
MODULES = sorted((HOUSE / "loadgen").rglob("*.py"))
TESTS = sorted((HOUSE / "tests").rglob("*.py"))
LOCUSTFILES = sorted((HOUSE / "locustfiles").glob("*.py"))
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)")
EXTRAS = ("server", "datasets", "uvloop", "rag", "otel", "object-storage", "docs", "dev")
LIBRARIES = (
    "locust", "gevent", "pymilvus", "llama_index", "prometheus_client", "opentelemetry", "uvloop", "numpy", "asyncio",
)  # fmt: skip


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    return table


def requirements() -> list[Requirement]:
    """What `pip install '.[...]'` with these extras is asked for here, but for other platforms."""
    extras = project()["optional-dependencies"]
    lines = [*project()["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    return [each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate()]


def pins() -> dict[str, Version]:
    lines = (HOUSE / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(pin[1]): Version(pin[2]) for line in lines if (pin := PIN.fullmatch(line))}


def needed() -> set[str]:
    """Names of all that is installed for the requirements, those that they require included."""
    each: set[tuple[str, str]] = set()
    waiting = [(each.name, extra) for each in requirements() for extra in ("", *each.extras)]
    while waiting:
        name, extra = waiting.pop()
        key = (canonicalize_name(name), extra)
        if key in each:
            continue
        each.add(key)
        for line in requires(name) or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += [(wanted.name, part) for part in ("", *wanted.extras)]
    return {name for name, _ in each}


def told_by(code: str, **environment: str) -> Any:
    """What a fresh interpreter prints as JSON."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=HOUSE, env={**os.environ, **environment}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_module_has_at_most_300_lines_and_its_functions_40() -> None:
    long: dict[str, int] = {}
    for path in MODULES:
        text, place = path.read_text(), str(path.relative_to(HOUSE))
        lengths = {place: (len(text.splitlines()), 300)}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[f"{place}: {node.name}"] = ((node.end_lineno or 0) - node.lineno + 1, 40)
        long |= {name: length for name, (length, most) in lengths.items() if length > most}
    assert (long, len(MODULES) > 250) == ({}, True)


def test_a_class_has_a_name_of_its_own() -> None:
    """One word for one thing. Each client has an `AsyncClient` and a `SyncClient`: they are one interface."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        classes = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef))
        for node in classes:
            places.setdefault(node.name, []).append(str(path.relative_to(HOUSE)))
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in ("AsyncClient", "SyncClient")} == {}


def test_a_file_of_tests_has_at_most_300_lines() -> None:
    lengths = {str(path.relative_to(HOUSE)): len(path.read_text().splitlines()) for path in TESTS}
    assert {place: length for place, length in lengths.items() if length > 300} == {}


def test_the_four_locustfiles_have_at_most_40_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in LOCUSTFILES}
    assert {"search.py", "insert.py", "mixed.py", "burst.py"} <= set(lengths)
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_the_license_text_is_the_one_that_the_project_file_names() -> None:
    assert project()["license"] == "Apache-2.0"
    text = (HOUSE / "LICENSE").read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_has_a_section_for_what_is_unreleased_and_the_newest_release_below_it() -> None:
    headings = re.findall(r"^## (.*)$", (HOUSE / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", headings[1])


def test_constraints_are_names_and_versions_only_each_name_once_and_in_order() -> None:
    lines = (HOUSE / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert len(pins()) == len(lines)
    assert lines == sorted(lines, key=str.upper)


def test_every_requirement_of_the_project_file_allows_the_constrained_version() -> None:
    chosen = pins()
    missing = [each.name for each in requirements() if canonicalize_name(each.name) not in chosen]
    assert missing == [], "run `make lock`"
    wrong = [str(each) for each in requirements() if chosen[canonicalize_name(each.name)] not in each.specifier]
    assert wrong == [], "run `make lock`"


def test_constraints_name_all_that_gets_installed_and_nothing_else() -> None:
    try:
        names = needed()
    except PackageNotFoundError as absent:
        pytest.fail(f"{absent.name} is not installed: run `make env`")
    assert set(pins()) == names, "run `make lock`"


def test_importing_the_package_imports_no_library() -> None:
    code = "import json, sys, loadgen; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    assert set(LIBRARIES) & set(told_by(code)) == set()


def test_no_module_comes_in_by_the_front_door() -> None:
    """`from loadgen import AsyncUser` is for locustfiles; inside it would be an import upwards."""
    result = {}
    for path in MODULES:
        if "from loadgen import" not in path.read_text():
            continue
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in imports if node.module == "loadgen" and not node.level for alias in node.names}
        result[str(path.relative_to(HOUSE))] = names & set(loadgen.__all__)
    assert {place: names for place, names in result.items() if names} == {}


AGAINST_A_LAW = [
    (
        "settings/model.py",
        "import loadgen.runtime",
        "Imports point down only",
        "loadgen.settings.model -> loadgen.runtime",
    ),
    (
        "runtime/hub.py",
        "import loadgen.milvus.store",
        "Imports point down only",
        "loadgen.runtime.hub -> loadgen.milvus.store",
    ),
    ("clients/base.py", "import loadgen.users", "Imports point down only", "loadgen.clients.base -> loadgen.users"),
    ("odds_and_ends.py", "", "Imports point down only", "- loadgen.odds_and_ends"),
    (
        "clients/base.py",
        "import locust.stats",
        "Only users and locust_plugin know Locust",
        "loadgen.clients.base -> locust",
    ),
    (
        "clients/base.py",
        "from gevent import spawn",
        "Only runtime, and the modules that know Locust, know gevent",
        "loadgen.clients.base -> gevent",
    ),
    (
        "runtime/hub.py",
        "import llama_index.core",
        "Only its client layers and milvus know LlamaIndex",
        "loadgen.runtime.hub -> llama_index",
    ),
    (
        "clients/base.py",
        "import llama_index.core",
        "Only its client layers and milvus know LlamaIndex",
        "loadgen.clients.base -> llama_index",
    ),
    (
        "runtime/hub.py",
        "from pymilvus import MilvusClient",
        "Only clients and milvus know pymilvus",
        "loadgen.runtime.hub -> pymilvus",
    ),
    (
        "clients/base.py",
        "import milvus_lite",
        "Only milvus knows the embedded servers",
        "loadgen.clients.base -> milvus_lite",
    ),
    (
        "measure/ledger.py",
        "import prometheus_client",
        "Only exporters, llm_server and milvus know prometheus_client",
        "loadgen.measure.ledger -> prometheus_client",
    ),
    (
        "milvus/proxies.py",
        "import loadgen.llm_server",
        "Imports point down only",
        "loadgen.milvus.proxies -> loadgen.llm_server",
    ),
    ("cli/main.py", "import aiohttp", "Only llm_server knows aiohttp", "loadgen.cli.main -> aiohttp"),
    (
        "exporters/serving.py",
        "from opentelemetry import trace",
        "Only exporters.otlp knows OpenTelemetry",
        "loadgen.exporters.serving -> opentelemetry",
    ),
]
"""Modules, a line in each, the law that it breaks, and what is said of it."""


@pytest.fixture(scope="module")
def lawless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of the house with all these lines."""
    folder = tmp_path_factory.mktemp("lawless")
    shutil.copytree(HOUSE / "loadgen", folder / "loadgen", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / ".importlinter", folder)
    for module, line, _, _ in AGAINST_A_LAW:
        with (folder / "loadgen" / module).open("a") as file:
            file.write(f"\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("law", "said"), [(law, said) for _, _, law, said in AGAINST_A_LAW])
def test_an_import_against_a_law_breaks_it(law: str, said: str, lawless: str) -> None:
    assert law in re.findall(r"^(.*) BROKEN", lawless, re.MULTILINE)
    assert said in lawless


def test_only_one_place_opens_plain_clients_for_the_tests() -> None:
    """Others would ping Milvus Lite, which closes connections for it: see plain_clients."""
    opens = [
        path.name
        for path in TESTS
        if "MilvusClient" in path.read_text() or "MilvusVectorStore" in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("MilvusClient", "MilvusVectorStore")
    ]
    assert sorted(set(opens)) == ["plain_clients.py"]


@pytest.mark.parametrize("name", ["spy.py", "pausing.py"])
def test_a_second_locustfile_imports_nothing_of_the_tests_which_a_command_of_a_shell_does_not_find(name: str) -> None:
    tree = ast.parse((HOUSE / "tests" / "integration" / name).read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    assert "locust" in modules
    assert not [module for module in modules if module is None or module.startswith("tests")]


def test_garbage_of_another_test_is_not_in_the_log_of_this_one(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(asyncio.sleep(60))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    waiting.get_loop().call_exception_handler({"message": "something else"})
    del waiting
    gc.collect()
    assert caplog.messages == ["something else"]
