"""Tests run in a process that Locust leaves alone, as its own commands do, and are the same at each run."""

import gc
import logging
import os
import re
import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from loadgen.runtime.patching import ensure_unpatched

HOUSE = Path(__file__).parents[1]
WITH_MILVUS = 2
"""Processes that run the tests on the real Milvus, each on a server of its own."""

ensure_unpatched()
# What is imported and collected stays: the search for garbage among it is a tenth of what the unit tests take.
gc.disable()
# Threads of the linear algebra that wait for each other on busy cores make small matrices three times as slow.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Some hints are left out in a pod: the tests may run in one.
os.environ.pop("KUBERNETES_SERVICE_HOST", None)
# A shell has its background jobs ignore Ctrl-C, and what a job starts inherits that: here a test may press it anyway.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Machines that tests run on are busy with other work, so no example has a deadline. `--hypothesis-profile default`
# looks for other examples at each run.
settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")


def _is_of_this_test(record: logging.LogRecord) -> bool:
    """Whether a line of asyncio's log is not about a task of an earlier test: garbage is found at any time."""
    return not record.getMessage().startswith("Task was destroyed but it is pending")


logging.getLogger("asyncio").addFilter(_is_of_this_test)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those that take long begin first, so that all processes end at about the same time."""
    items.sort(key=lambda item: (not waits(item.nodeid), not shares(item.nodeid)))


def pytest_collection_finish() -> None:
    """Search for garbage again, but not among what is there before the first test."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have `--dist loadscope` give away each test that waits for a server by itself, and others by the file.

    The real Milvus takes a seventh of a core also where nothing is asked of it, so only the first processes start one.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByTheWait(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if waits(nodeid) and not shares(nodeid) else nodeid.partition("::")[0]

        def _assign_work_unit(self, node: Any) -> None:
            first = self.nodes.index(node) < WITH_MILVUS
            result = [scope for scope in self.workqueue if first == any(map(takes_milvus, self.workqueue[scope]))]
            if result or first:
                self.workqueue.move_to_end((result or [*self.workqueue])[0], last=False)
                super()._assign_work_unit(node)
            else:
                node.shutdown()  # once it has done what it was given before

    return ByTheWait(config, log) if config.getoption("dist") == "loadscope" else None


def waits(nodeid: str) -> bool:
    """Whether this is a test with servers and commands."""
    return nodeid.startswith("tests/integration/")


def shares(nodeid: str) -> bool:
    """Whether it belongs to a file whose tests share what is made once for them."""
    return 'scope="module"' in text_of(nodeid.partition("::")[0])


def takes_milvus(nodeid: str) -> bool:
    """Whether it uses the real Milvus that the tests of a process share, as far as its file shows."""
    path, _, name = nodeid.partition("::")
    if not waits(nodeid):
        return False
    text = text_of(path)
    chosen = "milvus" in name.partition("[")[2] and "getfixturevalue" in text
    fixtures = re.findall(r"@pytest\.fixture.*\ndef (\w+)\([^)]*\bmilvus(?:_uri)?: ", text)
    names = "|".join(["milvus", "milvus_uri", *fixtures])
    function = r"" if shares(nodeid) else rf"def {name.partition('[')[0]}\("
    return chosen or bool(re.search(rf"{function}[^)]*\b(?:{names}): ", text))


@cache
def text_of(file: str) -> str:
    return (HOUSE / file).read_text()
