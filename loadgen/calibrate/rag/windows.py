"""What runs in the process of a calibrated run: bare loops beside its phases, or phases without stages."""

import json
from collections import Counter
from collections.abc import Awaitable, Coroutine, Mapping
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from loadgen.calibrate.loops import Load, Loops, Parts
from loadgen.calibrate.rag.plan import BARE, MARK, STAGES, TOTAL, has_stages
from loadgen.calibrate.turns import Turns
from loadgen.clients.rag.client import RagClient
from loadgen.clients.rag.stages import FIRST_TOKEN, INTER_TOKEN, QuestionTimer, unwatch_spans, watch_spans
from loadgen.measure.histograms import find_values, make_histogram
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.runtime.hub import run_in_thread

T = TypeVar("T")


def ask(engine: Any, question: str) -> Parts:
    """One question, as the query engine answers it: retrieve, synthesize, read the stream."""
    nodes = engine.query_engine.retrieve(question)
    retrieved = perf_counter()
    answer = engine.query_engine.synthesize(question, nodes)
    return _parts(retrieved, [perf_counter() for part in answer.response_gen if part])


async def aask(engine: Any, question: str) -> Parts:
    """The same as a coroutine."""
    nodes = await engine.query_engine.aretrieve(question)
    retrieved = perf_counter()
    answer = await engine.query_engine.asynthesize(question, nodes)
    return _parts(retrieved, [perf_counter() async for part in answer.response_gen if part])


def _parts(retrieved: float, arrived: list[float]) -> Parts:
    between = [later - sooner for sooner, later in pairwise(arrived)]
    return {FIRST_TOKEN: [arrived[0] - retrieved], INTER_TOKEN: between}


class BareTurns(Turns):
    """Bare loops over the objects that the users share, without the tool's stages."""

    def run_beside(self, phase: Phase) -> None:
        """One window; prints its figures."""
        switch_stages(on=False)
        state = self.process_state
        engine, questions = state.stores[phase.variant][0], state.queries_for(phase.variant)
        load = Load(phase.users, phase.warmup_seconds, phase.seconds)
        if phase.mode is Mode.SYNC:
            loops = Loops(partial(ask, engine), questions, load)
            run_in_thread(loops.run_sync)
        else:
            loops = Loops(partial(aask, engine), questions, load)
            run_in_thread(state.loop.call(loops.run_async()).result)
        switch_stages(on=True)
        print(MARK + json.dumps(describe(phase, loops)), flush=True)  # noqa: T201 - for the process that started this


def describe(phase: Phase, loops: Loops) -> Mapping[str, Any]:
    """Plain values of a bare window."""
    times = {TOTAL: loops.times, **loops.parts}
    result = {name: make_histogram(Counter(find_values(np.array(some)).tolist())) for name, some in times.items()}
    return {
        "mode": phase.mode.value,
        "users": phase.users,
        "seconds": phase.seconds,
        "asks": len(loops.times),
        "times": {name: histogram.encode().decode() for name, histogram in result.items()},
    }


class StageTurns(Turns):
    """Phases with stages and without."""

    def begin(self, phase: Phase) -> list[Any]:
        """Switch them."""
        switch_stages(on=has_stages(phase.number))
        return super().begin(phase)


class Untimed(QuestionTimer):
    """A timer that notes nothing."""

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """The coroutine itself."""
        return coroutine

    def note_token(self) -> None:
        """A token is not noted."""

    def note_search(self, seconds: float) -> None:
        """A search is not noted."""

    def finish(self, *, answered: bool) -> dict[str, float | tuple[float, ...]]:  # noqa: ARG002 - of no interest
        """No stages."""
        return {}


def switch_stages(*, on: bool) -> None:
    """Let the clients of this process measure the stages of questions, or not."""
    RagClient.timer = QuestionTimer if on else Untimed
    (watch_spans if on else unwatch_spans)()


def take_turns(environment: Any, subject: str) -> None:
    """Surround the phases of a run with what is compared with them."""
    kinds: Mapping[str, type[Turns]] = {BARE: BareTurns, STAGES: StageTurns}
    kind = kinds.get(subject, Turns)
    environment.shape_class.surround(lambda conductor: kind(conductor, environment.loadgen))
