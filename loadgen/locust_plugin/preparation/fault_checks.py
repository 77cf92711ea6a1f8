"""In each process with users: its connections around a phase with faults, and the rows that must be there after it."""

import threading
from time import perf_counter
from typing import Any

from loadgen.datasets.acknowledged import Acknowledged
from loadgen.measure.errors import describe_error
from loadgen.measure.fault_notes import NAMED_AT_MOST
from loadgen.measure.sample import Mode
from loadgen.milvus.store.missing import find_missing
from loadgen.runtime.hub import run_in_thread
from loadgen.runtime.usage import count_connections
from loadgen.settings.variants import find_variants
from loadgen.users import ProcessState

CONNECTED_WITHIN = 30.0
"""Seconds for all clients to connect again after a phase."""
LOOK = 0.2


def check_faults(state: ProcessState, variant: str, is_over: bool) -> dict[str, Any]:
    """Before a phase: note inserts from now on. After it: search for the acknowledged ones. Off the clock.

    Returns the number of open `connections` to the server after all clients have connected, None if unknown, and
    `acknowledged`, `missing`, `names` and `problem` of the inserts.
    """
    kept, state.acknowledged = state.acknowledged, None if is_over else Acknowledged()

    def work() -> dict[str, Any]:
        problem = _connect(state)
        connections = None if problem else count_connections(state.find_ports())  # the search has one of its own
        ids = kept.take() if kept is not None and is_over else []
        missing: list[str] = []
        if ids and not problem:
            try:
                missing = find_missing(state.settings_for(variant), ids)
            except Exception as error:  # noqa: BLE001 - whatever it is, the phase is over and its figures are kept
                problem = describe_error(error)
        return {
            "connections": connections,
            "acknowledged": len(ids),
            "missing": len(missing),
            "names": missing[:NAMED_AT_MOST],
            "problem": problem,
        }

    return run_in_thread(work)


def _connect(state: ProcessState) -> str:
    """Have each client of each variant send a request; why one fails for long, or an empty text."""
    end, wait = perf_counter() + CONNECTED_WITHIN, threading.Event().wait  # time.sleep may be gevent's
    modes = {one.name: Mode(one.mode) for one in find_variants(state.settings)}
    problem = ""
    while True:
        try:
            for name, stores in state.stores.items():
                connector = state.layer_for(name).connector
                if modes[name] is Mode.SYNC:
                    connector.warm(stores)
                else:
                    state.loop.call(connector.awarm(stores)).result(timeout=CONNECTED_WITHIN)
        except Exception as error:  # noqa: BLE001 - a server that is not back yet
            problem = describe_error(error)
        else:
            return ""
        if perf_counter() > end:
            return problem
        wait(LOOK)
