"""The jobs of examples/ci, by their own commands: they pass, and fail on a missed requirement or a regression."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgen.results.record import write_record
from tests.unit.record_support import manifest, phase, record, timed

CI = Path(__file__).parents[2] / "examples" / "ci"
JOBS = ("github-actions.yml", "gitlab-ci.yml")
SHORT = {
    "ROWS": "300", "DIM": "16", "CLUSTERS": "8", "QUERIES": "50", "CONCURRENCY": "2", "ROUNDS": "1",
    "PHASE_SECONDS": "1", "WARMUP_SECONDS": "0.2", "REPORT": "none", "METRICS_PORT": "off", "COLLECTION": "ci_job",
}  # fmt: skip


def job_of(name: str) -> tuple[list[str], dict[str, str]]:
    """Its commands that measure and compare, and its variables."""
    file: dict[str, Any] = yaml.safe_load((CI / name).read_text())
    if name.startswith("gitlab"):
        job = file["regression"]
        return job["script"], job["variables"]
    job = file["jobs"]["regression"]
    return [step["run"] for step in job["steps"] if step.get("name") in ("measure", "compare")], job["env"]


def do(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as the job's shell does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOADGEN_", "LOCUST_"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=kept | variables | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def keep(path: Path, rate: float) -> None:
    rounds = [phase(mode, 8, timed([rate] * 10)) for mode in ("sync", "async", "async", "sync") * 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    written = write_record(path.parent, record(*rounds, run_id=path.stem, manifest=manifest(settings={"rows": 100})))
    written.rename(path)


def test_both_jobs_have_the_same_commands_and_variables() -> None:
    assert job_of(JOBS[0]) == job_of(JOBS[1])
    assert len(job_of(JOBS[0])[0]) == 2
    assert set(job_of(JOBS[0])[1]) == {"MILVUS", "LIMIT", "TOLERANCE"}


@pytest.mark.parametrize(("limit", "code"), [("search p99 < 60 s", 0), ("search p99 < 1 us", 1)])
def test_measuring_fails_if_a_requirement_is_missed(lite_uri: str, tmp_path: Path, limit: str, code: int) -> None:
    [measure, _], variables = job_of("github-actions.yml")
    given = variables | {"MILVUS": lite_uri, "LIMIT": limit} | {f"LOADGEN_{key}": value for key, value in SHORT.items()}
    done = do(measure, tmp_path, **given)
    assert done.returncode == code, done.stdout + done.stderr
    assert len(list((tmp_path / "load" / "runs").glob("[!.]*.json"))) == 1


@pytest.mark.parametrize(("rate", "code", "said"), [(100, 0, "No significant regression"), (60, 1, "2 regressions")])
def test_comparing_fails_on_a_regression(tmp_path: Path, rate: float, code: int, said: str) -> None:
    [_, compare], variables = job_of("gitlab-ci.yml")
    keep(tmp_path / "load" / "baseline.json", 100)
    keep(tmp_path / "load" / "runs" / "new.json", rate)
    done = do(compare, tmp_path, **variables)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
