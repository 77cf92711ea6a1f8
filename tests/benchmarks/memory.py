"""Resident memory of a process by its number of idle async users."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from loadgen.settings.model import Settings
from tests.benchmarks.table import verdict

HERE = Path(__file__).parent
MARK = "memory: "
"""How a line of standard output starts that is meant for the benchmark."""
USERS = (1, 1001, 2001)
AT_MOST = 20.0
"""MB for 1,000 users."""
MEGABYTE = 1_000_000
Look = tuple[int, int]
"""Users, and bytes of resident memory."""


def measure_memory(settings: Settings, rounds: int, say: Callable[[str], None]) -> list[Look]:
    """Start a run for each number of users, several times. Raises RuntimeError with the output where one fails."""
    memory = []
    for users in USERS * rounds:
        command = (
            *("-m", "locust", "-f", str(HERE / "memory_locustfile.py"), "--headless", "--only-summary"),
            *("--host", settings.host, "--collection", settings.collection),
            *("-u", str(users), "-r", str(users), "-t", "15s"),
        )
        own = {key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", "LOADGEN_"))}
        done = subprocess.run(
            [sys.executable, *command], cwd=HERE.parents[1], env=own, capture_output=True, text=True, check=False
        )
        reported = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
        if not reported:
            raise RuntimeError(f"the run failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
        seen, size = map(int, reported[-1].split())
        say(f"{seen:,} idle users: {size / MEGABYTE:,.1f} MB")
        memory.append((seen, size))
    return memory


def median_rows(looks: Sequence[Look]) -> list[tuple[str, str]]:
    """Users, and MB, in ascending order."""
    sizes = {users: median(size for seen, size in looks if seen == users) for users, _ in looks}
    return [(f"{users:,}", f"{size / MEGABYTE:,.0f}") for users, size in sorted(sizes.items())]


def show_memory(looks: Sequence[Look], console: Console) -> None:
    """Print the memory of each number of users, and what 1,000 of them add to one."""
    table = Table(title="Idle async users: resident memory of their process (medians over the rounds)")
    for name in ("users", "MB", "MB for 1,000 users", "target", "verdict"):
        table.add_column(name, justify="left" if name in ("target", "verdict") else "right")
    sizes = {users: median(size for seen, size in looks if seen == users) for users, _ in looks}
    fewest = min(sizes)
    for users, size in sorted(sizes.items()):
        if users == fewest:
            table.add_row(f"{users:,}", f"{size / MEGABYTE:,.1f}", "", "", "")
            continue
        added = (size - sizes[fewest]) / (users - fewest) * 1_000 / MEGABYTE
        reached = verdict(added <= AT_MOST)
        table.add_row(f"{users:,}", f"{size / MEGABYTE:,.1f}", f"{added:.1f}", f"at most {AT_MOST:g} MB", reached)
    console.print(table)
