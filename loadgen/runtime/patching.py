"""Keep the process free of gevent's patches: in a patched process grpc's asyncio client hangs for ever."""

import os
import sys
from pathlib import Path

SKIP_PATCHING = "LOCUST_SKIP_MONKEY_PATCH"
"""Read by Locust's own `__init__`: where it is set, Locust leaves the process alone."""


class PatchedProcessError(RuntimeError):
    """The process was patched by gevent before loadgen could be imported, and cannot be started anew from here."""


def ensure_unpatched() -> None:
    """Make sure that Locust does not patch this process, or start it anew without the patches.

    Before Locust's import it is enough to set Locust's own variable. In a `locust` command, which is patched before it
    reads the locustfile, the process is replaced once by the same command with that variable set: nothing has been
    started yet at that moment. Raises `PatchedProcessError` in any other patched process.
    """
    if not is_patched():
        os.environ[SKIP_PATCHING] = "1"
        return
    if os.environ.get(SKIP_PATCHING) or not _is_locust_command():
        raise PatchedProcessError(
            "gevent has patched this process, and grpc's asyncio client hangs in a patched process. "
            f"Set {SKIP_PATCHING}=1 in the environment, or import loadgen before locust and gevent's patches."
        )
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, arguments, os.environ | {SKIP_PATCHING: "1"})  # noqa: S606 - our own command again


def is_patched() -> bool:
    """True where gevent has replaced the parts of the standard library that grpc's asyncio client stands on."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and any(monkey.is_module_patched(name) for name in ("threading", "socket", "select"))


def _is_locust_command() -> bool:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    by_module = spec is not None and spec.name == "locust.__main__"
    return by_module or Path(sys.argv[0]).stem == "locust"
