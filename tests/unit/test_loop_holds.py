"""How long each stage blocks the event loop: running counts, waiting does not."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from loadgen.clients.rag import steps as steps_module
from loadgen.clients.rag.async_client import AsyncClient
from loadgen.clients.rag.documents import built_in_corpus, make_splitter
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.pipeline import IngestPath, Source, aingest
from loadgen.clients.rag.steps import STEPS, Steps, computing
from loadgen.measure.health import CORE_WAIT_LIMIT, Beat, Health
from loadgen.measure.loop_holds import LoopHolds
from loadgen.measure.sample import Sample
from loadgen.reports.tables import phase_table
from loadgen.results.verdict.generator import say_held
from tests.unit import rag_engine_support
from tests.unit.rag_engine_support import QUESTION, Letters, Scripted, make_engine
from tests.unit.rag_support import CountingEmbedder, MemoryStore, index_of
from tests.unit.record_support import phase, record
from tests.unit.test_exporter import make


class Clock:
    """Advances by what its own thread computes, and by nothing else."""

    def __init__(self) -> None:
        self.now = 0.0
        self._thread = threading.get_ident()

    def __call__(self) -> float:
        return self.now

    def compute(self, seconds: float) -> None:
        if threading.get_ident() == self._thread:
            self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(steps_module, "perf_counter", made)
    return made


def test_steps_count_for_the_stage_that_they_are_in_and_waits_do_not(clock: Clock) -> None:
    loop_holds = LoopHolds()
    steps = Steps(loop_holds, "embed")

    async def work() -> str:
        clock.compute(2)
        await asyncio.sleep(0)  # the other one computes meanwhile
        clock.compute(3)
        steps.enter("retrieve")
        clock.compute(4)
        steps.enter("")
        clock.compute(5)
        return "done"

    async def other() -> None:
        clock.compute(100)

    async def run() -> str:
        done, _ = await asyncio.gather(asyncio.ensure_future(steps.drive(work())), other())
        return done

    assert asyncio.run(run()) == "done"
    assert loop_holds.take() == {"embed": 5.0, "retrieve": 4.0}
    assert loop_holds.take() == {}, "since the last call"
    loop_holds.add("embed", 1.5)
    assert loop_holds.take() == {"embed": 1.5}


def test_what_computes_in_a_task_of_the_operation_counts_once(clock: Clock) -> None:
    loop_holds = LoopHolds()

    async def compute(seconds: float) -> None:
        with computing():
            clock.compute(seconds)

    async def work() -> None:
        await compute(1)
        await asyncio.gather(compute(2), compute(4))

    asyncio.run(_await(Steps(loop_holds, "embed").drive(work())))
    assert loop_holds.take() == {"embed": 7.0}
    asyncio.run(compute(8))
    assert loop_holds.take() == {}, "code outside of an operation has no stage"


async def _await(one: Any) -> Any:
    return await one


def test_errors_and_cancellations_pass_and_end_the_step(clock: Clock) -> None:
    loop_holds = LoopHolds()
    seen: list[str] = []

    async def raise_it() -> None:
        clock.compute(1)
        raise ValueError("mine")

    async def be_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            clock.compute(2)
            seen.append("cancelled")
            raise

    async def run() -> None:
        with pytest.raises(ValueError, match="mine"):
            await Steps(loop_holds, "a").drive(raise_it())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Steps(loop_holds, "b").drive(be_cancelled())
        assert STEPS.get() is None

    asyncio.run(run())
    assert seen == ["cancelled"]
    assert loop_holds.take() == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(("place", "embedding"), [("loop", {"embed": 5.0}), ("threads", {})])
@pytest.mark.parametrize("stream", [False, True])
def test_a_question_embedded_in_the_loop_holds_it_and_on_a_thread_does_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, place: str, embedding: dict[str, float], stream: bool
) -> None:
    monkeypatch.setattr(rag_engine_support, "place_embedder", _placing(place))
    llm = Scripted()
    samples: list[Sample] = []
    engine = make_engine(llm, stream=stream)
    client = AsyncClient(engine, samples.append)
    _slow(monkeypatch, Letters, "embed_queries", clock, 5)
    _slow(monkeypatch, Scripted, "stream_complete" if stream else "complete", clock, 7)
    asyncio.run(client.ask(QUESTION))
    assert samples[0].outcome == "ok"
    assert client.loop_holds.take() == {**embedding, "first_token": 7.0}, "this model computes in the loop"
    _slow(monkeypatch, Letters, "embed_queries", clock, 1)
    asyncio.run(client.retrieve(QUESTION))
    assert client.loop_holds.take() == ({"embed": 6.0} if place == "loop" else {})


def _placing(place: str) -> Callable[..., Any]:
    return lambda embedder, name, _, size: place_embedder(embedder, name, place, size)


def _slow(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, clock: Clock, seconds: float) -> None:
    """Have a method compute for that long, and then do what it does."""
    method = getattr(kind, name)

    def slow(*given: Any, **named: Any) -> Any:
        clock.compute(seconds)
        return method(*given, **named)

    monkeypatch.setattr(kind, name, slow)


@pytest.mark.parametrize(("place", "embedding"), [("loop", {"embed": 8.0}), ("threads", {})])
def test_an_ingest_holds_the_loop_while_it_splits_and_where_it_embeds_there(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, place: str, embedding: dict[str, float]
) -> None:
    store, embedder, loop_holds = MemoryStore(), CountingEmbedder(), LoopHolds()
    embedder.before = lambda: clock.compute(4)
    model = place_embedder(embedder, "m", place, 2)
    path = IngestPath(make_splitter(64, 0), model, index_of(store, model))
    _slow(monkeypatch, type(path.splitter), "_parse_nodes", clock, 3)
    (document,) = built_in_corpus(1, 1).documents
    stages: dict[str, float] = {}
    chunks = asyncio.run(aingest(path, [Source("1", document)], stages, loop_holds))
    assert (len(chunks), len(embedder.calls)) == (4, 2), "two batches, each a task of its own"
    assert loop_holds.take() == {"split": 3.0, **embedding}


def beat(held: dict[str, float], wall: float = 0.1) -> Beat:
    return Beat(1.0, 0.02, wall, 0.001, 0.15, 3, held=held)


def test_shares_are_of_the_time_and_the_worst_process_decides() -> None:
    health = Health()
    for process, beats in (
        ("calm", [{"embed": 0.01}, {}]),
        ("busy", [{"embed": 0.08}, {"embed": 0.04, "split": 0.02}]),
    ):
        for held in beats:
            health.add(beat(held), process)
    assert health.held_ratios == pytest.approx({"embed": 0.6, "split": 0.1})
    merged = Health()
    merged.merge(health.processes["busy"].as_message(), "worker")
    assert merged.held_ratios == pytest.approx({"embed": 0.6, "split": 0.1})
    health.add(beat({"embed": 9.0}), "busy")
    assert health.held_ratios["embed"] == 1.0, "a step that began before the phase"
    assert Health().held_ratios == {}


def test_a_late_event_loop_is_reported_with_the_stage_that_held_it() -> None:
    health = Health()
    for _ in range(4):
        health.add(beat({"embed": 0.05, "first_token": 0.02}))
    (reported,) = health.limits()
    assert reported.startswith("the event loop (held by stage embed for 50% of the time) was 0.15 s late at p99")


def test_stages_that_hold_the_loop_for_long_are_a_warning_and_a_column_of_the_phases() -> None:
    phases = []
    for held in ({"embed": 0.31, "generate": 0.12, "split": 0.005}, {"embed": 0.2}, {"embed": 0.4}, {}):
        one = phase("async")
        phases.append(one.model_copy(update={"generator": one.generator.model_copy(update={"loop_held_ratios": held})}))
    (reported,) = say_held(record(*phases))
    assert "held by stage embed for 31 % of phase 1 and 40 % of phase 3" in reported
    assert reported.endswith("Choose --embed-in batched or threads for a model in this process, or add workers.")
    other = phases[0].generator.model_copy(update={"loop_held_ratios": {"split": 0.6}})
    (reported,) = say_held(record(phases[0].model_copy(update={"generator": other})))
    assert reported.endswith("other operations. Add workers.")
    crowded = other.model_copy(update={"core_wait_ratio": CORE_WAIT_LIMIT})
    (reported,) = say_held(record(phases[0].model_copy(update={"generator": crowded})))
    assert "60 % of phase 1: it computes there, or waits for a core, and" in reported
    assert reported.endswith("Add workers on cores that nothing else uses.")
    table = phase_table(record(*phases))
    cells = [row[table.head.index("loop held by")] for row in table.rows]
    assert cells == ["embed 31 %, generate 12 %", "embed 20 %", "embed 40 %", "-"]


def test_seconds_are_exported_by_stage() -> None:
    exporter, registry = make()
    for held in ({"embed": 0.02}, {}, {"embed": 0.03, "split": 0.01}):
        exporter.beat(beat(held))
    name = "loadgen_loop_held_seconds_total"
    assert registry.get_sample_value(name, {"stage": "embed"}) == pytest.approx(0.05)
    assert registry.get_sample_value(name, {"stage": "split"}) == pytest.approx(0.01)
