"""`python -m tests.lowest`: install the lowest versions that pyproject.toml allows, and compare both modes with them.

The environment is kept in build/lowest, named after what is in it: a second call with the same bounds installs nothing.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.version import Version

from tests.lowest.bounds import EXTRAS, find_lowest, make_constraints, read_project

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "lowest"
SMALL = ("--rows", "300", "--dim", "16", "--clusters", "8", "--queries", "50")
FILES = """
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

rng, folder = np.random.default_rng(1), Path(sys.argv[1])
train, test = (rng.normal(size=(rows, 16)).astype("float32") for rows in (300, 50))
with h5py.File(folder / "rows.hdf5", "w") as file:
    file["train"], file["test"] = train, test
(folder / "parquet").mkdir(exist_ok=True)
for name, rows in (("train", train), ("test", test)):
    table = pa.table({"id": range(len(rows)), "emb": list(rows)})
    pq.write_table(table, folder / "parquet" / f"{name}.parquet")
"""
"""Writes the same rows and queries as HDF5 and as parquet."""
SHORT = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "2", "--warmup-seconds", "0")
RUNS: dict[str, tuple[str, ...]] = {
    "one process, the embedded server of the extra": SMALL,
    "master and two workers, Milvus Lite": (*SMALL, "--embedded", "lite", "--processes", "2"),
    "rows of an HDF5 file": ("--dataset", "rows.hdf5"),
    "rows of parquet files": ("--dataset", "parquet"),
}
RUN_SECONDS = 300


def main() -> int:
    """Exit code 0 where everything worked, 1 with the reason otherwise."""
    python = provide_environment()
    if wrong := find_wrong(python):
        say(f"Not installed as pyproject.toml allows at the lowest: {wrong}")
        return 1
    subprocess.run([str(python), "-c", FILES, str(python.parents[1])], check=True)
    for name, flags in RUNS.items():
        started = time.perf_counter()
        if problem := compare(python, flags):
            say(f"{name}: {problem}")
            return 1
        say(f"{name}: both modes compared without a failure, in {time.perf_counter() - started:.0f} s")
    return 0


def provide_environment() -> Path:
    """The interpreter of an environment with the lowest versions, made where it is not there."""
    constraints = make_constraints(ROOT)
    made_of = f"{sys.version}\n{constraints}"
    folder = HOME / hashlib.sha256(made_of.encode()).hexdigest()[:12]
    python, ready = folder / "bin" / "python", folder / ".ready"
    if ready.exists():
        return python
    shutil.rmtree(HOME, ignore_errors=True)  # those of other bounds too
    say("Installing the lowest allowed versions; this takes a minute or two.")
    venv.create(folder, with_pip=True, symlinks=True)
    (folder / "constraints.txt").write_text(constraints)
    wanted = f"{ROOT}[{','.join(EXTRAS)}]"
    quiet = ("--quiet", "--disable-pip-version-check")
    command = [str(python), "-m", "pip", "install", *quiet, "-c", str(folder / "constraints.txt"), "-e", wanted]
    subprocess.run(command, check=True)
    ready.touch()
    return python


def find_wrong(python: Path) -> str:
    """Requirements that are installed in another version than the lowest; empty where there is none."""
    lowest = find_lowest(read_project(ROOT))
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    out = subprocess.run([str(python), "-c", code, *lowest], check=True, capture_output=True, text=True).stdout
    result: dict[str, str] = json.loads(out)
    return ", ".join(f"{name} {result[name]}" for name in lowest if Version(result[name]) != Version(lowest[name]))


def compare(python: Path, flags: tuple[str, ...]) -> str:
    """Run searches, inserts and deletes in both modes; what went wrong, empty where nothing did."""
    records = python.parents[1] / "runs"
    shutil.rmtree(records, ignore_errors=True)
    given = ("--record", str(records), "--metrics-port", "0", *SHORT, *flags)
    command = [str(python), "-m", "locust", "-f", str(ROOT / "locustfiles" / "mixed.py"), "--headless", *given]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOADGEN_", "LOCUST_"))}
    try:
        done = subprocess.run(
            command, cwd=python.parents[1], env=clean | {"PYTHONPATH": str(ROOT)}, timeout=RUN_SECONDS,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return f"no end within {RUN_SECONDS} s\n{error.stdout!r}\n{error.stderr!r}"
    if done.returncode or "Traceback" in done.stderr:
        return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    (record,) = records.glob("[!.]*.json")
    report = record.with_suffix(".html")
    problems = [*find_problems(json.loads(record.read_text())), *([] if report.exists() else ["there is no report"])]
    return "; ".join(problems)


def find_problems(record: dict[str, Any]) -> Iterator[str]:
    """Modes that did nothing, and failed operations, of a run record."""
    done: dict[str, int] = {"sync": 0, "async": 0}
    for phase in record["phases"]:
        for part in phase["operations"]:
            for outcome, number in part["outcomes"].items():
                done[phase["mode"]] += number
                if outcome not in ("ok", "empty") and number:
                    yield f"{number} {part['operation']} operations of {phase['mode']} were {outcome}"
    yield from (f"{mode} did nothing" for mode, number in done.items() if not number)


def say(line: str) -> None:
    """To the log of whoever called."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
