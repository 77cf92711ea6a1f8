"""The API of a Kubernetes cluster over HTTP, through `kubectl proxy`, which knows how to log in."""

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

ANSWER_SECONDS = 30.0
PROXY_SECONDS = 20.0
LOOK_SECONDS = 0.05
WORDS_AT_MOST = 300


class ClusterError(RuntimeError):
    """The cluster cannot be asked, or refuses."""


class Connect(Protocol):
    """Opens a connection to the API."""

    def __call__(self, timeout: float | None) -> http.client.HTTPConnection:
        """Not connected yet. Without a timeout it waits for ever."""
        ...


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system, which other users of this machine cannot reach."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One namespace of a cluster. Its methods raise ClusterError, and OSError if the connection breaks."""

    namespace: str
    connect: Connect

    def jobs(self, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        """Jobs with these labels."""
        return self._list(f"/apis/batch/v1/namespaces/{quote(self.namespace)}/jobs", selector)

    def pods(self, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        """Pods with these labels, the oldest first."""
        result = self._list(f"/api/v1/namespaces/{quote(self.namespace)}/pods", selector)
        return sorted(result, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def log(self, pod: str, container: str, *, follow: bool, since: str = "") -> Iterator[tuple[str, str]]:
        """Lines of a container's log, each with its time. With `follow` until the container ends or the line breaks."""
        asked = {"container": container, "timestamps": "true"}
        asked |= {"follow": "true"} if follow else {}
        asked |= {"sinceTime": since} if since else {}
        path = f"/api/v1/namespaces/{quote(self.namespace)}/pods/{quote(pod)}/log?{urlencode(asked)}"
        connection = self.connect(None if follow else ANSWER_SECONDS)
        try:
            for line in _ask(connection, path):
                written, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
                yield written, text
        finally:
            connection.close()

    def _list(self, path: str, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        connection = self.connect(ANSWER_SECONDS)
        try:
            answer = _ask(connection, f"{path}?{urlencode({'labelSelector': labels})}")
            items: list[dict[str, Any]] = json.loads(answer.read())["items"]
        except (ValueError, KeyError, TypeError) as error:
            raise ClusterError(f"{path} does not answer as the API of Kubernetes does") from error
        finally:
            connection.close()
        return items


def _ask(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    try:
        connection.request("GET", path, headers={"Host": "localhost", "Accept": "application/json, */*"})
        answer = connection.getresponse()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    if answer.status != HTTPStatus.OK:
        raise ClusterError(f"{answer.status}: {_words_of(answer.read())}")
    return answer


def _words_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:WORDS_AT_MOST]


@contextmanager
def reach_cluster(namespace: str, context: str = "", api: str = "") -> Iterator[Cluster]:
    """A namespace of the cluster at `api`, which asks for no login, or of the one that kubectl uses.

    Raises ClusterError if kubectl is missing or cannot reach the cluster.
    """
    if api:
        parts = urlsplit(api)
        yield Cluster(
            namespace, lambda timeout: http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        )
        return
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ClusterError("kubectl is not installed: install it, or name the address of a `kubectl proxy` with --api")
    with tempfile.TemporaryDirectory(prefix="loadgen-") as folder:
        path = str(Path(folder) / "api")
        words = [kubectl, "proxy", "--unix-socket", path, *(["--context", context] if context else [])]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as proxy:  # noqa: S603 - kubectl of the PATH
            try:
                _await_proxy(proxy, Path(path))
                yield Cluster(namespace, lambda timeout: SocketConnection(path, timeout))
            finally:
                proxy.terminate()


def _await_proxy(proxy: "subprocess.Popen[str]", path: Path) -> None:
    end = time.monotonic() + PROXY_SECONDS
    while not path.exists():
        if proxy.poll() is not None:
            assert proxy.stderr is not None  # noqa: S101 - a pipe
            raise ClusterError(f"kubectl proxy ended: {proxy.stderr.read().strip()[:WORDS_AT_MOST]}")
        if time.monotonic() > end:
            raise ClusterError(f"kubectl proxy did not start within {PROXY_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)
