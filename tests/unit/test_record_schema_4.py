"""Records of schema 4 are read as those of today."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.measure.sample import Outcome
from loadgen.results.record import SCHEMA_VERSION, read_record, write_record
from tests.unit.record_support import comparison, phase, record
from tests.unit.test_record_writing import error_of


def strip_schema_5(values: dict[str, Any]) -> None:
    """Take out the keys that schema 5 has added."""
    del values["task_errors_outside"], values["planned_phases"], values["incomplete"]
    del values["manifest"]["shared_with"]
    for one in values["phases"]:
        del one["task_errors"], one["users_gone"], one["generator"]["watched_share"]


def unslice(values: dict[str, Any]) -> None:
    """Before schema 6, an operation without slices had an empty list."""
    for part in [part for one in values["phases"] for part in one["operations"]]:
        part["slices"] = part["slices"] or []


def as_schema_4(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A record file as version 4 wrote it, and its values."""
    given = record(phase("sync"), phase("async"), comparisons=(comparison(),))
    path = write_record(folder, given)
    values: dict[str, Any] = json.loads(given.model_dump_json())  # the file omits what follows from other keys
    strip_schema_5(values)
    unslice(values)
    values["schema_version"] = 4
    path.write_text(json.dumps(values))
    return path, values


def test_a_record_of_schema_4_is_read_with_nothing_in_the_keys_that_came_later(tmp_path: Path) -> None:
    path, values = as_schema_4(tmp_path)
    record = read_record(path)
    assert record.schema_version == SCHEMA_VERSION
    assert record.task_errors_outside == ()
    assert [(one.task_errors, one.generator.watched_share) for one in record.phases] == [((), None)] * 2
    assert not any(one.generator.is_unwatched for one in record.phases), "not measured is no fault"
    assert (record.planned_phases, record.incomplete, record.manifest.shared_with) == (None, None, None)
    written = json.loads(record.model_dump_json())
    strip_schema_5(written)
    unslice(written)
    assert written | {"schema_version": 4} == values, "nothing else has changed"
    assert json.loads(path.read_text())["schema_version"] == 4, "the file is left alone"


def test_the_slices_of_a_record_of_schema_4_keep_their_times(tmp_path: Path) -> None:
    """Bucket i of schema 4 began at 1e-6 x 1.02^i seconds."""
    path, values = as_schema_4(tmp_path)
    old = {0: 1e-6, 465: 0.01, 698: 1.0, 1020: 590.0}
    values["phases"][0]["operations"][0]["slices"] = [
        {"seconds": 1.0, "operations": 10, "times": " ".join(f"{number}:{number + 1}" for number in old)},
        {"seconds": 1.0, "operations": 0, "times": ""},
    ]
    path.write_text(json.dumps(values))
    slices = read_record(path).phases[0].operations[0].slices
    assert slices is not None
    full, empty = slices.table.pieces
    result = full.buckets
    assert list(result.values()) == [number + 1 for number in old]
    for lowest, seconds in zip(result, old.values(), strict=True):
        assert lowest / 1e6 == pytest.approx(seconds, rel=0.03)
    assert empty.times.is_empty


def test_times_of_a_few_microseconds_in_a_record_of_schema_4_are_all_kept(tmp_path: Path) -> None:
    """There, schema 4 had several buckets for each microsecond."""
    path, values = as_schema_4(tmp_path)
    times = " ".join(f"{number}:1" for number in range(200))
    values["phases"][0]["operations"][0]["slices"] = [{"seconds": 1.0, "operations": 200, "times": times}]
    path.write_text(json.dumps(values))
    slices = read_record(path).phases[0].operations[0].slices
    assert slices is not None
    assert slices.table.counts.sum() == 200


def test_slices_of_schema_4_that_are_none_are_refused_immediately(tmp_path: Path) -> None:
    """Where a number may end anywhere between two colons, looking for the place takes 3^60 steps."""
    path, values = as_schema_4(tmp_path)
    for hostile in ("1:" + "1111:" * 60 + "x", "500:99999999999"):
        values["phases"][0]["operations"][0]["slices"] = [{"seconds": 1.0, "operations": 1, "times": hostile}]
        path.write_text(json.dumps(values))
        assert "slices" in error_of(path)


@pytest.mark.parametrize("phases", [None, 3, [3], [{}], [{"generator": []}], {"0": {}}])
def test_what_is_no_whole_record_of_schema_4_is_told_as_any_other(phases: object, tmp_path: Path) -> None:
    path, values = as_schema_4(tmp_path)
    path.write_text(json.dumps(values | {"phases": phases}))
    reported = error_of(path)
    assert reported.startswith("is not a complete run record: phases")


def test_a_key_that_schema_4_did_not_have_is_not_thrown_away(tmp_path: Path) -> None:
    path, values = as_schema_4(tmp_path)
    path.write_text(json.dumps(values | {"task_errors_outside": [{"mode": "sync"}]}))
    assert "task_errors_outside[0].error is missing" in error_of(path)


def test_what_schema_4_counted_outside_of_phases_is_of_the_variant_of_its_mode(tmp_path: Path) -> None:
    path, values = as_schema_4(tmp_path)
    outside = [{"mode": "async", "operation": "search", "outcomes": {"ok": 7}}]
    path.write_text(json.dumps(values | {"outside": outside}))
    (result,) = read_record(path).outside
    assert (result.variant, result.operation, result.totals) == ("async", "search", {Outcome.OK: 7})
