"""`loadgen follow` shows a run to its end, whatever happens to its pods, and exits as the run does."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli import follow as module
from loadgen.cli.main import main
from tests.unit.fake_cluster import JOB, FakeCluster, ended, job, pod, running, serving, waiting

PREPARE, MASTER = f"{JOB}-1/prepare", f"{JOB}-1/master"
BLOCK = ["-----BEGIN RUN RECORD 7-ab-----", "{", ' "phases": []', "}", "-----END RUN RECORD 7-ab-----"]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between polls."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


def follow(cluster: FakeCluster, *words: str) -> int:
    return main(["follow", "demo", "-n", "load", "--api", cluster.url, *words])


def having(**reported: Any) -> Any:
    """A step after which the cluster has these."""
    return lambda cluster: cluster.__dict__.update(reported)


def test_a_run_is_followed_from_a_pod_without_a_node_to_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    logs = {PREPARE: ["loading", "ready"], MASTER: ["phase 1", "Verdict: async wins"]}
    cluster = FakeCluster(
        jobs=[job()],
        pods=[pod()],
        logs=logs,
        steps=[
            having(),  # the look for the Job
            having(),
            having(pods=[pod(waiting("prepare"), waiting("master"))]),
            having(pods=[pod(running("prepare"), waiting("master"))]),
            having(pods=[pod(ended("prepare"), running("master"))]),
            having(pods=[pod(ended("prepare"), ended("master"))], jobs=[job("Complete")]),
        ],
    )
    with serving(cluster):
        assert follow(cluster) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["loading", "ready", "phase 1", "Verdict: async wins"], "each line once"
    assert "waits for a node: 0/3 nodes are available" in err
    assert "prepare waits: PodInitializing" in err


@pytest.mark.parametrize("code", [1, 2, 130])
def test_the_code_of_the_master_is_the_code_of_the_command(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    last = pod(ended("prepare"), ended("master", code))
    cluster = FakeCluster(jobs=[job("Failed")], pods=[last], logs={PREPARE: [], MASTER: ["Requirement missed"]})
    with serving(cluster):
        assert follow(cluster) == code
    assert capsys.readouterr().out == "Requirement missed\n"


def test_a_preparation_that_failed_is_shown_and_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(
        jobs=[job("Failed")],
        pods=[pod(ended("prepare", 2), waiting("master"))],
        logs={PREPARE: ["loadgen prepare: --host ...: cannot be reached"]},
    )
    with serving(cluster):
        assert follow(cluster) == 2
    assert "cannot be reached" in capsys.readouterr().out


def test_a_preparation_on_another_node_is_followed_too(capsys: pytest.CaptureFixture[str]) -> None:
    moved = [pod(ended("prepare", 130), waiting("master")), pod(ended("prepare"), ended("master"), number=2)]
    logs = {PREPARE: ["first"], f"{JOB}-2/prepare": ["second"], f"{JOB}-2/master": ["verdict"]}
    cluster = FakeCluster(jobs=[job()], pods=moved[:1], logs=logs)
    cluster.steps = [having(), having(), having(pods=moved, jobs=[job("Complete")])]
    with serving(cluster):
        assert follow(cluster) == 0
    assert capsys.readouterr().out.splitlines() == ["first", "second", "verdict"]


def test_a_run_that_its_deadline_or_a_node_ended_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeCluster(jobs=[job("Failed")], pods=[])) as cluster:
        assert follow(cluster) == 1
    assert "BackoffLimitExceeded: Too many" in capsys.readouterr().err


def test_a_line_that_breaks_is_taken_up_where_it_broke(capsys: pytest.CaptureFixture[str]) -> None:
    logs = {PREPARE: ["a"], MASTER: ["b", "c"]}
    cluster = FakeCluster(jobs=[job()], pods=[pod(ended("prepare"), running("master"))], logs=logs)
    more = having(logs=logs | {MASTER: ["b", "c", "d"]})
    last = pod(ended("prepare"), ended("master"))
    cluster.steps = [having(), having(), more, having(), having(pods=[last], jobs=[job("Complete")])]
    with serving(cluster):
        assert follow(cluster) == 0
    assert capsys.readouterr().out.splitlines() == ["a", "b", "c", "d"]
    assert any("follow=true" in path and "sinceTime" in path for path in cluster.asked)


def test_the_newest_run_is_followed_unless_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    old = job("Failed", name="old", created="2025-01-01T00:00:00Z", **{"milvus-loadgen/run": "old"})
    with serving(FakeCluster(jobs=[old, job("Complete")])) as cluster:
        assert follow(cluster) == 0
        assert follow(cluster, "--run", "old") == 1
        assert follow(cluster, "--run", "none") == 2
        assert main(["follow", "other", "-n", "load", "--api", cluster.url]) == 2
    err = capsys.readouterr().err
    assert "release demo has no run none in namespace load" in err
    assert "release other has no run, which is a Job in namespace load" in err


def test_a_run_that_is_removed_meanwhile_has_no_known_end(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(jobs=[job()], steps=[having(), having(), having(jobs=[])])
    with serving(cluster):
        assert follow(cluster) == 2
    assert "the run was removed" in capsys.readouterr().err


def test_a_cluster_that_refuses_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeCluster(jobs=[job()], refusals=[403])) as cluster:
        assert follow(cluster) == 2
    assert "loadgen follow: 403: pods is forbidden" in capsys.readouterr().err


def test_the_record_is_saved_from_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(
        jobs=[job("Complete")],
        pods=[pod(ended("prepare"), ended("master"))],
        logs={MASTER: ["table", *BLOCK, "last"]},
    )
    with serving(cluster):
        assert main(["fetch", "demo", "-n", "load", "--api", cluster.url, "--output", str(tmp_path)]) == 0
        cluster.logs[MASTER] = ["table", *BLOCK[:-1]]
        assert main(["fetch", "demo", "-n", "load", "--api", cluster.url, "--output", str(tmp_path)]) == 2
    assert (tmp_path / "7-ab.json").read_text() == '{\n "phases": []\n}\n'
    assert "the run has not ended, or record.print is off" in capsys.readouterr().err


def test_without_kubectl_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["follow", "demo"]) == 2
    assert "kubectl is not installed" in capsys.readouterr().err


def test_kubectl_serves_the_api_on_a_socket_of_this_user_and_its_error_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "kubectl"
    keeps = f'echo "$@" > {tmp_path}/words\nstat -c %a "$(dirname "$3")" > {tmp_path}/mode\n'
    script.write_text(f"#!/bin/sh\n{keeps}echo no such context >&2\nexit 1\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert main(["follow", "demo", "--context", "far"]) == 2
    assert "kubectl proxy ended: no such context" in capsys.readouterr().err
    words = (tmp_path / "words").read_text().split()
    assert (words[:2], words[3:]) == (["proxy", "--unix-socket"], ["--context", "far"])
    assert (tmp_path / "mode").read_text() == "700\n"
