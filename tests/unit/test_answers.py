"""Sync and async are held against each other before they are compared, and the log says with how many queries."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.clients import Layer
from loadgen.datasets import open_dataset
from loadgen.locust_plugin.preparation import answers
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.measure.sample import Mode
from loadgen.runtime.loop import LoopThread
from loadgen.settings.model import Settings


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
        make_query=lambda vectors, _settings: vectors[0], ask=ask, aask=aask, count=lambda _store: 7, acount=acount
    )
    layer = Layer((), {}, connector)
    monkeypatch.setattr(answers, "find_difference", lambda _names, _one, _other: None)
    loop = LoopThread()
    with caplog.at_level(logging.INFO, "loadgen"):
        settings = Settings.parse({"queries": queries, "rows": 2_000, "dim": 4})
        variants = {mode.value: VariantSetup(mode, settings, layer, "any") for mode in Mode}
        datasets = {settings.collection: open_dataset(settings)}
        found = answers.compare_variants({"sync": [None], "async": [None]}, loop, variants, datasets)
    loop.stop()
    assert found == {}
    assert seen == [asked, asked]
    assert [one.getMessage() for one in caplog.records] == [f"Sync and async give the same answers to {asked} queries"]
