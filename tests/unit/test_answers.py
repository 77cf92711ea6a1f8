"""Sync and async are held against each other before they are compared, and the log says with how many queries."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loadgen.clients import Layer
from loadgen.datasets import open_dataset, resolve_settings
from loadgen.locust_plugin.preparation import answers
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.measure.sample import Mode
from loadgen.runtime.loop import LoopThread
from loadgen.settings.model import Settings
from tests.unit.dataset_support import NEIGHBOURS, QUERIES, exact, make_data, write_parts


@pytest.mark.parametrize(("queries", "asked"), [(10, 10), (1_000, 50)])
def test_the_log_says_how_many_queries_were_answered_alike(
    queries: int, asked: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def ask(_store: object, some: list[Any]) -> list[tuple[list[str], list[float]]]:
        seen.append(len(some))
        return [([], [])] * len(some)

    async def aask(store: object, some: list[Any]) -> list[tuple[list[str], list[float]]]:
        return ask(store, some)

    async def acount(_store: object) -> int:
        return 7

    connector: Any = SimpleNamespace(
        make_query=lambda vectors, _settings, _text: vectors[0],
        ask=ask,
        aask=aask,
        count=lambda _store: 7,
        acount=acount,
    )
    layer = Layer((), {}, connector)
    monkeypatch.setattr(answers, "find_difference", lambda _names, _one, _other: None)
    loop = LoopThread()
    with caplog.at_level(logging.INFO, "loadgen"):
        settings = Settings.parse({"queries": queries, "rows": 2_000, "dim": 4})
        variants = {mode.value: VariantSetup(mode, settings, layer, "any") for mode in Mode}
        datasets = {settings.collection: open_dataset(settings)}
        result = answers.compare_variants({"sync": [None], "async": [None]}, loop, variants, datasets)
    loop.stop()
    assert result == {}
    assert seen == [asked, asked]
    assert [one.getMessage() for one in caplog.records] == [f"Sync and async give the same answers to {asked} queries"]


@pytest.mark.parametrize(("turned", "how"), [(0, "from the dataset"), (1, "computed")])
def test_neighbours_of_a_file_are_used_if_they_are_right_and_computed_otherwise(
    turned: int, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_data()
    path = write_parts(tmp_path / "data.hdf5", data._replace(neighbours=np.roll(data.neighbours, turned, axis=0)))
    given = {"dataset": str(path), "cache": str(tmp_path), "metric": "L2"}
    settings = resolve_settings(Settings.parse(given))
    dataset = open_dataset(settings)
    with caplog.at_level(logging.INFO, "loadgen"):
        (result,) = answers.find_ground_truths([settings], dataset)
        (again,) = answers.find_ground_truths([settings], dataset)
    assert [set(result.rows_of(query).tolist()) for query in range(QUERIES)] == exact(data, "L2", 10)
    assert again.rows.tolist() == result.rows.tolist()
    said = [one.getMessage() for one in caplog.records if one.getMessage().startswith("Exact neighbours")]
    assert said == [f"Exact neighbours of {QUERIES} queries: {end}" for end in (how, "read from the cache")]
    (more,) = answers.find_ground_truths([settings.model_copy(update={"top_k": NEIGHBOURS + 5})], dataset)
    assert [set(more.rows_of(query).tolist()) for query in range(QUERIES)] == exact(data, "L2", NEIGHBOURS + 5)
