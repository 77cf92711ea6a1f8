"""The private copy of the project that tests run in and mutants are written into."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from tests.mutation.places import ROOT, TREE

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "runs", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis", ".stamps"
)


def copy_tree() -> None:
    """Make the copy anew. Times are kept, so that what Python has compiled of the copy stays valid."""
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.copytree(ROOT, TREE, ignore=LEFT_OUT, symlinks=True)


def compile_tree() -> None:
    """Have the copy compiled once, tests with their asserts too: mutants find it and compile only themselves."""
    with start_inside("pytest", "tests/unit", "tests/simulation", "--collect-only", "-q", keep_compiled=True) as done:
        done.communicate()
    if done.returncode:
        raise SystemExit("The tests of the copy cannot be imported.")


@contextlib.contextmanager
def written(module: str, source: str) -> Iterator[None]:
    """Have another source in this module of the copy for a while."""
    path = TREE / module
    before, result = path.read_bytes(), path.stat()
    path.write_text(source)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(result.st_atime_ns, result.st_mtime_ns))


def start_inside(
    module: str, *arguments: str, keep_compiled: bool = False, shown: bool = False
) -> subprocess.Popen[str]:
    """Run `python -m module` in the copy, importing everything from there.

    No run may load the byte code of a mutant, so only runs of unchanged code keep what they compile.
    """
    own = ("LOADGEN_", "LOCUST_", "PYTEST_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    compiling = {} if keep_compiled else {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=TREE, env=clean | compiling | {"PYTHONPATH": str(TREE)},
        stdin=subprocess.PIPE, stdout=None if shown else subprocess.PIPE, text=True,
    )  # fmt: skip
