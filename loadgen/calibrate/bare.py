"""The calls of MilvusVectorStore in bare loops, with only the clock around them: `python -m loadgen.calibrate.bare`.

Says `Phase N of M` on standard error before each phase, as a run does, and its figures as JSON on standard output.
"""

import json
import sys
from functools import partial
from time import sleep
from typing import Any

import numpy as np

from loadgen.calibrate.loops import NO_PARTS, Load, Loops, Parts
from loadgen.calibrate.plan import ORDER, PACED_USERS, USERS
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server.delays import pick
from loadgen.milvus.store import aclose_stores, close_stores, open_stores, to_query, warm_stores, warm_sync_stores
from loadgen.runtime.loop import new_event_loop
from loadgen.settings.model import Settings

PERCENTS = (50.0, 95.0, 99.0, 99.9, 100.0)
SETTLE = 0.1
"""Seconds for the server to receive the delays of the next phase."""


def figures(loops: Loops, seconds: float) -> dict[str, Any]:
    """Operations per second, and percentiles in seconds."""
    times = np.sort(loops.times)
    return {
        "operations": len(times),
        "throughput": len(times) / seconds,
        "times": pick(times, *PERCENTS) if len(times) else [],
    }


def search(store: Any, query: Any) -> Parts:
    """One call of a blocking store."""
    store.query(query)
    return NO_PARTS


async def asearch(store: Any, query: Any) -> Parts:
    """One call of an async store."""
    await store.aquery(query)
    return NO_PARTS


def main() -> None:
    """Run some phases. Arguments: the settings as JSON, the number of phases, and a rate (0: none)."""
    settings, phases, rate = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    queries = [to_query(vector, settings) for vector in open_dataset(settings).queries()]
    loop, _ = new_event_loop()
    sync, asyn = open_stores(settings, Mode.SYNC), open_stores(settings, Mode.ASYNC)
    warm_sync_stores(sync)
    loop.run_until_complete(warm_stores(asyn))
    load = Load(PACED_USERS if rate else USERS, settings.warmup_seconds, settings.phase_seconds, rate)
    result = []
    for number in range(phases):
        sys.stderr.write(f"Phase {number + 1} of {phases}\n")
        sys.stderr.flush()
        sleep(SETTLE)
        mode = ORDER[number % len(ORDER)]
        if mode is Mode.SYNC:
            loops = Loops(partial(search, sync[0]), queries, load)
            loops.run_sync()
        else:
            loops = Loops(partial(asearch, asyn[0]), queries, load)
            loop.run_until_complete(loops.run_async())
        result.append(figures(loops, load.seconds))
    sys.stdout.write(json.dumps(result) + "\n")
    loop.run_until_complete(aclose_stores(asyn))
    close_stores([*sync, *asyn])
    loop.close()


if __name__ == "__main__":
    main()
