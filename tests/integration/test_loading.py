"""After loading, segments are merged, counted and kept in the record, as far as the server can."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadgen.datasets import open_dataset
from loadgen.milvus.server import start_server
from loadgen.milvus.store import Compaction, prepare, recount_segments
from loadgen.milvus.store.collection import Collection
from loadgen.milvus.store.compacting import describe_others
from loadgen.milvus.store.lease import Lease
from loadgen.milvus.store.manifest import COMPACTION_KEY
from loadgen.results.record import CollectionRecord, read_record
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, Run, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import drop, prepare_for, settings_for

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1")


def run_waiting(folder: Path, *flags: str) -> Run:
    """A run that awaits the compaction, unless its flags say otherwise; those of other tests do not."""
    return run_locust(folder, *flags, LOADGEN_NO_WAIT_COMPACTION="false")


def collections_of(folder: Path) -> tuple[CollectionRecord, ...]:
    (path,) = (folder / "runs").glob("[!.]*.json")
    return read_record(path).manifest.collections


@contextlib.contextmanager
def leased(settings: Settings) -> Iterator[Lease]:
    lease = Lease(settings, "searches", print)
    try:
        yield lease
    finally:
        lease.release()


@pytest.fixture(scope="module")
def own_milvus() -> Iterator[str]:
    """A server without the collections of other tests, all of which Milvus 2.3 would compact.

    It compacts nothing by itself: what a test scatters must not be merged before the run that is to merge it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATACOORD_COMPACTION_ENABLEAUTOCOMPACTION", "false")
        server = start_server("milvus", tell=print)
    yield server.uri
    server.stop()


def scatter(settings: Settings, number: int = 4) -> None:
    """Write some rows of a collection anew, each into a segment of its own."""
    with client_of(settings.host) as client:
        rows = client.query(settings.collection, filter="", limit=number, output_fields=["*"])
        for row in rows:
            client.delete(settings.collection, ids=[row["id"]])
            client.insert(settings.collection, [row])
            client.flush(settings.collection)


def test_segments_are_merged_before_a_run_and_not_where_that_is_not_wanted(own_milvus: str) -> None:
    settings = settings_for(own_milvus, "loading_merged", rows=200)
    prepare_for(settings)
    scatter(settings)
    reported: list[str] = []
    with Collection(settings, limit=60.0, tell=reported.append) as collection:
        collection.settle(200, Compaction.NOT_AWAITED)
        assert str(collection.compaction) == "not awaited"
        scattered = collection.segments_loaded
        assert scattered is not None
        collection.settle(200)
        assert str(collection.compaction) == "completed"
        assert collection.segments_loaded is not None
        merged = collection.count_segments()
        assert merged is not None
        assert merged < max(scattered, 2) <= 5
        assert collection.count() == 200
        assert reported == [], "no other collection is compacted"
        while merged > 1:  # the segments with deleted rows come first, alone
            collection.settle(200)
            assert collection.count_segments() < merged  # type: ignore[operator]
            merged -= 1
        collection.settle(200)
        assert str(collection.compaction) == "not needed", "there is one segment, and nothing to merge"
    assert recount_segments(settings, ["loading_merged", "absent"]) == {"loading_merged": 1, "absent": None}
    drop(own_milvus, "loading_merged")


def test_the_record_has_the_segments_of_every_collection(own_milvus: str, tmp_path: Path) -> None:
    variants = "hnsw: async; flat: async index-type=FLAT"
    flags = ("--host", own_milvus, "--collection", "loading_record", "--variants", variants)
    run_waiting(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    result = collections_of(tmp_path / "a")
    assert [one.name for one in result] == ["loading_record", "loading_record_flat"]
    for one in result:
        assert one.compaction == "not needed", "one segment is nothing to merge"
        assert [one.segments_loaded, one.segments_before, one.segments_after] == [1, 1, 1]
    run_waiting(tmp_path / "b", *SMALL, *BRIEF, *flags).assert_good()
    for one in collections_of(tmp_path / "b"):
        assert (one.compaction, one.segments_loaded) == ("not needed", None), "they were ready before"
        assert (one.segments_before, one.segments_after) == (1, 1)
    run_waiting(tmp_path / "c", *SMALL, *BRIEF, *flags, "--fresh", "--no-wait-compaction").assert_good()
    assert {one.compaction for one in collections_of(tmp_path / "c")} == {"not awaited"}
    drop(own_milvus, "loading_record", "loading_record_flat")


def test_a_run_compacts_what_an_earlier_one_left_uncompacted(own_milvus: str, tmp_path: Path) -> None:
    flags = ("--host", own_milvus, "--collection", "loading_later")
    for folder, more, expected in (
        ("a", ["--no-wait-compaction"], "not awaited"),
        ("b", ["--no-wait-compaction"], "not awaited"),
        ("c", [], "completed"),
        ("d", [], "not needed"),
        ("e", ["--no-wait-compaction"], "not needed"),
    ):
        if folder == "c":
            scatter(settings_for(own_milvus, "loading_later"))
        run_waiting(tmp_path / folder, *SMALL, *BRIEF, *flags, *more).assert_good()
        assert [one.compaction for one in collections_of(tmp_path / folder)] == [expected], folder
    drop(own_milvus, "loading_later")


def test_a_collection_searched_by_others_is_not_compacted_and_nobody_says_it_was(own_milvus: str) -> None:
    first = settings_for(own_milvus, "loading_shared", no_wait_compaction=True)
    second = settings_for(own_milvus, "loading_shared")
    with leased(first) as one, leased(second) as two:
        assert prepare(first, open_dataset(first), print, None, one).compaction == "not awaited"
        result = prepare(second, open_dataset(second), print, None, two)
        assert (result.reused, result.compaction) == (True, "unknown")
    scatter(second)
    with leased(second) as alone:
        result = prepare(second, open_dataset(second), print, None, alone)
        assert (result.reused, result.compaction) == (True, "completed")
    drop(own_milvus, "loading_shared")


def test_a_collection_that_could_not_be_compacted_is_compacted_by_a_run_that_can(own_milvus: str) -> None:
    settings = settings_for(own_milvus, "loading_denied")
    assert prepare_for(settings).compaction == "not needed"
    scatter(settings)
    with client_of(own_milvus) as client:
        result = client.describe_collection("loading_denied")["properties"]
        assert result[COMPACTION_KEY] == "not needed"
        client.alter_collection_properties("loading_denied", properties={COMPACTION_KEY: "not permitted"})
        assert client.describe_collection("loading_denied")["properties"] == result | {COMPACTION_KEY: "not permitted"}
    assert prepare_for(settings).compaction == "completed"
    drop(own_milvus, "loading_denied")


def test_a_server_that_compacts_its_other_collections_too_is_named(own_milvus: str) -> None:
    settings = settings_for(own_milvus, "loading_named", rows=200)
    for one in (settings, settings.model_copy(update={"collection": "loading_other"})):
        prepare_for(one)
        scatter(one)
    reported: list[str] = []
    with Collection(settings, limit=60.0, tell=reported.append) as collection:
        collection.settle(200)
        assert str(collection.compaction) == "completed"
    assert reported == [describe_others(1)]
    drop(own_milvus, "loading_named", "loading_other")


def test_milvus_lite_neither_compacts_nor_reports_segments_and_the_record_says_so(
    lite_uri: str, tmp_path: Path
) -> None:
    run = run_waiting(tmp_path, *SMALL, *BRIEF, "--host", lite_uri, "--collection", "loading_lite")
    run.assert_good()
    (result,) = collections_of(tmp_path)
    expected: dict[str, Any] = {"name": "loading_lite", "compaction": "not supported"}
    expected |= dict.fromkeys(("segments_loaded", "segments_before", "segments_after"))
    assert json.loads(result.model_dump_json()) == expected
    drop(lite_uri, "loading_lite")


def test_an_existing_collection_is_counted_and_not_compacted(own_milvus: str, tmp_path: Path) -> None:
    flags = ("--host", own_milvus, "--collection", "loading_existing")
    run_waiting(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    run_waiting(tmp_path / "b", *BRIEF, *flags, "--existing", "--queries", "50").assert_good()
    (result,) = collections_of(tmp_path / "b")
    assert (result.name, result.compaction) == ("loading_existing", "not needed")
    assert (result.segments_loaded, result.segments_before, result.segments_after) == (None, 1, 1)
    drop(own_milvus, "loading_existing")
