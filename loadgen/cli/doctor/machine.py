"""What the machine of the load generator has: packages, cores, files, other work, proxies."""

import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from loadgen.cli.doctor.finding import CheckStatus, Finding

DISTRIBUTION = "milvus-loadgen"
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of CPU and of a period, or `max`, of this container (cgroup v2)."""
FILES_WANTED = 4_096
"""Open files for some thousand users with some connections each, and Locust's own."""
IDLE_SHARE = 0.25
"""Other work up to this share of the cores is not mentioned."""
FEWEST_CORES = 2
PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY")


def check_packages(
    wanted: Callable[[str], list[str] | None] = requires, installed: Callable[[str], str] = version
) -> Iterator[Finding]:
    """Python and the packages the tool needs, against the versions that it was tested with."""
    try:
        needs = [Requirement(line) for line in wanted(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        remedy = "Install it: pip install milvus-loadgen, or pip install -e . in a clone."
        yield Finding("packages", CheckStatus.BAD, f"{DISTRIBUTION} is not installed in {sys.prefix}", remedy)
        return
    shown = []
    for need in needs:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            have = installed(need.name)
        except PackageNotFoundError:
            yield Finding("packages", CheckStatus.BAD, f"{need.name} is not installed", f"pip install '{need}'")
            continue
        if not need.specifier.contains(have, prereleases=True):
            text = f"{need.name} {have} is not within {need.specifier}, with which this tool was tested"
            yield Finding("packages", CheckStatus.BAD, text, f"pip install '{need}'")
        elif need.name in ("locust", "pymilvus", "llama-index-core", "llama-index-vector-stores-milvus"):
            shown.append(f"{need.name} {have}")
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("packages", CheckStatus.OK, ", ".join((f"Python {python}", *shown)))


def check_loop(find: Callable[[str], object | None] = find_spec) -> Finding:
    """Whether uvloop is there."""
    if find("uvloop"):
        return Finding("event loop", CheckStatus.OK, "uvloop is installed and used")
    remedy = "If your service uses uvloop: pip install 'milvus-loadgen[uvloop]'."
    return Finding(
        "event loop", CheckStatus.NOTE, "without uvloop, async users run on asyncio's own, slower loop", remedy
    )


def count_cores(usable: int | None = None, quota: Path = QUOTA) -> float:
    """Cores that this process may use: its affinity, or less by the container's quota."""
    cores = float(usable or len(os.sched_getaffinity(0)))
    try:
        limit, period = quota.read_text().split()
        return min(cores, int(limit) / int(period))
    except (OSError, ValueError):  # none, another cgroup version, or "max"
        return cores


def check_cores(cores: float, load: float) -> Iterator[Finding]:
    """Enough of them, and what else uses them. `load` is the load average of the last minute."""
    text = f"{cores:g} core{'s' * (cores != 1)} for the load generator"
    if cores < FEWEST_CORES:
        remedy = "Give it 2 or more: blocking users and an event loop are no equals on one."
        yield Finding("cores", CheckStatus.NOTE, text, remedy)
    else:
        yield Finding("cores", CheckStatus.OK, f"{text}; one process uses little more than one: see --processes")
    if load > IDLE_SHARE * cores:
        text = f"load average {load:.1f} on {cores:g} core{'s' * (cores != 1)}: other processes use them"
        yield Finding("other work", CheckStatus.NOTE, text, "End them: what waits for a core looks like a slow server.")
    else:
        yield Finding("other work", CheckStatus.OK, f"load average {load:.1f}")


def check_files(limit: int | None = None) -> Finding:
    """The limit of open files."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    if soft == resource.RLIM_INFINITY or soft >= FILES_WANTED:
        return Finding(
            "open files", CheckStatus.OK, "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft:,}"
        )
    remedy = "ulimit -n 65536 in the shell that starts locust."
    return Finding("open files", CheckStatus.NOTE, f"up to {soft:,}, fewer than {FILES_WANTED:,}", remedy)


def check_proxies(environment: Mapping[str, str]) -> Finding:
    """Variables that may send connections through a proxy."""
    if names := [name for name in PROXIES if environment.get(name)]:
        text = f"{', '.join(names)} set: servers that no_proxy does not list are reached through a proxy"
        return Finding("proxies", CheckStatus.NOTE, text, "Add the hosts of Milvus and of the models to no_proxy.")
    return Finding("proxies", CheckStatus.OK, "none in the environment")
