"""The two servers that pip installs: which to start, and the command."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loadgen.milvus.server.errors import RefusedError
from loadgen.milvus.server.ports import ON_LOOPBACK, PORTS, UNUSED

Kind = Literal["milvus", "lite"]
KINDS = ("auto", "milvus", "lite")
NAMES: dict[Kind, str] = {"milvus": "Milvus standalone", "lite": "Milvus Lite"}
PYTHON = (sys.executable, "-P", "-m")
"""Runs a module; -P because the current folder may contain a module called `milvus`."""
INSTALL = "pip install 'milvus-loadgen[server]'"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a server; the first of its ports is for clients."""

    command: tuple[str, ...]
    metrics_port: int | None
    etcd_port: int | None
    litter: tuple[str, ...] = ()
    """Files it leaves outside its folder; `{pid}` is replaced by its process id."""


def choose_kind(asked: str, tell: Callable[[str], None] | None = None) -> Kind:
    """Milvus standalone if its wheel is installed and Lite is not requested; `tell` is called for a fallback.

    Raises `RefusedError` for an unknown kind, and for "milvus" without its wheel.
    """
    if asked not in KINDS:
        raise RefusedError(f"unknown embedded server {asked!r}; choose {', '.join(KINDS)}")
    if asked == "lite":
        return "lite"
    if importlib.util.find_spec("milvus") is not None:
        return "milvus"
    if asked == "milvus":
        raise RefusedError(f"the real Milvus is not installed; {INSTALL}, or choose lite")
    if tell is not None:
        tell(f"Using Milvus Lite, which is not suitable for benchmarks. For Milvus standalone: {INSTALL}")
    return "lite"


def count_ports(kind: Kind) -> int:
    """Number of ports on which this kind listens."""
    return len(PORTS) if kind == "milvus" else 1


def plan_launch(kind: Kind, folder: Path, ports: tuple[int, ...]) -> Launch:
    """The command that starts `kind` in `folder` on `ports`."""
    if kind == "lite":
        flags = ("--data-dir", str(folder / "lite"), "--host", "127.0.0.1", "--port", str(ports[0]))
        return Launch((*PYTHON, "milvus_lite", "server", *flags), None, None)
    listed = ",".join(map(str, ports))
    named = dict(zip(PORTS, ports, strict=True))
    command = (*PYTHON, "loadgen.milvus.server.standalone", "--data", str(folder / "milvus"), "--ports", listed)
    return Launch(command, named["metrics"], named["etcd"], ("/tmp/milvus/server_id_{pid}",))  # noqa: S108 - its choice


def describe_exposure(kind: Kind, ports: tuple[int, ...]) -> str:
    """Who can reach a server on these ports besides this machine, in one line; empty if nobody can."""
    if kind == "lite":
        return ""
    open_ports = [port for name, port in zip(PORTS, ports, strict=True) if name not in (*ON_LOOPBACK, *UNUSED)]
    return (
        f"{NAMES[kind]} listens on all interfaces without a login (ports {', '.join(map(str, open_ports))}): "
        "block them from other machines, or use --embedded lite, which listens on 127.0.0.1 only."
    )
