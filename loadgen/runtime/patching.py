"""Keep the process free of gevent's patches: in a patched process grpc's asyncio client hangs forever."""

import contextlib
import os
import sys
from itertools import pairwise
from pathlib import Path

from loadgen.runtime.start_errors import guard_arguments, guard_start
from loadgen.settings.flags import RUN

SKIP_PATCHING = "LOCUST_SKIP_MONKEY_PATCH"
"""Read by Locust's own `__init__`: if set, Locust does not patch the process."""


class PatchedProcessError(RuntimeError):
    """The process was patched by gevent before loadgen was imported, and cannot be re-executed from here."""


def ensure_unpatched() -> None:
    """Make sure that Locust does not patch this process, or re-execute it without the patches.

    Before Locust is imported, setting Locust's own variable is enough. A `locust` command is patched before it reads
    the locustfile, so the process is replaced once by the same command with that variable set: nothing has been
    started by then. Raises `PatchedProcessError` in any other patched process.
    """
    if is_locust_command():
        guard_start()
        guard_arguments()
    if not is_patched():
        os.environ[SKIP_PATCHING] = "1"
        return
    if os.environ.get(SKIP_PATCHING) or not is_locust_command():
        raise PatchedProcessError(
            "gevent has patched this process, and grpc's asyncio client hangs in a patched process. "
            f"Set {SKIP_PATCHING}=1 in the environment, or import loadgen before locust and gevent's patches."
        )
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, arguments, os.environ | {SKIP_PATCHING: "1"})  # noqa: S606 - our own command again


def is_patched() -> bool:
    """True if gevent has replaced the parts of the standard library that grpc's asyncio client depends on."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and any(monkey.is_module_patched(name) for name in ("threading", "socket", "select"))


def is_locust_command() -> bool:
    """True in a process that was started as `locust`, `python -m locust` or `loadgen run`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    by_module = spec is not None and spec.name == "locust.__main__"
    if sys.argv[:1] == ["-m"]:  # Python is still looking for the module
        by_module = ("-m", "locust") in pairwise(sys.orig_argv)
    return by_module or Path(sys.argv[0]).stem == "locust" or sys.argv[0].startswith(RUN)


def guard_locust_start(_event: object) -> None:
    """Report a locustfile of ours that cannot be parsed in one line, although it never imports this package.

    gevent calls this entry point when it is about to patch a process, which `locust` requests before it reads
    anything. Nothing changes in any other process, or for any other locustfile.
    """
    with contextlib.suppress(Exception):  # an error here would break gevent's patching
        if is_locust_command():
            guard_start(only_ours=True)
            guard_arguments()
