"""Correct answers: exact neighbours computed before a run, and the comparison of variants' answers."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from loadgen.clients.outcomes import describe
from loadgen.datasets import (
    Dataset,
    GroundTruth,
    MatchingRows,
    Narrowings,
    SearchAnswer,
    agrees,
    cached_neighbours,
    count_checked,
    default_folder,
    find_difference,
    find_neighbours,
    find_query_texts,
    name_narrowing,
)
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.measure.sample import Mode
from loadgen.runtime.loop import LoopThread
from loadgen.settings.answers import decides_answers
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import narrows
from loadgen.settings.values import DENSE

COMPARED = 50
"""Queries that two variants must answer alike before they are compared."""
ATTEMPTS = 3
"""A freshly replaced index may change its answers: a difference must persist."""
ANSWER_WITHIN = 120.0

logger = logging.getLogger("loadgen")


def find_ground_truths(settings: Sequence[Settings], dataset: Dataset) -> tuple[GroundTruth, ...]:
    """The exact neighbours of the first queries, for each `top_k` and each narrowing of dense searches; or none.

    From the cache, or computed. Blocks, for 2 x rows x queries x dim floating-point operations each: 10,000 rows take
    about a second, 1,000,000 a minute or two on a few cores.
    """
    checked = [one for one in settings if one.recall_every and one.search_kind == DENSE]
    alike = {(one.top_k, name_narrowing(one)): one for one in reversed(checked)}
    return tuple(_find_ground_truth(one, dataset) for one in alike.values())


def _find_ground_truth(settings: Settings, dataset: Dataset) -> GroundTruth:
    checked = count_checked(settings.queries, settings.top_k)
    made_of: list[object] = [dataset.fingerprint, settings.queries, checked, settings.metric, settings.top_k]
    queries = dataset.queries()[:checked]
    if settings.query_file or dataset.name != SYNTHETIC:
        made_of.append(sha256(queries.tobytes()).hexdigest())
    if narrowing := name_narrowing(settings):
        made_of += [narrowing, settings.seed, *dataset.metadata.identity]
    how = "computed"

    def make() -> GroundTruth:
        nonlocal how
        if narrowing:
            rows = MatchingRows(dataset, Narrowings(settings, dataset).find_matches(checked))
            return find_neighbours(rows, queries, settings.metric, settings.top_k, logger.info)
        known = dataset.known_neighbours(settings.metric, settings.top_k, checked)
        if known is not None and agrees(known, dataset, queries, settings.metric, logger.info):
            how = "from the dataset"
            return known
        return find_neighbours(dataset, queries, settings.metric, settings.top_k, logger.info)

    folder = Path(settings.cache) if settings.cache else default_folder()
    ground_truth, kept = cached_neighbours(folder, made_of, make)
    narrowed = " under their filters or in their partitions" if narrowing else ""
    logger.info("Exact neighbours of %d queries%s: %s", checked, narrowed, "read from the cache" if kept else how)
    return replace(ground_truth, narrowing=narrowing)


def compare_variants(
    stores: Mapping[str, list[Any]],
    loop: LoopThread,
    variants: Mapping[str, VariantSetup],
    datasets: Mapping[str, Dataset],
) -> dict[str, tuple[str, ...]]:
    """Why variants must not be compared, by the name of the second: different answers, or a different number of rows.

    Two must agree if all settings that decide the answers are equal. Blocks. An error is logged and is not a reason:
    failing operations show in the phases.
    """
    result: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    for name, one in variants.items():
        reference = first.setdefault(repr(decides_answers(one.settings)), name)
        if reference != name and (
            reasons := _compare(stores, loop, variants, (reference, name), datasets[one.settings.collection])
        ):
            result[name] = reasons
    return result


def _compare(
    stores: Mapping[str, list[Any]],
    loop: LoopThread,
    variants: Mapping[str, VariantSetup],
    names: tuple[str, str],
    dataset: Dataset,
) -> tuple[str, ...]:
    vectors = dataset.queries()
    chosen = range(len(vectors))[:: max(1, len(vectors) // COMPARED)][:COMPARED]
    texts = find_query_texts(dataset, len(vectors))

    def ask(name: str) -> list[SearchAnswer]:
        one = variants[name]
        connector, store = one.layer.connector, stores[name][0]
        queries = [connector.make_query([vectors[number]], one.settings, texts[number]) for number in chosen]
        if narrows(one.settings):
            narrowings = Narrowings(one.settings, dataset).make()
            pairs = zip(queries, (narrowings[number] for number in chosen), strict=True)
            queries = [connector.narrow_query(*pair) for pair in pairs]
        if one.mode is Mode.SYNC:
            return connector.ask(store, queries)
        return loop.call(connector.aask(store, queries)).result(timeout=ANSWER_WITHIN)

    def count(name: str) -> int:
        connector = variants[name].layer.connector
        if variants[name].mode is Mode.SYNC:
            return connector.count(stores[name][0])
        return loop.call(connector.acount(stores[name][0])).result(timeout=ANSWER_WITHIN)

    def look() -> list[str]:
        one, other = names
        different = find_difference(names, ask(one), ask(other))
        rows = count(one), count(other)
        counted = "" if rows[0] == rows[1] else f"data differs: {one} counts {rows[0]:,} rows, {other} {rows[1]:,}"
        return [reason for reason in (different, counted) if reason]

    return _look_again(look, len(chosen), names)


def _look_again(look: Callable[[], list[str]], number: int, names: tuple[str, str]) -> tuple[str, ...]:
    reasons: list[str] = []
    shown = f"{names[0][:1].upper()}{names[0][1:]} and {names[1]}"
    for _ in range(ATTEMPTS):
        try:
            reasons = look()
        except Exception as error:  # noqa: BLE001 - whatever a store or the server says
            logger.warning("The answers of %s and %s could not be compared: %s", *names, describe(error))
            return ()
        if not reasons:
            logger.info("%s give the same answers to %d queries", shown, number)
            return ()
    for reason in reasons:
        logger.warning("No comparison of them will be valid: %s", reason)
    return tuple(reasons)
