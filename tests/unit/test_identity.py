"""What a process says of itself when it joins a master."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen import __version__
from loadgen.control.agents import find_mismatch
from loadgen.control.messages import Hello, Report, decode
from loadgen.locust_plugin.coordination import identity
from loadgen.locust_plugin.coordination.identity import fingerprint, introduce
from loadgen.locust_plugin.coordination.worker import WorkerSide

MASTER = Hello("0.1.0", "one locustfile", "key")


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_same_texts_have_the_same_fingerprint_wherever_the_files_are_and_in_whatever_order(tmp_path: Path) -> None:
    one = [write(tmp_path / "here" / "search.py", "a = 1\n"), write(tmp_path / "here" / "insert.py", "b = 2\n")]
    other = [write(tmp_path / "there" / "x1.py", "b = 2\n"), write(tmp_path / "there" / "x0.py", "a = 1\n")]
    assert fingerprint(one) == fingerprint(other) == fingerprint(reversed(one))
    assert len(fingerprint(one)) == 16


def test_another_text_or_another_file_is_another_fingerprint(tmp_path: Path) -> None:
    one = write(tmp_path / "one.py", "a = 1\n")
    same = fingerprint([one])
    other = write(tmp_path / "other.py", "a = 2\n")
    assert len({same, fingerprint([other]), fingerprint([one, other]), fingerprint([])}) == 4
    assert fingerprint([write(tmp_path / "ab.py", "ab")]) != fingerprint(
        [write(tmp_path / "a.py", "a"), write(tmp_path / "b.py", "b")]
    )


def test_a_folder_is_all_its_python_files(tmp_path: Path) -> None:
    files = [write(tmp_path / "folder" / "x.py", "a = 1\n"), write(tmp_path / "folder" / "deep" / "y.py", "b = 2\n")]
    write(tmp_path / "folder" / "notes.txt", "not these")
    assert fingerprint([str(tmp_path / "folder")]) == fingerprint(files)
    write(tmp_path / "folder" / "deep" / "y.py", "b = 3\n")
    assert fingerprint([str(tmp_path / "folder")]) != fingerprint([files[0]])


def test_a_file_that_is_gone_or_no_text_is_no_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_bytes(b"\xff\xfe a")
    assert fingerprint([str(broken)]) != fingerprint([str(tmp_path / "gone.py")]) == fingerprint([])


@pytest.mark.parametrize(
    ("is_worker", "by_master", "has_key"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_a_worker_names_the_master_that_has_forked_it(
    monkeypatch: pytest.MonkeyPatch, is_worker: bool, by_master: bool, has_key: bool
) -> None:
    monkeypatch.setattr(identity, "forked_by_master", by_master)
    hello = introduce([__file__], is_worker=is_worker)
    assert hello == Hello(__version__, fingerprint([__file__]), identity.KEY if has_key else "")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Hello("0.1.0", "one locustfile"), ""),
        (Hello("0.1.0", "one locustfile", "key"), ""),
        (Hello("0.1.0", "one locustfile", "other key"), "another master on its machine has forked it, and is gone"),
        (Hello("0.2.0", "one locustfile"), "it runs milvus-loadgen 0.2.0, this master 0.1.0"),
        (Hello("0.1.0", "another"), "it runs another locustfile than this master"),
        (Hello("0.2.0", "another", "other key"), "another master on its machine has forked it, and is gone"),
    ],
)
def test_who_belongs_to_a_master(other: Hello, reason: str) -> None:
    assert find_mismatch(MASTER, other) == reason


def test_a_worker_greets_with_its_reports_until_it_is_prepared() -> None:
    side = WorkerSide.__new__(WorkerSide)
    side._hello = Hello("0.1.0", "one locustfile")
    said = []
    for run_id in ("", "one"):
        agent = SimpleNamespace(run_id=run_id, report=lambda: Report("one", 1, {"windows": []}))
        side._agent = agent  # type: ignore[assignment]
        data: dict[str, Any] = {}
        side._on_report(data)
        said.append(decode(data["loadgen"]))
    assert said == [Hello("0.1.0", "one locustfile"), Report("one", 1, {"windows": []})]
