"""Prepare a data folder for the real Milvus, then become it: `python -m loadgen.milvus.server.standalone`."""

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from loadgen.milvus.server.folder import locate_mark
from loadgen.milvus.server.ports import PORTS
from loadgen.milvus.server.unpacking import locate_cache, locate_packed, provide_programs

OWN_PORTS = PORTS[:10]
"""The ports that the configuration in the wheel can set."""
COMPONENTS = ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")
"""Parts that would talk to each other over the machine's outer address, which a laptop may lose during a run."""
CHANGES = {
    "common.gracefulStopTimeout": 1,  # seconds; by default it would wait for its collections to move elsewhere
    **{f"{component}.ip": "127.0.0.1" for component in COMPONENTS},
    "log.level": "warn",  # at `info` it writes some 70 lines a second while idle
    "log.file.rootPath": "",  # standard output contains the same lines
}


def write_etcd(path: Path, ports: dict[str, int]) -> None:
    """Assign separate ports to the etcd inside Milvus.

    Milvus uses `etcd_port` only to reach an external etcd; the one inside listens on 2379 and 2380 unless a separate
    file says otherwise. The gateway is for `sessions`. A crash of the machine may lose the data, which are test data.
    """
    client, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "etcd_peer"))
    chosen = {
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "enable-grpc-gateway": True,
        "unsafe-no-fsync": True,
    }
    path.write_text(json.dumps(chosen), encoding="utf-8")


def prepare(data: Path, ports: dict[str, int]) -> tuple[Path, dict[str, str]]:
    """Write the configuration below `data`; the program to run and its environment variables."""
    import milvus

    programs = provide_programs(locate_packed(), locate_cache(), data / "bin")
    config = milvus.MilvusServerConfig(data_dir=str(data))
    for name in OWN_PORTS:
        config.set(f"{name}_port", ports[name])
    for key, value in CHANGES.items():
        config.set(key, value)
    # Not resolve(), which would search for free ports again and find those reserved for this server taken.
    config.resolve_storage()
    config.write_config()
    etcd = data / "configs" / "etcd.yaml"
    write_etcd(etcd, ports)
    libraries = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    added = {
        "DATACOORD_COMPACTION_CHECK_INTERVAL": "1",  # seconds until the next plan is looked at; 10 by default
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(ports["metrics"]),
        "MILVUS_RUN_DIR": str(data / "run"),
        "ETCD_CONFIG_PATH": str(etcd),
        libraries: ":".join(filter(None, (str(programs), os.environ.get(libraries)))),
    }
    return programs / "milvus", {**os.environ, **added}


def main() -> None:
    """Prepare, then replace this process by Milvus, so that the guardian's child is the server itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ports", required=True, help="in the order of PORTS, with commas")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that partially unpacked files are removed
    ports = dict(zip(PORTS, map(int, given.ports.split(",")), strict=True))
    if not locate_mark(given.data).exists():  # the etcd of an interrupted first start never starts again
        shutil.rmtree(given.data / "data", ignore_errors=True)
    given.data.mkdir(parents=True, exist_ok=True)
    program, environment = prepare(given.data, ports)
    os.chdir(given.data)
    os.execve(program, [str(program), "run", "standalone"], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
