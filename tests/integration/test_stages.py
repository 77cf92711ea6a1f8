"""Stages on a real server: each answered operation of each client and mode has them, and they add up to its time."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadgen.clients import find_layer
from loadgen.datasets import open_dataset
from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.store_stages import STAGES
from loadgen.measure.tracing import Tracer
from loadgen.results.record import OperationRecord, RunRecord, read_record
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.store_support import prepare_for, settings_for

LAYERS = ("llamaindex", "pymilvus", "wire")
BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1", "--stages")


def play(layer_name: str, mode: Mode, uri: str, tracer: Tracer | None = None) -> list[Sample]:
    """Insert, find and delete a row, each as a sample."""
    share = 0.0 if tracer is None else 1.0
    settings = settings_for(uri, "staged_calls", client=layer_name, stages=True, trace_sample=share)
    prepare_for(settings)
    layer = find_layer(layer_name)
    connector, samples = layer.connector, list[Sample]()

    async def run() -> None:
        (store,) = connector.open(settings, mode)
        await connector.awarm([store]) if mode is Mode.ASYNC else connector.warm([store])
        make: Any = layer.clients[mode]
        client = make(store, samples.append)
        client.split_operations()
        client.trace_operations(tracer)
        (row,) = open_dataset(settings.model_copy(update={"seed": 77})).rows(3, 4)
        row = replace(row, row_id=f"{layer_name}{mode}", source=f"{layer_name}{mode}-doc")
        node, probe = connector.make_node(row, settings), connector.make_probe(row, settings)
        for call, argument in ((client.insert, [node]), (client.search, probe), (client.delete, row.source)):
            answer = call(argument)
            if mode is Mode.ASYNC:
                await answer
        await connector.aclose([store]) if mode is Mode.ASYNC else connector.close([store])

    asyncio.run(run())
    return samples


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("layer", LAYERS)
def test_the_stages_of_an_operation_are_its_time(lite_uri: str, layer: str, mode: Mode) -> None:
    samples = play(layer, mode, lite_uri)
    assert [(one.operation, one.outcome) for one in samples] == [
        (name, Outcome.OK) for name in ("insert", "search", "delete")
    ]
    for one in samples:
        seconds = [float(took) for took in one.stages.values() if not isinstance(took, tuple)]
        assert tuple(one.stages) == STAGES
        assert min(seconds) > 0
        assert sum(seconds) == pytest.approx(one.response_seconds, rel=1e-6)


def record_of(folder: Path) -> RunRecord:
    (path,) = (folder / "runs").glob("[!.]*.json")
    return read_record(path)


def check(search: OperationRecord, *stages: str) -> None:
    """Each answered search has these stages, and their means add up to that of the response."""
    counts = {name: decode_histogram(one.histogram).get_total_count() for name, one in search.stages.items()}
    assert set(search.outcomes) == {Outcome.OK}
    assert counts == dict.fromkeys(stages, search.outcomes[Outcome.OK])
    total = sum(one.mean or 0.0 for one in search.stages.values())
    assert total == pytest.approx(search.response_seconds.mean, rel=0.02, abs=0.001)


def test_a_run_has_stages_of_all_clients_in_both_modes(lite_uri: str, tmp_path: Path) -> None:
    variants = "; ".join(f"{layer}/{mode}" for layer in LAYERS for mode in Mode)
    own = ("--host", lite_uri, "--collection", "staged_run", *SMALL, *BRIEF, "--variants", variants)
    require = ("--require", "search async rpc p99 < 100 s; search wire/sync decode p50 < 100 s")
    done = run_locust(tmp_path, *own, *require)
    done.assert_good()
    assert "met: search async rpc p99 < 100 s" in done.out
    assert "network, server and event loop" in done.out + done.err
    record = record_of(tmp_path)
    assert len({phase.variant for phase in record.phases}) == len(LAYERS) * len(Mode)
    for phase in record.phases:
        (search,) = phase.operations
        check(search, *STAGES)


def test_arrivals_have_a_queue(lite_uri: str, tmp_path: Path) -> None:
    own = ("--host", lite_uri, "--collection", "staged_run", *SMALL, "--variants", "wire/async; wire/sync")
    timing = ("--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1", "--stages")
    flags = ("--arrival", "constant", "--rate", "20", "--require", "search queue p50 < 100 s")
    done = run_locust(tmp_path, *own, *timing, *flags)
    done.assert_good()
    for phase in record_of(tmp_path).phases:
        (search,) = phase.operations
        check(search, "queue", *STAGES)
