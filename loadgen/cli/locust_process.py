"""The process that `loadgen run NAME ...` becomes: `python -m loadgen.cli.locust_process NAME PATH ...`.

It is `locust` with that locustfile, under the name by which it was started: errors, help and run record have it.
"""

import os
import runpy
import sys

from loadgen.cli.locustfiles import HELP, read_title
from loadgen.runtime.patching import ensure_unpatched
from loadgen.settings.flags import RUN


def main() -> None:
    """Run Locust; its exit code is that of the process."""
    name, path, *flags = sys.argv[1:]
    sys.argv = [f"{RUN}{name}", *flags]
    os.environ["LOCUST_LOCUSTFILE"] = path  # as `-f`, which nobody has typed
    ensure_unpatched()
    if set(HELP).isdisjoint(flags):
        runpy.run_module("locust")
        return
    from loadgen.locust_plugin.command_line.run_help import show_help

    show_help(sys.argv[0], read_title(path))


if __name__ == "__main__":
    main()
