"""A locustfile that makes a step of a start fail: the file `$START_FAULT` says which one, in which process and how.

The file is looked at whenever the step is taken, so that one process can be made to fail in many ways. It has no users.
"""

import asyncio
import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from locust import events
from pymilvus.exceptions import MilvusException

from loadgen.milvus.server import ServerError
from loadgen.milvus.store import StoreError
from loadgen.settings.faults import Fault, SettingsError

WORDS = "made to fail"
"""In every exception that has words."""


class UnspeakableError(Exception):
    """Cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class ForeignError(BaseException):
    """No Exception, and of nobody that is known here."""


KINDS: dict[str, Callable[[], BaseException]] = {
    "SettingsError": lambda: SettingsError([Fault("rows", "7", WORDS, "Mend it.")]),
    "StoreError": lambda: StoreError(WORDS),
    "ServerError": lambda: ServerError(WORDS),
    "RuntimeError": lambda: RuntimeError(WORDS),
    "OSError": lambda: OSError(28, WORDS),
    "ValueError": lambda: ValueError(WORDS),
    "KeyError": lambda: KeyError(WORDS),
    "TimeoutError": TimeoutError,
    "MemoryError": MemoryError,
    "AssertionError": AssertionError,
    "RecursionError": lambda: RecursionError(WORDS),
    "MilvusException": lambda: MilvusException(1, WORDS),
    "RpcError": lambda: grpc.RpcError(WORDS),
    "two lines": lambda: RuntimeError(f"{WORDS}\nTraceback, so to speak\x1b[31m"),
    "UnspeakableError": UnspeakableError,
    "CancelledError": lambda: asyncio.CancelledError(WORDS),
    "SystemExit": lambda: SystemExit(WORDS),
    "ForeignError": lambda: ForeignError(WORDS),
}
STEPS = {
    "folder": "loadgen.locust_plugin.preparation.run_start make_folder",
    "server": "loadgen.locust_plugin.preparation.resources start_server",
    "data": "loadgen.locust_plugin.preparation.resources open_datasets",
    "lease": "loadgen.locust_plugin.preparation.resources Lease",
    "collection": "loadgen.locust_plugin.preparation.resources prepare",
    "ground_truth": "loadgen.locust_plugin.preparation.resources find_ground_truths",
    "run": "loadgen.locust_plugin.preparation.run_start Run",
    "queries": "loadgen.locust_plugin.preparation.resources make_queries",
    "stores": "loadgen.locust_plugin.preparation.resources _open_stores",
    "warm": "loadgen.clients.llamaindex.connector StoreConnector.warm",
    "metrics": "loadgen.exporters Exporter.begin",
    "record": "loadgen.locust_plugin.run_results Recorder",
    "page": "loadgen.locust_plugin.display.run_display RunDisplay.begin",
    "teaching": "loadgen.control.coordinator Coordinator.teach",
}
ON_WORKERS = ("data", "queries", "stores", "warm", "metrics")
"""Steps that a worker takes too."""


def _break(step: str, module: str, name: str) -> None:
    holder: Any = importlib.import_module(module)
    *outer, last = name.split(".")
    for part in outer:
        holder = getattr(holder, part)
    original = getattr(holder, last)

    @functools.wraps(original)
    def broken(*args: Any, **kwargs: Any) -> Any:
        reported = Path(os.environ["START_FAULT"]).read_text().split(",")
        if reported[:2] == [step, _role]:
            error = KINDS[reported[2]]()
            raise error
        return original(*args, **kwargs)

    setattr(holder, last, broken)


_role = "leader"
if "START_FAULT" in os.environ:  # not in the tests, which read the tables
    for _step, _place in STEPS.items():
        _break(_step, *_place.split())


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def _note_role(environment: Any, **_: Any) -> None:
    global _role  # noqa: PLW0603 - one process has one
    _role = "worker" if environment.parsed_options.worker else "leader"
