"""The rendered chart in containers: the built image under `podman play kube`, a whole run against a real Milvus.

`make image` builds the image. Without podman, or an image of these sources, the test is not run, and says so.
"""

import copy
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.charts.chart_support import Document, one, pod_of, render

FINGERPRINT = """
import hashlib, pathlib, loadgen
folder = pathlib.Path(loadgen.__file__).parent
digest = hashlib.sha256()
for path in sorted(folder.rglob("*.py")):
    digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
print(digest.hexdigest())
"""
"""Prints what the installed package's sources add up to."""
IMAGE = os.environ.get("IMAGE", "localhost/milvus-loadgen:0.2.0")
MASTER = "demo-milvus-loadgen-r1-master"
SMALL = {"rows": 300, "dim": 16, "clusters": 8, "queries": 50, "rounds": 1, "phase-seconds": 1, "warmup-seconds": 0.2}


class Podman:
    """The command, with limits that this machine allows."""

    def __init__(self, folder: Path) -> None:
        limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        hard = {name: min(4096, resource.getrlimit(kind)[1]) for name, kind in limits.items()}
        ulimits = json.dumps([f"{name}={number}:{number}" for name, number in hard.items()])
        runtime = '[engine]\nruntime = "runc"\n' if shutil.which("runc") else ""
        conf = folder / "containers.conf"
        conf.write_text(f"[containers]\ndefault_ulimits = {ulimits}\n{runtime}")
        self._environment = os.environ | {"CONTAINERS_CONF": str(conf)}

    def __call__(self, *arguments: str) -> str:
        """What it prints; the test fails where it fails."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["podman", *arguments], env=self._environment, capture_output=True, text=True, check=False, timeout=120
        )

    def wait(self, container: str, seconds: float = 120) -> int:
        """The exit code of a container that ends by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = json.loads(self("inspect", "--format", "{{json .State}}", container))
            if state["Status"] == "exited":
                return int(state["ExitCode"])
            time.sleep(0.2)
        logs = self.attempt("logs", container)
        return pytest.fail(f"{container} has not ended\n{logs.stdout}{logs.stderr}")


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    if shutil.which("podman") is None:
        pytest.skip("NOT RUN: podman is not installed, so the image and the chart were not run in containers")
    result = Podman(tmp_path)
    if result.attempt("image", "exists", IMAGE).returncode != 0:
        pytest.skip(f"NOT RUN: there is no image {IMAGE}; `make image` builds it")
    inside = result.attempt("run", "--rm", "--network", "none", "--entrypoint", "python3", IMAGE, "-c", FINGERPRINT)
    here = subprocess.run([sys.executable, "-c", FINGERPRINT], capture_output=True, text=True, check=True)
    if inside.stdout != here.stdout:
        pytest.skip(f"NOT RUN: the image {IMAGE} is of other sources than these; `make image` builds it anew")
    yield result
    for name in ("master", "worker-0", "worker-1"):
        result.attempt("pod", "rm", "--force", "--time", "1", f"demo-{name}")
    result.attempt("volume", "rm", "--force", f"{MASTER.removesuffix('-master')}-config")


def play(podman: Podman, folder: Path, name: str, documents: list[Document]) -> None:
    """One pod of a release. What podman 4 lacks is put in its place: Jobs, Services and the cluster's network."""
    template = copy.deepcopy(pod_of(documents, name.partition("-")[0]))
    spec: dict[str, Any] = template["spec"] | {"hostNetwork": True}  # Milvus listens on this machine alone
    for container in spec["containers"]:
        del container["ports"]  # not with the machine's own network
    for container in spec["containers"] + spec["initContainers"]:
        container["args"] = [str(part).replace(MASTER, "127.0.0.1") for part in container["args"]]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"] | {"name": f"demo-{name}"}, "spec": spec}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump_all([one(documents, "ConfigMap", "-config"), pod]))
    podman("play", "kube", str(file))


def test_a_whole_run_in_containers_with_a_root_file_system_that_cannot_be_written_to(
    podman: Podman, milvus: EmbeddedServer, tmp_path: Path
) -> None:
    repository, _, tag = IMAGE.rpartition(":")
    loadgen = SMALL | {"concurrency": [2], "collection": "image_run", "require": "search async throughput > 0"}
    values = {
        "run": {"name": "r1"},
        "milvus": {"uri": milvus.uri},
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "loadgen": loadgen,
        "metrics": {"lingerSeconds": 0},
        "probes": {"enabled": False},  # podman asks them with programs that the image does not have
        "workers": {"masterWithinSeconds": 60},
    }
    documents = render(values)
    play(podman, tmp_path, "master", documents)
    for number in range(2):
        play(podman, tmp_path, f"worker-{number}", documents)
    code = podman.wait("demo-master-master")
    logs = podman.attempt("logs", "demo-master-master")
    assert code == 0, logs.stdout + logs.stderr
    assert [podman.wait(f"demo-worker-{number}-worker") for number in range(2)] == [0, 0]
    text = logs.stdout.partition("-----BEGIN RUN RECORD ")[2].partition("-----\n")[2].partition("-----END RUN")[0]
    (tmp_path / "run.json").write_text(text)
    record = read_record(tmp_path / "run.json")
    assert record.manifest.workers == 2
    assert len(record.phases) == 4
    [state] = json.loads(podman("inspect", "demo-master-master"))
    assert state["HostConfig"]["ReadonlyRootfs"] is True
    assert state["Config"]["User"].partition(":")[0] == "65532"


def test_the_image_has_what_it_needs_and_no_build_tools(podman: Podman) -> None:
    reported = podman("run", "--rm", "--network", "none", "--read-only", "--entrypoint", "loadgen", IMAGE, "--version")
    assert reported.startswith("milvus-loadgen ")
    script = "command -v gcc cc make git; ls /opt/loadgen/locustfiles; python -m pip --version 2>&1; id -u"
    listed = podman("run", "--rm", "--network", "none", "--read-only", "--entrypoint", "sh", IMAGE, "-c", script)
    names = listed.split()
    assert {"search.py", "insert.py", "mixed.py", "burst.py"} <= set(names)
    assert "No module named pip" in listed
    assert not {"gcc", "cc", "make", "git"} & {Path(name).name for name in names}
    assert names[-1] == "65532"
