"""The file that tells Prometheus on this machine which processes to scrape."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadgen.exporters import Targets
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

ENTER = """
import sys
from pathlib import Path
from loadgen.exporters import Targets
Targets(Path(sys.argv[1])).add(sys.argv[2], "worker")
print("there", flush=True)
sys.stdin.read()
"""


def read(path: Path) -> list[tuple[str, str]]:
    result: list[Any] = json.loads(path.read_text())
    return [(entry["targets"][0], entry["labels"]["role"]) for entry in result]


def test_processes_enter_and_leave_one_file_and_one_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    mine = Targets(path)
    mine.add("127.0.0.1:1", "master")
    command = [sys.executable, "-c", ENTER, str(path)]
    others = [
        subprocess.Popen([*command, f"127.0.0.1:{port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for port in (2, 3)
    ]
    for other in others:
        assert other.stdout
        assert other.stdout.readline() == "there\n"
    assert sorted(read(path)) == [("127.0.0.1:1", "master"), ("127.0.0.1:2", "worker"), ("127.0.0.1:3", "worker")]
    for other in others:
        other.kill()
        other.communicate()
    mine.remove()
    assert read(path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["targets.json"], "nothing else is left"


def test_an_entry_that_somebody_else_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text(json.dumps([{"targets": ["127.0.0.1:9091"], "labels": {"role": "milvus"}}]))
    mine = Targets(path)
    mine.add("127.0.0.1:1", "local")
    mine.add("127.0.0.1:4", "local")
    assert read(path) == [("127.0.0.1:9091", "milvus"), ("127.0.0.1:4", "local")], "one entry for each process"
    mine.remove()
    assert read(path) == [("127.0.0.1:9091", "milvus")]


@pytest.mark.parametrize(
    "identity", [f"{os.getpid()}-1.00", "999999999-1.00", "nonsense"], ids=["again", "gone", "nonsense"]
)
def test_an_entry_of_a_process_that_is_gone_is_removed_also_where_its_id_is_used_again(
    tmp_path: Path, identity: str
) -> None:
    path = tmp_path / "targets.json"
    labels = {"role": "worker", "__loadgen_process": identity}
    path.write_text(json.dumps([{"targets": ["127.0.0.1:9"], "labels": labels}]))
    Targets(path).add("127.0.0.1:1", "local")
    assert read(path) == [("127.0.0.1:1", "local")]


@pytest.mark.parametrize("text", ["", "{", "null", '["x", {"labels": 3}]'], ids=["empty", "cut", "null", "strange"])
def test_a_broken_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "targets.json"
    path.write_text(text)
    Targets(path).add("127.0.0.1:1", "local")
    assert json.loads(path.read_text())[-1]["targets"] == ["127.0.0.1:1"]


@pytest.mark.parametrize(
    ("given", "expected"), [("0", 0), ("9700", 9700), (" OFF ", "off"), (False, "off"), ("False", "off")]
)
def test_a_port_is_a_number_or_off(given: object, expected: object) -> None:
    assert Settings.parse({"metrics_port": given}).metrics_port == expected


@pytest.mark.parametrize("given", ["-1", "65536", "http", "9646,9647", ""])
def test_another_port_is_refused_with_the_way_out(given: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.parse({"metrics_port": given})
    (fault,) = raised.value.faults
    assert str(fault).startswith(f"--metrics-port{' ' + given if given else ''}: is neither a port up to 65535 nor off")
    assert "Give a port, 0 or off" in str(fault)


def test_a_file_of_targets_that_prometheus_would_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.parse({"metrics_targets": str(tmp_path / "no" / "targets.txt"), "metrics_port": "off"})
    assert [fault.problem for fault in raised.value.faults] == [
        "has no effect with --metrics-port off",
        "does not end with .json",
        "is in a missing folder",
    ]
    assert Settings.parse({"metrics_targets": str(tmp_path / "targets.json")}).metrics_port == 9646
