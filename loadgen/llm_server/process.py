"""A server as a child process: started for a run, and ended with it, however it ends."""

import contextlib
import http.client
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from loadgen.llm_server.behaviour import Behaviour

SECONDS_TO_START = 30.0
SECONDS_TO_END = 3.0
SECONDS_TO_ANSWER = 5.0


class LlmServerError(RuntimeError):
    """The server did not start, or does not answer. The text says why."""


@dataclass(frozen=True, slots=True)
class ServiceCounts:
    """The server's own figures for one kind of request (chat or embedding), since its start or the last reset."""

    requests: int
    """All that have ended."""
    outcomes: Mapping[str, int]
    """`ok`, planned errors by status (`429`, `500`), `broken`, `over_limit`, `invalid`, `disconnected`, `failed`."""
    in_flight: int
    waiting: int
    """For a slot."""
    prompt_tokens: int
    completion_tokens: int
    texts: int
    """Embedded."""
    times: Mapping[str, Mapping[str, float]]
    """`queue`, `first_token`, `inter_token`, `total`, `late`: each count, mean, min, p50, p90, p99, p99.9 and max, in
    seconds; without values the count only."""


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """The server's own figures."""

    chat: ServiceCounts
    embedding: ServiceCounts


class LlmServer:
    """A running server; `url` is what OpenAI's clients take as base URL. A context manager that stops it.

    The starting process has the only write end of a pipe; when it ends, so does the server. A child made by
    `os.fork` closes its copy.
    """

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self._lock = threading.Lock()
        # In a new thread: with gevent's `os.close`, Popen in a thread with a hub deadlocks.
        with ThreadPoolExecutor(1) as pool:
            self._process, line, self.root = pool.submit(_start, behaviour, port).result()
        self._line: int | None = line
        self.url = f"{self.root}/v1"
        os.register_at_fork(after_in_child=partial(_leave_in_child, weakref.ref(self)))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the server ends, by itself or by `stop`. Always False in a forked child."""
        return self._line is not None and self._process.poll() is None

    def counts(self, *, reset: bool = False) -> ServerCounts:
        """The server's own figures; with `reset`, it begins to count anew. Raises LlmServerError."""
        # Neither a proxy of the environment nor a pool of connections: http.client as it is.
        connection = http.client.HTTPConnection(urlsplit(self.root).netloc, timeout=SECONDS_TO_ANSWER)
        try:
            connection.request("DELETE" if reset else "GET", "/counts")
            reported = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise LlmServerError(f"the simulated LLM server at {self.root} does not answer ({error})") from None
        finally:
            connection.close()
        return ServerCounts(ServiceCounts(**reported["chat"]), ServiceCounts(**reported["embedding"]))

    def stop(self) -> None:
        """End the server and wait for it; idempotent. Open streams are cut."""
        with self._lock:
            line, self._line = self._line, None
            if line is None:
                return
            os.close(line)
            end = time.perf_counter() + SECONDS_TO_END
            while self._process.poll() is None:
                if time.perf_counter() > end:
                    self._process.kill()
                threading.Event().wait(0.01)  # time.sleep may be gevent's, which leaves a hub in each thread

    def leave(self) -> None:
        """In a forked child: leave the server to the parent."""
        line, self._line = self._line, None
        if line is not None:
            os.close(line)

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()


def start_llm_server(behaviour: Behaviour | None = None, *, port: int = 0) -> LlmServer:
    """Start a server on 127.0.0.1 and wait until it answers, from any thread; port 0 is a free one.

    Raises LlmServerError.
    """
    return LlmServer(behaviour or Behaviour(), port)


def _leave_in_child(reference: "weakref.ref[LlmServer]") -> None:
    server = reference()
    if server is not None:
        server.leave()


def _start(behaviour: Behaviour, port: int) -> tuple["subprocess.Popen[bytes]", int, str]:
    """Start the process, in a new session and so out of reach of Ctrl-C; also returns the line and the address."""
    heard, line = os.pipe()  # neither end is inherited by other programs
    try:
        process = subprocess.Popen(  # noqa: S603 - the command is this package's own
            [
                *(sys.executable, "-m", "loadgen.llm_server.serving", "--line", str(heard)),
                *("--port", str(port), "--behaviour", behaviour.model_dump_json()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(heard,),
            # What this process can import, its servers can: the package may be where only sys.path finds it.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)},
        )
    except BaseException:
        os.close(line)
        raise
    finally:
        os.close(heard)
    reported = _hear(process)
    if "root" in reported:
        return process, line, str(reported["root"])
    os.close(line)
    process.kill()
    process.wait()
    why = reported.get("error") or f"no answer within {SECONDS_TO_START:.0f} s; see its output above"
    raise LlmServerError(f"the simulated LLM server did not start: {why}")


def _hear(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """What the server says when it answers or cannot; empty if it ends first or is too slow."""
    out = process.stdout
    if out is None:
        return {}
    with out, contextlib.suppress(ValueError):
        if select.select([out], [], [], SECONDS_TO_START)[0]:
            reported: dict[str, Any] = json.loads(out.readline())
            return reported
    return {}
