"""`python -m tests.mutation.server`: runs tests in forks of one process that has imported all libraries already.

Reads one JSON object per line, `{"tests": [...], "seconds": ...}`, and answers with `{"ended": ...}`. It runs in the
private copy and has imported nothing of the package, so that each fork imports the mutant that is there by then.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

LIBRARIES = (
    "hdrh.histogram", "hypothesis.strategies", "jinja2", "llama_index.vector_stores.milvus", "locust.main",
    "matplotlib.backends.backend_svg", "matplotlib.figure", "numpy", "prometheus_client", "psutil",
    "pydantic", "pymilvus", "rich.table", "yaml",
)  # fmt: skip
QUIET = ("-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", "--no-header", "--tb=short")
NO_TESTS = 5
LOG = Path("build") / "mutant.log"


class Chosen:
    """A pytest plugin that leaves only these tests, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.order = {test: index for index, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """After the project's own order of tests."""
        chosen = [item for item in items if item.nodeid in self.order]
        items[:] = sorted(chosen, key=lambda item: self.order[item.nodeid])


def run_tests(tests: list[str]) -> int:
    """The exit code of pytest over these tests."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return int(pytest.main([*files, *QUIET], plugins=[Chosen(tests)]))


def run_forked(tests: list[str], seconds: float) -> str:
    """`passed`, `failed` or `timeout`, of a process of its own, which is ended with all that it started."""
    child = os.fork()
    if not child:
        try:
            os.setsid()
            with LOG.open("w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            code = run_tests(tests)
        except BaseException:  # noqa: BLE001 - a mutant that raises out of pytest; the fork may never get to the loop
            code = 1
        os._exit(code)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            end_group(child)
            return "passed" if status == 0 else "nothing" if status == NO_TESTS << 8 else "failed"
        time.sleep(0.02)
    end_group(child)
    os.waitpid(child, 0)
    return "timeout"


def end_group(child: int) -> None:
    """End whatever is left of the session of this process."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Answer until standard input ends."""
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)
    if early := sorted(name for name in sys.modules if name.partition(".")[0] == "loadgen"):
        raise SystemExit(f"imported before the mutant is there: {early}")
    LOG.parent.mkdir(exist_ok=True)
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"ended": run_forked(asked["tests"], asked["seconds"])}), flush=True)


if __name__ == "__main__":
    main()
