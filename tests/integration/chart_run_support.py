"""A rendered release as processes of this machine."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.charts.chart_support import Document, config_of, pod_of, render
from tests.integration.forked import ForkedCommand
from tests.integration.locust_command import PAUSE, SEARCHED

MASTER = "demo-milvus-loadgen-r1-master"
PROGRAMS = Path(sys.executable).parent
LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
PAUSING = Path(__file__).with_name("pausing.py")
SMALL = {"rows": 300, "dim": 16, "clusters": 8, "queries": 50, "rounds": 1, "phase-seconds": 0.6, "warmup-seconds": 0.2}


def find_free_port() -> int:
    """A port for the heartbeat of this release."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Release:
    """A rendered release whose pods are processes: paths, names and ports of the cluster are put right."""

    documents: list[Document]
    folder: Path
    port: int
    heartbeat: int = field(default_factory=find_free_port)
    fresh: bool = False
    """Its processes import everything themselves."""

    def write(self) -> None:
        """What would be mounted."""
        self.folder.mkdir()
        (self.folder / "record").mkdir()
        self.write_config()

    def write_config(self) -> None:
        """As the ConfigMap has it, with the paths of this machine."""
        text = config_of(self.documents).replace('"/record"', f'"{self.folder / "record"}"')
        (self.folder / "loadgen.conf").write_text(text.replace('metrics-bind = "*"', 'metrics-bind = "127.0.0.1"'))
        (self.folder / "test.conf").write_text(config_of(self.documents, "test.conf"))

    def start(self, role: str, kind: str = "containers") -> "subprocess.Popen[str]":
        """The only container of that kind of a role; `test` is the pod of `helm test`."""
        checking = next(each for each in self.documents if each["kind"] == "Pod")
        pod = checking if role == "test" else pod_of(self.documents, role)
        [container] = pod["spec"][kind]
        program, *first = container.get("command", ["locust"])
        arguments = [self._here(str(part)) for part in container["args"]]
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
        return (ForkedCommand if program in ("locust", "loadgen") and not self.fresh else subprocess.Popen)(
            [str(PROGRAMS / program), *first, *arguments],
            cwd=self.folder,
            env=clean | {"LOCUST_SKIP_MONKEY_PATCH": "1", "NO_COLOR": "1", "LOADGEN_REPORT": "none", "PAUSE": PAUSE},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _here(self, argument: str) -> str:
        if argument.startswith("/opt/loadgen/locustfiles/"):
            return f"{LOCUSTFILES / Path(argument).name},{PAUSING}"
        if argument.startswith("/etc/loadgen/config/"):
            return str(self.folder / Path(argument).name)
        if argument.startswith("/record/"):
            return f"{self.folder}{argument}"
        heartbeat = str(self.heartbeat)
        return argument.replace(MASTER, "127.0.0.1").replace("5557", str(self.port)).replace("5556", heartbeat)


def values_of_run(uri: str, require: str, workers: int = 1) -> Document:
    """Small data and short phases."""
    loadgen = SMALL | {"concurrency": [2], "collection": SEARCHED, "require": [require], "only-summary": True}
    values: Document = {"milvus": {"uri": uri}, "loadgen": loadgen, "metrics": {"lingerSeconds": 0}}
    return values | {"workers": {"replicas": workers}, "run": {"name": "r1"}}


def release(folder: Path, uri: str, port: int, require: str, workers: int = 1) -> Release:
    """A release of them."""
    return release_of(values_of_run(uri, require, workers), folder, port)


def release_of(values: Document, folder: Path, port: int) -> Release:
    """A release of any values."""
    result = Release(render(values), folder, port)
    result.write()
    return result


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit code and its output."""
    try:
        out, _ = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"no end: {process.args!r}\n{process.communicate()[0]}")
    return process.returncode, out
