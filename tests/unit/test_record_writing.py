"""A record file is complete or absent, and a wrong one gives a clear error."""

import errno
import json
import os
import stat
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from loadgen.measure.sample import Outcome
from loadgen.results.record import SCHEMA_VERSION, RecordError, check_folder, make_folder, read_record, write_record
from loadgen.settings.faults import Fault
from tests.unit.record_support import comparison, operation, phase, record

NAME = "20261122-193000-k3f9.json"


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    given = record(phase("sync"), phase("async", 8, operation(recall=None)), comparisons=(comparison(),))
    path = write_record(tmp_path, given)
    assert path == tmp_path / NAME
    assert read_record(path) == given
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_a_record_is_written_again_after_every_phase(tmp_path: Path) -> None:
    grown = record()
    for mode in ("sync", "async", "async"):
        grown = grown.with_phase(phase(mode))
        write_record(tmp_path, grown)
    assert [each.variant for each in read_record(tmp_path / NAME).phases] == ["sync", "async", "async"]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_crash_before_the_rename_leaves_the_old_file_whole(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = record(phase("sync"))
    write_record(tmp_path, old)
    seen: list[str] = []

    def crash(*_: Any, **__: Any) -> None:
        seen.append((tmp_path / f".{NAME}.tmp").read_text())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, crash)
    with pytest.raises(OSError, match="No space left"):
        write_record(tmp_path, old.with_phase(phase("async")))
    monkeypatch.undo()
    assert [len(json.loads(text)["phases"]) for text in seen] == [2], "the new file was not whole before the rename"
    assert read_record(tmp_path / NAME) == old
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_what_a_killed_run_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.tmp").write_text('{"schema_ver')
    path = write_record(tmp_path, record())
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert read_record(path) == record()


def test_a_record_is_as_readable_as_any_file_of_this_user(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    assert stat.S_IMODE(write_record(tmp_path, record()).stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "runs"
    assert make_folder(folder) is None
    assert list(folder.iterdir()) == []
    assert make_folder(str(folder)) is None


def test_a_look_at_a_folder_makes_nothing(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "deep" / "runs") is None
    assert list(tmp_path.iterdir()) == []
    assert check_folder("runs-that-nobody-made") is None


def test_a_look_finds_a_folder_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root would be let in everywhere.
    monkeypatch.setattr(os, "access", lambda path, how: path != tmp_path or not how & os.W_OK)
    fault = check_folder(tmp_path / "runs")
    assert fault is not None
    assert (fault.setting, fault.problem) == ("record", "cannot be written to (Permission denied)")


@pytest.mark.parametrize("below", ["", "runs"])
@pytest.mark.parametrize("look", [check_folder, make_folder])
def test_a_file_in_the_place_of_the_folder_is_a_fault(
    below: str, look: Callable[[Path], Fault | None], tmp_path: Path
) -> None:
    place = tmp_path / "runs"
    place.touch()
    fault = look(place / below)
    assert fault is not None
    assert str(fault) == (
        f"--record {place / below}: is or lies below a file, not a folder. "
        "Name a writable folder, such as --record runs."
    )


def test_a_folder_that_may_not_be_written_to_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root would be let in everywhere
    fault = make_folder(tmp_path)
    assert fault is not None
    assert (fault.setting, fault.problem) == ("record", "cannot be written to (Permission denied)")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that refuses even root")
@pytest.mark.parametrize("folder", ["/proc", "/proc/runs"])
def test_a_folder_that_takes_no_file_is_a_fault(folder: str) -> None:
    fault = make_folder(folder)
    assert fault is not None
    assert fault.setting == "record"
    assert fault.value == folder
    assert fault.problem.startswith("cannot be written to (")


def error_of(path: Path) -> str:
    with pytest.raises(RecordError) as caught:
        read_record(path)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.json").startswith("does not exist. Give the path of a record")


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    assert error_of(tmp_path) == "cannot be read (Is a directory)."


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": NaN}', "\xff", "[" * 100_000])
def test_what_is_no_json_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(text.encode("latin-1"))
    assert error_of(path).startswith("is not JSON (")


@pytest.mark.parametrize("text", ["[]", "{}", "3", '{"phases": []}'])
def test_json_of_another_kind_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(text)
    assert error_of(path).startswith("is not a run record: it has no key 'schema_version'.")


def changed(folder: Path, **values: Any) -> Path:
    """A record file with other values on top; None removes a key."""
    path = write_record(folder, record(phase("sync", 8, operation(outcomes={Outcome.OK: 1}))))
    old = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in (old | values).items() if value is not None}))
    return path


@pytest.mark.parametrize(
    ("result", "shown"),
    [(1, "1"), (3, "3"), (8, "8"), (0, "0"), ("5", '"5"'), (True, "true"), (4.0, "4.0"), ([], "[]")],
)
def test_another_schema_version_is_told_with_both_versions_and_a_way_out(
    result: object, shown: str, tmp_path: Path
) -> None:
    path = changed(tmp_path, schema_version=result, manifest={"packages": {"milvus-loadgen": "0.9.1"}})
    assert error_of(path) == (
        f"has schema version {shown}, this milvus-loadgen reads versions 4 to 7. "
        "Read it with milvus-loadgen 0.9.1, or measure again."
    )


OWN = version("milvus-loadgen")
"""Between two releases records change, and the number does not."""


@pytest.mark.parametrize("manifest", [{}, [], {"packages": 3}, {"packages": {"milvus-loadgen": OWN}}])
def test_another_schema_version_is_told_also_where_its_writer_is_unknown(manifest: object, tmp_path: Path) -> None:
    reported = error_of(changed(tmp_path, schema_version=SCHEMA_VERSION + 1, manifest=manifest))
    assert reported.endswith("Read it with the milvus-loadgen that wrote it, or measure again.")


def test_missing_wrong_and_unknown_keys_are_told_with_their_places(tmp_path: Path) -> None:
    path = changed(tmp_path, run_id=None, extra=1)
    values = json.loads(path.read_text())
    del values["phases"][0]["operations"][0]["recall"]
    values["phases"][0]["seconds"] = "long"
    path.write_text(json.dumps(values))
    reported = error_of(path)
    assert reported.startswith("is not a complete run record: ")
    assert "run_id is missing" in reported
    assert "phases[0].operations[0].recall is missing" in reported
    assert "phases[0].seconds - Input should be a valid number" in reported
    assert "extra - Extra inputs are not permitted" in reported
    assert "more" not in reported


def test_of_many_mistakes_five_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    reported = error_of(changed(tmp_path, manifest={}))
    assert reported.count("is missing") == 5
    assert "; and 11 more" in reported


def test_a_slice_has_no_bucket_below_a_microsecond(tmp_path: Path) -> None:
    path = write_record(tmp_path, record(phase("sync")))
    values = json.loads(path.read_text())
    values["phases"][0]["operations"][0]["slices"] = [{"seconds": 1.0, "operations": 1, "times": "0:1"}]
    path.write_text(json.dumps(values | {"schema_version": 5}))
    assert "slices" in error_of(path)


@pytest.mark.parametrize("key", ["task_errors_outside", "phases"])
def test_a_record_of_the_present_schema_needs_every_key(key: str, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(phase("sync")))
    values = json.loads(path.read_text())
    del values[key]
    path.write_text(json.dumps(values))
    assert f"{key} is missing" in error_of(path)
