"""Traces of the unit tests, kept for each file of tests as long as neither it nor the code changes."""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutation.choosing import Traces
from tests.mutation.places import ROOT, TRACES
from tests.mutation.tree import start_inside

Trace = dict[str, Any]
"""Of one test: its name, its seconds, whether it passed, and lines by module."""
IRRELEVANT = (
    "aa", "corpus", "dashboards", "house", "image_file", "lowest", "mutation", "page", "patches", "ports", "readme",
    "server_launch", "server_ports", "server_texts", "server_unpacking",
)  # fmt: skip
"""Files of tests about something else than the mutated folders. Those of `aa` compare equal sides over and over: that
takes minutes, and other tests execute all that they do."""


def record_traces(packages: Path) -> Traces:
    """Of all unit tests that may tell a mutant; what is known from an earlier run is not run again."""
    files = sorted(path for folder in ("unit", "simulation") for path in (ROOT / "tests" / folder).glob("test_*.py"))
    wanted = {file: kept_in(file) for file in files if file.stem.removeprefix("test_") not in IRRELEVANT}
    if stale := [file for file, kept in wanted.items() if not kept.exists()]:
        print(f"Tracing the tests of {len(stale)} files; this takes minutes.", flush=True)
        keep(trace(packages, stale), {file.relative_to(ROOT).as_posix(): wanted[file] for file in stale})
    return join(one for kept in wanted.values() for one in json.loads(kept.read_text()))


def kept_in(file: Path) -> Path:
    """The trace of these tests in this state of the package and of what tests share."""
    shared = [*(ROOT / "loadgen").rglob("*.py"), *(ROOT / "tests" / "unit").glob("[!t]*.py"), file]
    digest = hashlib.sha256()
    for path in sorted(shared):
        digest.update(path.read_bytes())
    return TRACES / f"{file.stem}.{digest.hexdigest()[:12]}.json"


def trace(packages: Path, files: list[Path]) -> list[Trace]:
    """Run them once in the copy."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "traces"
        names = [file.relative_to(ROOT).as_posix() for file in files]
        arguments = (str(packages), str(target), *names)
        with start_inside("tests.mutation.tracing", *arguments, keep_compiled=True, shown=True) as done:
            done.communicate()
        if done.returncode or not target.exists():
            raise SystemExit("The tests could not be traced.")
        return [json.loads(line) for line in target.read_text().splitlines()]


def keep(traces: Iterable[Trace], targets: dict[str, Path]) -> None:
    """Write them by the file of tests, in place of older ones."""
    by_file: dict[str, list[Trace]] = {name: [] for name in targets}
    for one in traces:
        by_file[one["test"].partition("::")[0]].append(one)
    TRACES.mkdir(parents=True, exist_ok=True)
    for name, path in targets.items():
        for older in TRACES.glob(f"{Path(name).stem}.*"):
            older.unlink()
        path.write_text(json.dumps(by_file[name]))


def join(traces: Iterable[Trace]) -> Traces:
    """Seconds and lines of the tests that pass without a mutation: others tell nothing about one."""
    seconds: dict[str, float] = {}
    lines: dict[str, dict[str, frozenset[int]]] = defaultdict(dict)
    for one in traces:
        if not one["passed"]:
            print(f"not used, as it does not pass unchanged: {one['test']}", flush=True)
            continue
        seconds[one["test"]] = one["seconds"]
        for module, result in one["lines"].items():
            lines[module][one["test"]] = frozenset(result)
    return Traces(seconds, lines)
