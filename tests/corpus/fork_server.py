"""A process that has imported `locust` and `loadgen` once and forks a child for each command: run as a script.

Reads a JSON object per line (`Command` of `running.py`) and answers with the exit code. A child has the arguments,
variables, folder and files of its command and then calls what the console script of that name calls. It inherits what
importing does, which is nothing but modules: no thread of Python's, no hub, no listener. It ends as the interpreter
ends any process, but for taking apart a thousand modules, which costs two seconds.

With `patched` as its argument it is what a `locust` process is until it has read the locustfile: patched by gevent.
Without, what it is after it has replaced itself by an unpatched one.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

PREPARED = (
    "loadgen.cli.main",
    "loadgen.users",
    "loadgen.locust_plugin",
    "loadgen.locust_plugin.command_line.reading",
    "loadgen.results.record",
    "loadgen.reports.writing",
    "loadgen.reports.comparing",
    "loadgen.calibrate.command",
)
LOOK_SECONDS = 0.002
NO_END = 1_000
"""The code of a command that had to be killed."""


def main() -> None:
    """Serve until the input ends. Returns in a child only where its command does."""
    patched = sys.argv[1:] == ["patched"]
    sys.argv = ["locust"]  # what is asked for when gevent patches the process
    if not patched:
        os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    importlib.import_module("locust.main")
    for name in () if patched else PREPARED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no child copies memory only to count who refers to it
    answers = os.fdopen(os.dup(1), "w")
    answers.write(f"{json.dumps({'threads': threading.active_count()})}\n")
    answers.flush()
    while line := sys.stdin.readline():
        command = json.loads(line)
        pid = os.fork()
        if not pid:
            answers.close()
            end_as_interpreter(_become(command))
        answers.write(f"{json.dumps({'code': _await_end(pid, command['seconds'])})}\n")
        answers.flush()


def _become(command: dict[str, Any]) -> Callable[[], Any]:
    """Be the process of a command; what its console script calls."""
    os.setsid()
    gc.disable()  # it ends before there is much garbage, and the search for it would copy the memory it shares
    for number, (path, mode) in enumerate(
        ((os.devnull, os.O_RDONLY), (command["out"], os.O_WRONLY), (command["err"], os.O_WRONLY))
    ):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["variables"])
    sys.argv = list(command["arguments"])
    sys.orig_argv = [sys.executable, *sys.argv]
    name = os.path.basename(sys.argv[0])  # noqa: PTH119
    entry: Callable[[], Any] = importlib.import_module(
        {"locust": "locust.main", "loadgen": "loadgen.cli.main"}[name]
    ).main
    return entry


def end_as_interpreter(entry: Callable[[], Any]) -> NoReturn:
    """End as a process does that has called this and nothing else."""
    try:
        code = entry()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


def _await_end(pid: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(LOOK_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return NO_END


if __name__ == "__main__":
    main()
