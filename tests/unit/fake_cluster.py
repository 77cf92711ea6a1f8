"""The routes of the API of Kubernetes that `loadgen follow` uses, over HTTP, with a script of what happens."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

JOB = "demo-milvus-loadgen-0a1b2c3d-master"
LABELS = {
    "app.kubernetes.io/instance": "demo",
    "app.kubernetes.io/component": "master",
    "milvus-loadgen/run": "0a1b2c3d",
}
Object = dict[str, Any]


def job(*conditions: str, name: str = JOB, created: str = "2026-01-01T00:00:00Z", **labels: str) -> Object:
    """A Job of a master; `conditions` are Complete or Failed."""
    reported = [
        {"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "Too many"} for kind in conditions
    ]
    metadata = {"name": name, "creationTimestamp": created, "labels": LABELS | labels}
    return {"metadata": metadata, "status": {"conditions": reported}}


def waiting(name: str, reason: str = "PodInitializing") -> Object:
    """The status of a container that has not begun."""
    return {"name": name, "state": {"waiting": {"reason": reason}}}


def running(name: str) -> Object:
    """The status of a container that runs."""
    return {"name": name, "state": {"running": {}}}


def ended(name: str, code: int = 0) -> Object:
    """The status of a container that has ended."""
    return {"name": name, "state": {"terminated": {"exitCode": code}}}


def pod(prepare: Object | None = None, master: Object | None = None, number: int = 1) -> Object:
    """A pod of the master; without statuses it has no node yet."""
    metadata = {
        "name": f"{JOB}-{number}",
        "creationTimestamp": f"2026-01-01T00:00:{number:02}Z",
        "labels": LABELS | {"batch.kubernetes.io/job-name": JOB},
    }
    status: Object = {
        "initContainerStatuses": [prepare] if prepare else [],
        "containerStatuses": [master] if master else [],
    }
    if not prepare:
        status["conditions"] = [{"reason": "Unschedulable", "message": "0/3 nodes are available"}]
    return {"metadata": metadata, "status": status}


@dataclass
class FakeCluster:
    """What it has; `steps` are done one by one, each before Jobs are listed again."""

    jobs: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=dict)
    """Lines by pod/container. A log that ends with CUT breaks there, once."""
    steps: list[Callable[["FakeCluster"], object]] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    """Status codes of the next answers."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        """A status and a body."""
        self.asked.append(path)
        if self.refusals:
            return self.refusals.pop(0), json.dumps({"kind": "Status", "message": "pods is forbidden"}).encode()
        parts = urlsplit(path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case ["apis", "batch", "v1", "namespaces", "load", "jobs"]:
                if self.steps:
                    self.steps.pop(0)(self)
                return 200, self._list(self.jobs, asked)
            case ["api", "v1", "namespaces", "load", "pods"]:
                return 200, self._list(self.pods, asked)
            case ["api", "v1", "namespaces", "load", "pods", name, "log"]:
                return self._log(f"{name}/{asked['container']}", asked)
        return 404, json.dumps({"message": f"no such path {parts.path}"}).encode()

    def _list(self, objects: list[Object], asked: dict[str, str]) -> bytes:
        wanted = dict(part.split("=", 1) for part in asked["labelSelector"].split(","))
        result = [each for each in objects if wanted.items() <= each["metadata"]["labels"].items()]
        return json.dumps({"items": result}).encode()

    def _log(self, name: str, asked: dict[str, str]) -> tuple[int, bytes]:
        if name not in self.logs:
            return 400, json.dumps({"message": f"container of {name} is waiting to start: PodInitializing"}).encode()
        assert asked["timestamps"] == "true"
        lines = [f"2026-01-01T00:00:{number:02}.5Z {line}" for number, line in enumerate(self.logs[name])]
        since = asked.get("sinceTime", "")[:19]  # whole seconds
        return 200, "".join(f"{line}\n" for line in lines if line[:19] >= since).encode()


@contextmanager
def serving(cluster: FakeCluster) -> Iterator[FakeCluster]:
    """Serve it on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = cluster.answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
