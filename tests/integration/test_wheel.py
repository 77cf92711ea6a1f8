"""What `pip install milvus-loadgen` gives, without a clone: the wheel, installed into an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.version import Version

from release.agreement import find_release

HOUSE = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "loadgen", "locustfiles")


def do(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        path = HOUSE / name
        ignored = shutil.ignore_patterns("__pycache__")
        (shutil.copytree(path, sources / name, ignore=ignored) if path.is_dir() else shutil.copy(path, sources))
    pip = ("-m", "pip", "--disable-pip-version-check")
    do(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "built", ".", cwd=sources)
    [wheel] = (sources / "built").glob("*.whl")
    do(*pip, "install", "--quiet", "--no-deps", "--target", str(folder / "site"), str(wheel), cwd=folder)
    with ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.startswith(("tests", "charts", "dashboards"))]
    return folder / "site"


def test_the_locustfiles_are_in_the_wheel_as_they_are_in_a_clone(installed: Path) -> None:
    theirs = {path.name: path.read_bytes() for path in (installed / "loadgen" / "locustfiles").glob("*.py")}
    assert theirs == {path.name: path.read_bytes() for path in (HOUSE / "locustfiles").glob("*.py")}
    assert len(theirs) > 5


def test_the_version_is_the_newest_release_where_there_is_no_git(installed: Path, tmp_path: Path) -> None:
    code = "import sys; from loadgen.cli.main import main; sys.exit(main(['--version']))"
    assert do("-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).stdout == f"milvus-loadgen {find_release()}\n"


def test_the_version_is_counted_from_the_git_tags(tmp_path: Path) -> None:
    def git(*command: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True, capture_output=True)

    def version() -> str:
        return do("-m", "setuptools_scm", cwd=tmp_path).stdout.strip()

    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--message", "one")
    after = str(Version(find_release()).micro + 1)
    assert re.fullmatch(rf"{find_release().rpartition('.')[0]}\.{after}\.dev1\+g[0-9a-f]+", version()), "no tag yet"
    git("tag", "v3.2.1")
    git("tag", "another-2026")
    assert version() == "3.2.1"
    git("commit", "--allow-empty", "--message", "two")
    assert re.fullmatch(r"3\.2\.2\.dev1\+g[0-9a-f]+", version())


def test_a_run_by_name_needs_no_clone(installed: Path, tmp_path: Path) -> None:
    loadgen = ("-c", "import sys; from loadgen.cli.main import main; sys.exit(main())")
    path = do(*loadgen, "path", "search", cwd=tmp_path, PYTHONPATH=str(installed)).stdout
    assert path == f"{installed / 'loadgen' / 'locustfiles' / 'search.py'}\n"
    listed = do(*loadgen, "run", "search", "--list", cwd=tmp_path, PYTHONPATH=str(installed)).stdout
    assert {"SyncSearch", "AsyncSearch"} <= set(listed.split())
