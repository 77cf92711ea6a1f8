"""Commands that need not import everything first: a `Popen` of processes that were forked."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.command_parent import HEADER

ROOT = Path(__file__).parents[2]
SECONDS = 240.0
"""For a command that is waited for."""
PR_SET_CHILD_SUBREAPER = 36
CAN_FORK = sys.platform == "linux"
"""Whether a process can be given to whoever asked for it."""


class CommandParent:
    """The process of `command_parent.py`; it ends with this one, however that goes."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._asking, theirs = socket.socketpair()
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
        paths = os.pathsep.join(filter(None, [str(ROOT), clean.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "tests.integration.command_parent", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, env=clean | {"PYTHONPATH": paths}, pass_fds=[theirs.fileno()], start_new_session=True
            )

    def fork(self, arguments: list[str], variables: dict[str, str], folder: str, files: tuple[int, int, int]) -> int:
        """Start a command as a child of this process; its pid."""
        asked = {"arguments": arguments, "variables": variables, "folder": folder}
        text = json.dumps(asked).encode()
        with self._turn:
            _adopt(True)
            try:
                socket.send_fds(self._asking, [len(text).to_bytes(HEADER)], files)
                self._asking.sendall(text)
                pid = self._answer()
                assert self._answer() == 0
            finally:
                _adopt(False)
        return pid

    def _answer(self) -> int:
        result = self._asking.recv(HEADER, socket.MSG_WAITALL)
        assert len(result) == HEADER, f"the parent of the commands has ended ({self._process.wait()})"
        return int.from_bytes(result)

    def end(self) -> None:
        self._asking.close()
        self._process.wait(30)


class ForkedCommand(subprocess.Popen[str]):
    """A `locust` or `loadgen` command in a session of its own; where none can be forked, a process as any other.

    `Popen` has this method start the process, with every pipe made. It must be given a folder and variables.
    """

    def _execute_child(self, arguments: list[str], *given: Any) -> None:
        if not CAN_FORK:
            super()._execute_child(arguments, *given)  # type: ignore[misc]
            return
        folder, variables = given[4:6]
        files = given[9], given[12], given[14]
        self.pid = command_parent().fork(arguments, dict(variables), str(folder), files)
        self._child_created = True
        self._close_pipe_fds(*given[9:15])  # type: ignore[attr-defined]


def run_forked(arguments: list[str], folder: Path, variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` would tell of a command."""
    with ForkedCommand(
        arguments,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@cache
def command_parent() -> CommandParent:
    """The only one of this process, started when it is first needed."""
    return CommandParent()


def _adopt(does: bool) -> None:
    """Have orphans among the descendants of this process become children of it, or of whom they usually do."""
    assert ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(does), 0, 0, 0) == 0
