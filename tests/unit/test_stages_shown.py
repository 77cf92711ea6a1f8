"""Stages of the client are declared, required and shown where they are measured."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from loadgen.locust_plugin.preparation.run_plan import operations_of, staged_of
from loadgen.measure.sample import Mode
from loadgen.reports.stage_order import in_order
from loadgen.results.record import ServerRecord
from loadgen.results.verdict.explaining import explain
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.rag_record_support import spread
from tests.unit.record_support import phase, record, timed
from tests.unit.test_requirement_checks import Plain, faults

STAGED: dict[str, Any] = {"variants": ["sync", "sync connections=2 stages=on"]}


def declared(**given: Any) -> dict[str, tuple[str, ...]]:
    settings = Settings.parse(given)
    (result,) = operations_of([Plain], staged=staged_of(settings)).values()
    return {one.name: one.stages for one in result}


def test_stages_are_declared_if_a_variant_measures_them() -> None:
    assert declared() == {"search": ()}
    assert declared(**STAGED) == {"search": ("prepare", "rpc", "decode")}
    is_open = {"arrival": "poisson", "rate": "5"}
    assert declared(stages=True, **is_open) == {"search": ("queue", "prepare", "rpc", "decode")}


def test_a_stage_may_be_required_if_it_is_measured() -> None:
    assert faults("search rpc p99 < 5 ms", mode="sync", stages=True) == []
    assert faults("search sync rpc p99 < 5 ms", **STAGED) == []
    (reported,) = faults("search rpc p99 < 5 ms", mode="sync")
    assert reported.endswith("nor a stage of search. Add --stages.")
    (reported,) = faults("search queue p99 < 5 ms", mode="sync", stages=True)
    assert reported.endswith("nor a stage of search. Only a run with --arrival has it.")


def test_the_rag_path_has_its_own() -> None:
    with pytest.raises(SettingsError, match="--stages: is not possible with --client rag"):
        Settings.parse({"client": "rag", "stages": True})


def server(**given: Any) -> ServerRecord:
    unknown = dict.fromkeys(ServerRecord.model_fields)
    counts = {"seconds": 10.0, "searches": 100, "inserts": 0, "failed_requests": 0, "rate_limited_requests": 0}
    return ServerRecord.model_validate(unknown | counts | given)


TIMES = {"queue": 0.0011, "prepare": 0.0006, "rpc": 0.0059, "decode": 0.0016}


def sentences(stages: Collection[str] = tuple(TIMES), **given: Any) -> Iterator[str]:
    shown = {stage: spread([seconds]) for stage, seconds in TIMES.items() if stage in stages}
    return (
        line
        for mode in Mode
        for line in explain(record(phase(mode.value, 8, timed([10.0], 0.0092, stages=shown), **given))).findings
        if line.startswith("A search")
    )


def test_one_sentence_says_where_a_search_spent_its_time() -> None:
    head = "A search at 8 users took 9.2 ms with"
    sync, looping = sentences(server=server(search_seconds=0.0048))
    parts = "network and server (4.8 ms of them by Milvus's own clock), 1.6 ms decode."
    assert sync == f"{head} sync on average: 1.1 ms queue, 0.6 ms prepare, 5.9 ms {parts}"
    assert "5.9 ms network, server and event loop (4.8 ms of them" in looping
    sync, _ = sentences(server=server(search_seconds=0.0048, search_wait_seconds=0.003))
    assert "server (4.8 ms of them by Milvus's own clock: 3 ms waiting for query nodes), 1.6 ms" in sync
    sync, _ = sentences()
    assert sync.endswith("0.6 ms prepare, 5.9 ms network and server, 1.6 ms decode.")


def test_without_stages_it_says_what_the_server_measured() -> None:
    given = server(search_seconds=0.0048, search_queue_seconds=0.001)
    sync, _ = sentences(server=given, stages=())
    own = "4.8 ms of them by Milvus's own clock (1 ms in its queue)"
    assert sync == f"A search at 8 users took 9.2 ms with sync on average, {own}."
    assert list(sentences(stages=())) == []


def test_tables_have_stages_in_the_order_in_which_they_happen() -> None:
    assert in_order(["decode", "rpc", "queue", "prepare"]) == ["queue", "prepare", "rpc", "decode"]
