"""Which server is started, by what command, with what configuration."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from loadgen.milvus.server import standalone
from loadgen.milvus.server.errors import RefusedError
from loadgen.milvus.server.folder import open_folder
from loadgen.milvus.server.kinds import choose_kind, count_ports, describe_exposure, plan_launch
from loadgen.milvus.server.ports import PORTS as NAMES

PORTS = tuple(range(40_001, 40_013))


@pytest.mark.parametrize(
    ("asked", "installed", "chosen"),
    [("auto", True, "milvus"), ("auto", False, "lite"), ("milvus", True, "milvus"), ("lite", True, "lite")],
)
def test_the_real_milvus_is_taken_where_it_is_installed(
    asked: str, installed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "milvus" and installed else None)
    heard: list[str] = []
    assert choose_kind(asked, heard.append) == chosen
    assert [("not suitable for benchmarks" in line, "milvus-loadgen[server]" in line) for line in heard] == (
        [] if installed else [(True, True)]
    )


def test_asking_for_a_milvus_that_is_not_installed_names_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RefusedError, match=r"not installed; pip install 'milvus-loadgen\[server\]'"):
        choose_kind("milvus")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RefusedError, match=r"^unknown embedded server 'elite'; choose auto, milvus, lite$"):
        choose_kind("elite")


def test_lite_is_a_process_of_its_own_on_loopback(tmp_path: Path) -> None:
    launch = plan_launch("lite", tmp_path, (40_001,))
    assert launch.command[:5] == (sys.executable, "-P", "-m", "milvus_lite", "server")
    flags = dict(zip(launch.command[5::2], launch.command[6::2], strict=True))
    assert flags == {"--data-dir": str(tmp_path / "lite"), "--host": "127.0.0.1", "--port": "40001"}
    assert (launch.metrics_port, launch.etcd_port) == (None, None)


def test_who_can_reach_a_server_from_other_machines_is_said_with_its_ports() -> None:
    assert describe_exposure("lite", (40_001,)) == ""
    said = describe_exposure("milvus", PORTS)
    assert "on all interfaces without a login" in said
    inside = {"etcd", "etcd_peer", "index_coord"}
    ports = [str(port) for name, port in zip(NAMES, PORTS, strict=True) if name not in inside]
    assert f"(ports {', '.join(ports)})" in said
    assert "\n" not in said


def test_the_standalone_gets_every_port_in_one_flag(tmp_path: Path) -> None:
    launch = plan_launch("milvus", tmp_path, PORTS)
    assert count_ports("milvus") == len(PORTS)
    assert launch.command[3:6] == ("loadgen.milvus.server.standalone", "--data", str(tmp_path / "milvus"))
    assert launch.command[6:] == ("--ports", ",".join(map(str, PORTS)))
    assert (launch.etcd_port, launch.metrics_port) == (40_003, 40_012)


def test_the_configuration_of_milvus_has_no_port_of_its_own_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone, "provide_programs", lambda *_: tmp_path / "programs")
    program, environment = standalone.prepare(tmp_path, dict(zip(NAMES, PORTS, strict=True)))
    assert program == tmp_path / "programs" / "milvus"
    assert environment["METRICS_PORT"] == "40012"
    written = (tmp_path / "configs" / "milvus.yaml").read_text()
    lines = [line.split("#")[0].strip() for line in written.splitlines() if not line.strip().startswith("#")]
    assert {f"port: {port}" for port in (40_001, *range(40_004, 40_007), *range(40_008, 40_011))} <= set(lines)
    assert "internalPort: 40002" in lines
    assert "endpoints: localhost:40003" in lines
    assert lines.count("ip: 127.0.0.1") == len(standalone.COMPONENTS)
    assert "level: warn" in lines
    etcd = json.loads(Path(environment["ETCD_CONFIG_PATH"]).read_text())
    assert etcd["listen-client-urls"] == etcd["advertise-client-urls"] == "http://127.0.0.1:40003"
    assert etcd["listen-peer-urls"] == "http://127.0.0.1:40011"


def test_a_folder_without_a_name_is_temporary() -> None:
    folder = open_folder(None)
    try:
        assert folder.temporary
        assert folder.path.is_dir()
        assert folder.log == folder.path / "server.log"
    finally:
        (folder.path / "loadgen.lock").unlink()
        folder.path.rmdir()


def test_a_folder_that_stays_is_made_and_lent_to_one_server_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    folder = open_folder(path)
    assert not folder.temporary
    with pytest.raises(RefusedError, match=f"^data folder {path} is in use by another server"):
        open_folder(path)


@pytest.mark.parametrize(("name", "problem"), [("file", "is a file"), ("file/below", "cannot be written")])
def test_a_folder_that_cannot_be_is_refused(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match=f"^data folder {tmp_path / name} {problem}"):
        open_folder(tmp_path / name)
