"""Right answers: the exact neighbours found before a run, and sync and async held against each other."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loadgen.datasets import (
    Dataset,
    GroundTruth,
    cached_neighbours,
    count_checked,
    default_folder,
    find_difference,
    find_neighbours,
)
from loadgen.measure.sample import Mode
from loadgen.milvus.store import ask_async, ask_sync, count_async, count_sync, to_query
from loadgen.runtime.loop import LoopThread
from loadgen.settings.model import Settings

COMPARED = 50
"""Queries that both modes have to answer alike before they are compared."""
ATTEMPTS = 3
"""An index that was only just replaced may answer anew: a difference has to last."""
ANSWER_WITHIN = 120.0

logger = logging.getLogger("loadgen")


def find_ground_truth(settings: Settings, dataset: Dataset) -> GroundTruth | None:
    """The exact neighbours of the first queries, from the cache or found now; None where no search is checked.

    Blocks, for 2 x rows x queries x dim floating-point operations: 10,000 rows take about a second, 1,000,000 a
    minute or two on a few cores.
    """
    if not settings.recall_every:
        return None
    checked = count_checked(settings.queries, settings.top_k)
    made_of: list[object] = [dataset.fingerprint, settings.queries, checked, settings.metric, settings.top_k]

    def make() -> GroundTruth:
        return find_neighbours(dataset, dataset.queries()[:checked], settings.metric, settings.top_k, logger.info)

    folder = Path(settings.cache) if settings.cache else default_folder()
    ground_truth, kept = cached_neighbours(folder, made_of, make)
    logger.info("The exact neighbours of %d queries are %s", checked, "known from before" if kept else "found")
    return ground_truth


def compare_modes(stores: Mapping[Mode, list[Any]], loop: LoopThread, settings: Settings) -> tuple[str, ...]:
    """Why sync and async must not be compared: other answers to the same queries, or another number of rows.

    Blocks. An error is told and is no reason: that an operation fails shows in the phases.
    """
    vectors = Dataset(settings).queries()
    queries = [to_query(vector, settings) for vector in vectors[:: max(1, len(vectors) // COMPARED)][:COMPARED]]
    sync, asyn = stores[Mode.SYNC][0], stores[Mode.ASYNC][0]

    def look() -> list[str]:
        found = find_difference(
            ask_sync(sync, queries), loop.call(ask_async(asyn, queries)).result(timeout=ANSWER_WITHIN)
        )
        rows = count_sync(sync), loop.call(count_async(asyn)).result(timeout=ANSWER_WITHIN)
        counted = "" if rows[0] == rows[1] else f"data differs: sync counts {rows[0]:,} rows, async {rows[1]:,}"
        return [reason for reason in (found, counted) if reason]

    return _look_again(look, len(queries))


def _look_again(look: Callable[[], list[str]], number: int) -> tuple[str, ...]:
    reasons: list[str] = []
    for _ in range(ATTEMPTS):
        try:
            reasons = look()
        except Exception as error:  # noqa: BLE001 - whatever a store or the server says
            logger.warning("Sync and async answers could not be held against each other: %s", error)
            return ()
        if not reasons:
            logger.info("Sync and async give the same answers to %d queries", number)
            return ()
    for reason in reasons:
        logger.warning("No comparison will be valid: %s", reason)
    return tuple(reasons)
