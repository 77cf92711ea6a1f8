"""What a newcomer types first: the files of `loadgen init` are a run, and commands go by the names that were typed."""

import json
import os
from pathlib import Path

import pytest

from loadgen.cli.init.answers import WORKLOADS
from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN, LOCUST, ROOT

NO_FLAG = "--phase-second is not a flag. Did you mean --phase-seconds? Flags are given in full\n"
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_files_of_init_are_a_run_without_a_change(workload: str, tmp_path: Path) -> None:
    written = run_forked([LOADGEN, "init", "my-run", "--workload", workload], tmp_path, CLEAN)
    assert written.returncode == 0, written.stderr
    done = run_forked([LOCUST, "--dry-run", "--embedded", "lite"], tmp_path / "my-run", CLEAN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run: nothing is sent." in done.stdout


@pytest.mark.parametrize("command", ["run search", "doctor", "prepare"])
def test_an_error_begins_with_the_command_that_was_typed(command: str, tmp_path: Path) -> None:
    file = () if command.startswith("run") else ("-f", str(ROOT / "locustfiles" / "search.py"))
    done = run_forked([LOADGEN, *command.split(), *file, "--phase-second", "5"], tmp_path, CLEAN)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"loadgen {command}: error: {NO_FLAG}")


def test_an_error_of_locust_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text((ROOT / "locustfiles" / "search.py").read_text())
    done = run_forked([LOCUST, "-f", "mine.py", "--phase-second", "5"], tmp_path, CLEAN)
    assert (done.returncode, done.stderr) == (2, f"locust: error: {NO_FLAG}")


def test_a_run_by_name_keeps_its_command_in_the_record(lite_uri: str, tmp_path: Path) -> None:
    flags = (
        "--rows",
        "300",
        "--dim",
        "16",
        "--clusters",
        "8",
        "--queries",
        "50",
        "--concurrency",
        "1",
        "--rounds",
        "1",
    )
    times = ("--phase-seconds", "1", "--warmup-seconds", "0.2", "--report", "none", "--metrics-port", "off")
    named = ("--collection", "by_name", "--headless", "--only-summary", "--require", "search p99 < 60 s")
    done = run_forked([LOADGEN, "run", "search", "--host", lite_uri, *flags, *times, *named], tmp_path, CLEAN)
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = (tmp_path / "runs").glob("*.json")
    typed = json.loads(record.read_text())["manifest"]["command_line"]
    assert typed.startswith(f"loadgen run search --host {lite_uri} --rows 300 ")
    assert typed.endswith(" --require 'search p99 < 60 s'")
