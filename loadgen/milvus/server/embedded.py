"""The run's side of an embedded server: start it, wait until it answers, end it with the run."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

from loadgen.milvus.server.errors import PortTakenError, RefusedError, ServerError, describe_failure
from loadgen.milvus.server.folder import Folder, locate_mark, open_folder
from loadgen.milvus.server.kinds import (
    NAMES,
    PYTHON,
    Kind,
    Launch,
    choose_kind,
    count_ports,
    describe_exposure,
    plan_launch,
)
from loadgen.milvus.server.line import DONE, END, GRACE, KEEP, KILL, PAUSE, RESUME, START
from loadgen.milvus.server.ports import Reservation, hold_ports, reserve_ports
from loadgen.milvus.server.readiness import list_collections, load_collections, wait_for_answer
from loadgen.milvus.server.sessions import forget_sessions, list_sessions
from loadgen.milvus.server.unpacking import is_unpacked

TRIES = 3
SECONDS_TO_START = 120.0
LISTENS_WITHIN = 1.0
TAKEN = ("address already in use", "Failed to bind")
"""What servers log if another process took one of their ports between the choice and the start."""


class EmbeddedServer:
    """A running server. `uri` is for clients, `log` for people, `metrics_uri` for Prometheus (None for Lite).

    The starting process has the only write end of a pipe, the line; when it ends, so does the server. A
    child made by `os.fork` closes its copy, so that it cannot keep the server alive. (Locust's `--processes` forks
    before there is a server.) A child made by C code that neither execs nor runs Python's fork hooks would.
    """

    def __init__(self, kind: Kind, folder: Folder, launch: Launch, ports: tuple[int, ...]) -> None:
        self.kind = kind
        self.log = folder.log
        self._launch, self._ports = launch, ports
        self._held: Reservation | None = None
        self._collections: tuple[str, ...] = ()
        self._sessions: frozenset[bytes] = frozenset()
        """Those of the server that was killed."""
        self._port = port = ports[0]
        self.uri = f"http://127.0.0.1:{port}"
        self.metrics_uri = f"http://127.0.0.1:{launch.metrics_port}/metrics" if launch.metrics_port else None
        self._lock = threading.Lock()
        # In a new thread: with gevent's `os.close`, Popen in a thread with a hub deadlocks.
        with ThreadPoolExecutor(1) as pool:
            self._guardian, line, self._answers = pool.submit(_start_guardian, folder, launch).result()
        self._line: int | None = line
        os.register_at_fork(after_in_child=partial(_leave_in_child, weakref.ref(self)))

    @property
    def running(self) -> bool:
        """True until the server ends, by itself or by `stop`. Always False in a forked child."""
        return self._line is not None and self._guardian.poll() is None

    def listens(self) -> bool:
        """Whether the server still accepts connections: `running` sees its end only a moment after the fact."""
        if not self.running:
            return False
        try:
            socket.create_connection(("127.0.0.1", self._port), LISTENS_WITHIN).close()
        except ConnectionRefusedError:
            return False
        except OSError:  # too busy to answer
            return True
        return True

    # Faults: each blocks until its signal was sent. Raises ServerError if it could not be.

    def pause(self) -> None:
        """Stop the server's processes until `resume`: connections stay, and nothing answers."""
        self._order(PAUSE, "paused")

    def resume(self) -> None:
        """Let a paused server go on."""
        self._order(RESUME, "resumed")

    def kill(self) -> None:
        """Kill the server without a chance to save anything; its data and ports are kept for `restart`."""
        if self._launch.etcd_port is not None:
            with contextlib.suppress(OSError):
                self._sessions = list_sessions(self._launch.etcd_port)
        if self.kind == "lite":
            with contextlib.suppress(Exception):  # a server that does not answer
                self._collections = list_collections(f"127.0.0.1:{self._port}")
        self._order(KILL, "killed")
        self._held = self._held or hold_ports(self._ports)

    def restart(self) -> None:
        """Start a killed server again, on the same data and ports, and wait until an RPC answers."""
        held, self._held = self._held, None
        try:
            self._order(START, "started again")
            _await_answer(self, self._launch, self._ports, self._sessions)
            if self.kind == "lite":  # which forgets that its collections were loaded
                load_collections(f"127.0.0.1:{self._port}", self._collections)
        finally:
            if held is not None:
                held.__exit__()

    def _order(self, order: bytes, done: str) -> None:
        with self._lock:
            if self._line is None:
                raise ServerError(f"the embedded server could not be {done}: it was stopped")
            with contextlib.suppress(OSError):
                os.write(self._line, order)
                if os.read(self._answers, 1) == DONE:
                    return
        raise ServerError(describe_failure(f"the embedded server could not be {done}", self.log))

    def stop(self, *, keep: bool = False) -> None:
        """End the server and wait for it, for a few seconds at most; idempotent. `keep` keeps a temporary folder."""
        with self._lock:
            line, self._line = self._line, None
            if line is None:
                return
            with contextlib.suppress(OSError):
                os.write(line, KEEP + END if keep else END)
            os.close(line)
            os.close(self._answers)
            end = time.perf_counter() + GRACE + 0.5  # by then the server is gone, though perhaps not yet a large folder
            while self._guardian.poll() is None and time.perf_counter() < end:
                self._pause()

    @staticmethod
    def _pause() -> None:
        threading.Event().wait(0.02)  # time.sleep may be gevent's, which leaves a hub in each thread that calls it

    def leave(self) -> None:
        """In a forked child: leave the server to the parent."""
        line, self._line = self._line, None
        if line is not None:
            os.close(line)
            os.close(self._answers)


def _leave_in_child(reference: "weakref.ref[EmbeddedServer]") -> None:
    server = reference()
    if server is not None:
        server.leave()


def start_server(
    kind: Literal["auto", "milvus", "lite"],
    *,
    data: Path | None = None,
    port: int = 0,
    tell: Callable[[str], None],
) -> EmbeddedServer:
    """Start a server and wait until an RPC answers, from any thread; `tell` receives progress, line by line.

    `port` 0 is a free one. Without `data` the folder is temporary and deleted when the server is stopped, unless it
    ended by itself. Raises `RefusedError` before anything has started, `ServerError` if the server does not come up.
    """
    chosen = choose_kind(kind, tell)
    folder = open_folder(data)
    try:
        return _try_ports(chosen, folder, port, tell)
    except BaseException as error:
        if folder.temporary and (isinstance(error, RefusedError) or not folder.log.exists()):
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
    finally:
        os.close(folder.lock)  # the guardian owns it from here on


def _try_ports(kind: Kind, folder: Folder, port: int, tell: Callable[[str], None]) -> EmbeddedServer:
    for _ in range(TRIES - 1):
        with contextlib.suppress(PortTakenError):
            return _start_once(kind, folder, port, tell)
        tell("A port was taken meanwhile; trying others.")
    return _start_once(kind, folder, port, tell)


def _start_once(kind: Kind, folder: Folder, port: int, tell: Callable[[str], None]) -> EmbeddedServer:
    with reserve_ports(port, count_ports(kind)) as ports:
        tell(f"Starting {NAMES[kind]} in {folder.path} ...")
        if kind == "milvus" and not is_unpacked():
            tell("Its programs are unpacked first, once for each user; this takes some 10 s.")
        if exposure := describe_exposure(kind, ports.numbers):
            tell(exposure)
        launch = plan_launch(kind, folder.path, ports.numbers)
        server = EmbeddedServer(kind, folder, launch, ports.numbers)
        try:
            _await_answer(server, launch, ports.numbers)
            locate_mark(folder.path / kind).touch()
        except BaseException as error:
            server.stop(keep=isinstance(error, ServerError))  # not if it was cancelled
            raise
    return server


def _await_answer(
    server: EmbeddedServer, launch: Launch, ports: tuple[int, ...], ended: frozenset[bytes] = frozenset()
) -> None:
    """Return when an RPC has answered; raises `PortTakenError` or `ServerError` if none will.

    `ended` are sessions of a server that was killed.
    """
    etcd_port = launch.etcd_port

    def alive() -> bool:
        nonlocal etcd_port
        if etcd_port is not None:
            with contextlib.suppress(OSError):
                forget_sessions(etcd_port, ports, ended)
                etcd_port = None
        return server.running

    if wait_for_answer(f"127.0.0.1:{ports[0]}", alive, SECONDS_TO_START):
        return
    if server.running:
        what = f"{NAMES[server.kind]} gave no answer within {SECONDS_TO_START:.0f} s"
        raise ServerError(describe_failure(what, server.log))
    written = server.log.read_text(encoding="utf-8", errors="replace") if server.log.exists() else ""
    fault = PortTakenError if any(sign in written for sign in TAKEN) else ServerError
    raise fault(describe_failure(f"{NAMES[server.kind]} ended while it started", server.log))


def _start_guardian(folder: Folder, launch: Launch) -> tuple["subprocess.Popen[bytes]", int, int]:
    """Start the guardian in a new session, out of reach of Ctrl-C; also returns the pipes to it and from it."""
    given = ["--log", str(folder.log)]
    given += [part for path in launch.litter for part in ("--litter", path)]
    given += ["--remove", str(folder.path)] if folder.temporary else []
    heard, line = os.pipe()  # neither end is inherited by other programs
    answers, answering = os.pipe()
    try:
        with folder.log.open("wb") as output:
            guardian = subprocess.Popen(  # noqa: S603 - the command is this package's own
                [
                    *PYTHON,
                    "loadgen.milvus.server.guardian",
                    "--line",
                    str(heard),
                    "--answers",
                    str(answering),
                    *given,
                    "--",
                    *launch.command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(heard, answering, folder.lock),
                # What this process can import, its servers can: the package may be where only sys.path finds it.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)},
            )
    except BaseException:
        os.close(line)
        os.close(answers)
        raise
    finally:
        os.close(heard)
        os.close(answering)
    return guardian, line, answers
