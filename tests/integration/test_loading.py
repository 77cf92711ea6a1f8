"""After loading, segments are merged, counted and kept in the record, as far as the server can."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadgen.datasets import open_dataset
from loadgen.milvus.store import Compaction, prepare, recount_segments
from loadgen.milvus.store.collection import Collection
from loadgen.milvus.store.lease import Lease
from loadgen.milvus.store.manifest import COMPACTION_KEY
from loadgen.results.record import CollectionRecord, read_record
from loadgen.settings.model import Settings
from tests.integration.locust_command import SMALL, Run, run_locust
from tests.integration.store_support import client_of, prepare_for, settings_for

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.8", "--warmup-seconds", "0.2")


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


def drop(uri: str, *names: str) -> None:
    with client_of(uri) as client:
        for name in names:
            client.drop_collection(name)


def test_segments_are_merged_before_a_run_and_not_where_that_is_not_wanted(milvus_uri: str) -> None:
    settings = settings_for(milvus_uri, "loading_merged", rows=200)
    prepare_for(settings)
    with client_of(milvus_uri) as client:
        fields = ("id", "doc_id", "text", "embedding")
        (row,) = client.query("loading_merged", filter="", limit=1, output_fields=list(fields))
        for number in range(4):
            client.insert("loading_merged", [{**row, "id": f"more{number}"}])
            client.flush("loading_merged")
    with Collection(settings, limit=60.0) as collection:
        collection.settle(204, Compaction.NOT_AWAITED)
        assert str(collection.compaction) == "not awaited"
        scattered = collection.segments_loaded
        assert scattered is not None
        collection.settle(204)
        assert str(collection.compaction) == "completed"
        assert collection.segments_loaded is not None
        merged = collection.count_segments()
        assert merged is not None
        assert merged < max(scattered, 2) <= 5
        assert collection.count() == 204
    assert recount_segments(settings, ["loading_merged", "absent"]) == {"loading_merged": merged, "absent": None}
    drop(milvus_uri, "loading_merged")


def test_the_record_has_the_segments_of_every_collection(milvus_uri: str, tmp_path: Path) -> None:
    variants = "hnsw: async; flat: async index-type=FLAT"
    flags = ("--host", milvus_uri, "--collection", "loading_record", "--variants", variants)
    run_waiting(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    found = collections_of(tmp_path / "a")
    assert [one.name for one in found] == ["loading_record", "loading_record_flat"]
    for one in found:
        assert one.compaction == "completed"
        assert [one.segments_loaded, one.segments_before, one.segments_after] == [1, 1, 1]
    run_waiting(tmp_path / "b", *SMALL, *BRIEF, *flags).assert_good()
    for one in collections_of(tmp_path / "b"):
        assert (one.compaction, one.segments_loaded) == ("not needed", None), "they were found ready"
        assert (one.segments_before, one.segments_after) == (1, 1)
    run_waiting(tmp_path / "c", *SMALL, *BRIEF, *flags, "--fresh", "--no-wait-compaction").assert_good()
    assert {one.compaction for one in collections_of(tmp_path / "c")} == {"not awaited"}
    drop(milvus_uri, "loading_record", "loading_record_flat")


def test_a_run_compacts_what_an_earlier_one_left_uncompacted(milvus_uri: str, tmp_path: Path) -> None:
    flags = ("--host", milvus_uri, "--collection", "loading_later")
    for folder, more, expected in (
        ("a", ["--no-wait-compaction"], "not awaited"),
        ("b", ["--no-wait-compaction"], "not awaited"),
        ("c", [], "completed"),
        ("d", [], "not needed"),
        ("e", ["--no-wait-compaction"], "not needed"),
    ):
        run_waiting(tmp_path / folder, *SMALL, *BRIEF, *flags, *more).assert_good()
        assert [one.compaction for one in collections_of(tmp_path / folder)] == [expected], folder
    drop(milvus_uri, "loading_later")


def test_a_collection_searched_by_others_is_not_compacted_and_nobody_says_it_was(milvus_uri: str) -> None:
    first = settings_for(milvus_uri, "loading_shared", no_wait_compaction=True)
    second = settings_for(milvus_uri, "loading_shared")
    with leased(first) as one, leased(second) as two:
        assert prepare(first, open_dataset(first), print, None, one).compaction == "not awaited"
        found = prepare(second, open_dataset(second), print, None, two)
        assert (found.reused, found.compaction) == (True, "unknown")
    with leased(second) as alone:
        found = prepare(second, open_dataset(second), print, None, alone)
        assert (found.reused, found.compaction) == (True, "completed")
    drop(milvus_uri, "loading_shared")


def test_a_collection_that_could_not_be_compacted_is_compacted_by_a_run_that_can(milvus_uri: str) -> None:
    settings = settings_for(milvus_uri, "loading_denied")
    assert prepare_for(settings).compaction == "completed"
    with client_of(milvus_uri) as client:
        found = client.describe_collection("loading_denied")["properties"]
        assert found[COMPACTION_KEY] == "completed"
        client.alter_collection_properties("loading_denied", properties={COMPACTION_KEY: "not permitted"})
        assert client.describe_collection("loading_denied")["properties"] == found | {COMPACTION_KEY: "not permitted"}
    assert prepare_for(settings).compaction == "completed"
    drop(milvus_uri, "loading_denied")


def test_milvus_lite_neither_compacts_nor_reports_segments_and_the_record_says_so(
    lite_uri: str, tmp_path: Path
) -> None:
    run = run_waiting(tmp_path, *SMALL, *BRIEF, "--host", lite_uri, "--collection", "loading_lite")
    run.assert_good()
    (found,) = collections_of(tmp_path)
    expected: dict[str, Any] = {"name": "loading_lite", "compaction": "not supported"}
    expected |= dict.fromkeys(("segments_loaded", "segments_before", "segments_after"))
    assert json.loads(found.model_dump_json()) == expected
    drop(lite_uri, "loading_lite")


def test_an_existing_collection_is_counted_and_not_compacted(milvus_uri: str, tmp_path: Path) -> None:
    flags = ("--host", milvus_uri, "--collection", "loading_existing")
    run_waiting(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    run_waiting(tmp_path / "b", *BRIEF, *flags, "--existing", "--queries", "50").assert_good()
    (found,) = collections_of(tmp_path / "b")
    assert (found.name, found.compaction) == ("loading_existing", "not needed")
    assert (found.segments_loaded, found.segments_before, found.segments_after) == (None, 1, 1)
    drop(milvus_uri, "loading_existing")
