"""What drills share: a locustfile that counts its own operations, and a record whose counts are compared with it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadgen.measure.sample import Outcome
from loadgen.results.record import RunRecord, read_record
from tests.integration.cluster_support import Member
from tests.integration.locust_command import SMALL, Run, start_locust

DATA = (*SMALL, "--recall-every", "0")
SHORT = ("--rounds", "1", "--warmup-seconds", "0.2")
HEAD = """
import os, signal, sys, threading, time
from pathlib import Path
from locust import events, task
from loadgen import AsyncUser, SyncUser, plug

plug(events)
"""
COUNTING = """
lock = threading.Lock()
returned = 0


def count():
    global returned
    with lock:
        returned += 1


@events.quit.add_listener
def _write(**_):
    Path(os.environ["RETURNED"], str(os.getpid())).write_text(str(returned))


class Blocking(SyncUser):
    @task
    def search(self):
        self.client.search(self.next_query())
        count()


class Waiting(AsyncUser):
    @task
    async def search(self):
        await self.client.search(self.next_query())
        count()
"""
"""Each process writes at its end how many searches have come back to its tasks, answered or failed."""


@contextmanager
def drill(folder: Path, *arguments: str, text: str = "") -> Iterator[Member]:
    """A headless run of the counting locustfile, with more text before its users; it is gone afterwards."""
    member = Member(start_drill(folder, "--headless", "--only-summary", *arguments, text=text))
    try:
        yield member
    finally:
        member.end()


def start_drill(folder: Path, *arguments: str, text: str = "") -> Run:
    """A command with the counting locustfile."""
    counts = folder / "returned"
    counts.mkdir(parents=True, exist_ok=True)
    file = folder / "drill.py"
    file.write_text(HEAD + text + COUNTING)
    return start_locust(folder, *arguments, *DATA, files=str(file), RETURNED=str(counts))


def returned(folder: Path) -> int:
    """Searches that came back to the tasks of all processes of a run."""
    return sum(int(file.read_text()) for file in (folder / "returned").iterdir())


def one_record(folder: Path) -> RunRecord:
    """The only record in the folder of a run."""
    [path] = (folder / "runs").glob("[!.]*.json")
    return read_record(path)


def outcomes_of(record: RunRecord) -> Counter[Outcome]:
    """How all operations of a run ended, in its phases and outside of them."""
    counts: Counter[Outcome] = Counter()
    for part in [*record.outside, *(one for phase in record.phases for one in phase.operations)]:
        counts.update(part.outcomes)
    return counts


def assert_all_counted(member: Member, folder: Path) -> Counter[Outcome]:
    """The record agrees with the counts of the tasks and of Locust. Returns the outcomes."""
    result = outcomes_of(one_record(folder))
    assert result.total() == returned(folder) == sum(member.run.reported["stats"].values())
    failures = sum(number for outcome, number in result.items() if outcome.is_failure)
    assert sum(member.run.reported["failures"].values()) == failures
    return result
