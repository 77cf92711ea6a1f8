"""After loading, segments are merged, counted and kept in the record, as far as the server can."""

import json
from pathlib import Path
from typing import Any

from loadgen.milvus.store import Compaction, recount_segments
from loadgen.milvus.store.collection import Collection
from loadgen.results.record import CollectionRecord, read_record
from tests.integration.locust_command import SMALL, run_locust
from tests.integration.store_support import client_of, prepare_for, settings_for

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.8", "--warmup-seconds", "0.2")


def collections_of(folder: Path) -> tuple[CollectionRecord, ...]:
    (path,) = (folder / "runs").glob("[!.]*.json")
    return read_record(path).manifest.collections


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
    run_locust(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    found = collections_of(tmp_path / "a")
    assert [one.name for one in found] == ["loading_record", "loading_record_flat"]
    for one in found:
        assert one.compaction == "completed"
        assert [one.segments_loaded, one.segments_before, one.segments_after] == [1, 1, 1]
    run_locust(tmp_path / "b", *SMALL, *BRIEF, *flags).assert_good()
    for one in collections_of(tmp_path / "b"):
        assert (one.compaction, one.segments_loaded) == ("not needed", None), "they were found ready"
        assert (one.segments_before, one.segments_after) == (1, 1)
    run_locust(tmp_path / "c", *SMALL, *BRIEF, *flags, "--fresh", "--no-wait-compaction").assert_good()
    assert {one.compaction for one in collections_of(tmp_path / "c")} == {"not awaited"}
    drop(milvus_uri, "loading_record", "loading_record_flat")


def test_milvus_lite_neither_compacts_nor_reports_segments_and_the_record_says_so(
    lite_uri: str, tmp_path: Path
) -> None:
    run = run_locust(tmp_path, *SMALL, *BRIEF, "--host", lite_uri, "--collection", "loading_lite")
    run.assert_good()
    (found,) = collections_of(tmp_path)
    expected: dict[str, Any] = {"name": "loading_lite", "compaction": "not supported"}
    expected |= dict.fromkeys(("segments_loaded", "segments_before", "segments_after"))
    assert json.loads(found.model_dump_json()) == expected
    drop(lite_uri, "loading_lite")


def test_an_existing_collection_is_counted_and_not_compacted(milvus_uri: str, tmp_path: Path) -> None:
    flags = ("--host", milvus_uri, "--collection", "loading_existing")
    run_locust(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    run_locust(tmp_path / "b", *BRIEF, *flags, "--existing", "--queries", "50").assert_good()
    (found,) = collections_of(tmp_path / "b")
    assert (found.name, found.compaction) == ("loading_existing", "not needed")
    assert (found.segments_loaded, found.segments_before, found.segments_after) == (None, 1, 1)
    drop(milvus_uri, "loading_existing")
