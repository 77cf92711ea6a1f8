"""The record in object storage: sent on a thread of its own, again after a failure, and missed by the exit code."""

import logging
import threading
from pathlib import Path

import pytest

from loadgen.locust_plugin import record_upload
from loadgen.locust_plugin.record_upload import RecordUpload
from loadgen.results.record import object_store
from loadgen.results.record.object_store import ObjectStoreError, check_installed, describe, probe_store
from loadgen.settings.faults import SettingsError

URL = "s3://bucket/runs"


class FakeStore:
    """Object storage that refuses the first writes."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.objects: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.gate.set()

    def write(self, name: str, content: bytes) -> None:
        assert self.gate.wait(30)
        if self.refusals:
            self.refusals -= 1
            raise ObjectStoreError("Access Denied")
        self.objects[name] = content

    def remove(self, name: str) -> None:
        del self.objects[name]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_upload, "HURRIED_RETRY_SECONDS", 0.0)


def use(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    monkeypatch.setattr(record_upload, "ObjectStore", lambda _url: store)
    monkeypatch.setattr(object_store, "ObjectStore", lambda _url: store)
    monkeypatch.setattr(object_store, "check_installed", lambda _url: None)
    return store


def test_the_latest_state_is_stored_and_those_before_it_may_be_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path = use(FakeStore(), monkeypatch), tmp_path / "one.json"
    upload = RecordUpload(URL)
    store.gate.clear()
    for state in ("1", "2", "3"):
        path.write_text(state)
        upload.store(path)
    assert "one.json cannot be stored in s3://bucket/runs: no answer in time" in upload.problem
    store.gate.set()
    upload.finish(30)
    assert (store.objects, upload.problem) == ({"one.json": b"3"}, "")
    assert upload.tell("one.json") == "Stored: s3://bucket/runs/one.json"
    upload.close()


def test_a_failure_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, path = use(FakeStore(refusals=3), monkeypatch), tmp_path / "one.json"
    path.write_text("1")
    upload = RecordUpload(URL, retry_seconds=0.0)
    with caplog.at_level(logging.INFO, "loadgen"):
        upload.store(path)
        upload.finish(30)
    assert store.objects == {"one.json": b"1"}
    assert [line.getMessage() for line in caplog.records] == [
        "The run record is not stored in s3://bucket/runs: Access Denied. It is tried again",
        "The run record is stored in s3://bucket/runs again",
    ]
    upload.close()


def test_what_cannot_be_stored_is_a_problem_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(FakeStore(refusals=1_000_000), monkeypatch)
    path = tmp_path / "one.json"
    path.write_text("1")
    upload = RecordUpload(URL)
    upload.store(path)
    upload.finish(0.2)
    assert upload.problem == "one.json cannot be stored in s3://bucket/runs: Access Denied"
    assert upload.tell("one.json") == f"Not stored: {upload.problem}"
    upload.close()


def test_without_a_url_nothing_happens(tmp_path: Path) -> None:
    before = threading.active_count()
    upload = RecordUpload("")
    upload.store(tmp_path / "one.json")
    upload.finish(30)
    assert (upload.problem, threading.active_count()) == ("", before)


def test_the_probe_leaves_nothing_behind_and_says_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    store = use(FakeStore(), monkeypatch)
    probe_store(URL)
    assert store.objects == {}
    store.refusals = 1
    with pytest.raises(SettingsError, match=r"--record-url s3://bucket/runs: cannot be written to \(Access Denied\)"):
        probe_store(URL)
    store.gate.clear()
    with pytest.raises(SettingsError, match="has not answered within 0 s"):
        probe_store(URL, seconds=0.0)
    store.gate.set()


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "find_spec", lambda name: None if name == "gcsfs" else object())
    fault = check_installed("gs://bucket")
    assert fault is not None
    assert fault.problem == "needs gcsfs, not installed"
    assert fault.hint == "Install it: pip install 'milvus-loadgen[object-storage]'."
    assert check_installed("s3://bucket") is None


def test_no_secret_of_the_environment_is_in_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    assert describe(OSError("signed with\nwJalrXUtnFEMI: refused")) == "signed with ***: refused"
