"""The RAG path is calibrated by real runs: bare loops beside the tool, and outcomes that equal the server's counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadgen.calibrate.rag.driver import COLLECTION, FIGURES, RagDriver
from loadgen.calibrate.rag.plan import make_plan
from loadgen.llm_server import Behaviour
from loadgen.measure.sample import Mode, Outcome
from tests.integration.plain_clients import client_of
from tests.integration.test_calibrate import forked

__all__ = ["forked"]
FAST = Behaviour.parse({"first_token": "20ms", "inter_token": "2ms", "tokens": 8})


@pytest.fixture
def driver(lite_uri: str, tmp_path: Path) -> Iterator[RagDriver]:
    yield RagDriver(lite_uri, tmp_path)
    with client_of(lite_uri) as client:
        client.drop_collection(COLLECTION)


@pytest.mark.usefixtures("forked")
def test_bare_loops_beside_the_tool_measure_the_same_asks_and_outcomes_are_those_of_the_server(
    driver: RagDriver,
) -> None:
    bare, _, faulty = make_plan(0.7)
    pairs, outcomes = driver.run(replace(bare, behaviour=FAST, levels=(2,), rounds=1))
    assert {(pair.mode, pair.users) for pair in pairs} == {(mode, 2) for mode in Mode}
    for pair in pairs:
        for side in (pair.tool, pair.other):
            assert side.asks > 0
            assert set(side.times) == set(FIGURES)
            assert side.times["first_token"].get_total_count() == side.asks
            assert side.times["inter_token"].get_total_count() == 7 * side.asks
            assert side.times["first_token"].get_min_value() >= 20_000 * 0.999
            assert side.times["total"].get_min_value() >= 34_000 * 0.999
        assert (pair.late or 0) > 0
    assert set(outcomes.reported) == {Outcome.OK}
    none, ended = driver.run(faulty)
    assert none == []
    assert ended.reported == ended.counted
    assert ended.reported.keys() == {Outcome.OK, Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.FAILED}
