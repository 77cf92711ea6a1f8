"""`python -m tests.benchmarks.simulated_agents`: many workers in one process, which report and make no load.

They speak Locust's protocol and this tool's own, and carry out every command. Each sends a report a second: three
operations with a hundred samples a second each, with real histograms, which all of them share.
"""

import argparse
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import gevent
import numpy as np
from locust import __version__
from locust.rpc import Message
from locust.rpc.zmqrpc import Client
from locust.stats import RequestStats

from loadgen.control.calls import Responder
from loadgen.control.messages import (
    COMMAND,
    FROM_AGENT,
    Answer,
    Command,
    Confirm,
    CountMissingSlots,
    CountUsers,
    Describe,
    Drain,
    FromAgent,
    IsOver,
    OpenWindow,
    Prepare,
    Refuse,
    Report,
    Stop,
    decode,
    encode,
)
from loadgen.locust_plugin.coordination.identity import introduce
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.sample import Outcome, Sample

OPERATIONS, RATE = ("search", "insert", "delete"), 100
STEP = 0.1
"""Seconds between two batches of samples, and between two beats."""


class Shared:
    """What all simulated workers have counted."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.run_id = ""
        self._stats = RequestStats()
        self._random = np.random.default_rng(1)
        self._confirmed: dict[str, int] = {}
        self.report: dict[str, Any] = {}
        """What each of them sends next, without its users."""

    def work(self) -> None:
        """Count samples for ever, and prepare a report every second."""
        for tick in range(10**9):
            gevent.sleep(STEP)
            now = perf_counter()
            window = max(self.ledger.windows.values(), key=lambda one: one.phase.number, default=None)
            if window is not None and window.start <= now < window.end:
                self.ledger(list(self._make_samples(window.phase.variant, now)))
                self.ledger.beat(Beat(now, 0.05, STEP, 0.001, 0.002, 10, core_wait=0.001, memory=3e8, sent=1e5))
            if tick % round(1 / STEP) == 0 and self.run_id:
                body = self.ledger.take_report(now)
                self.report = {
                    "stats": self._stats.serialize_stats(),
                    "stats_total": self._stats.total.get_stripped_report(),
                    "errors": {},
                    "loadgen": encode(Report(self.run_id, body["sequence"], body, 10)),
                }

    def _make_samples(self, variant: str, now: float) -> Iterator[Sample]:
        for operation in OPERATIONS:
            for seconds in self._random.lognormal(-5, 0.4, round(RATE * STEP)).tolist():
                parts = {"prepare": 0.1 * seconds, "rpc": 0.7 * seconds, "decode": 0.2 * seconds}
                at = now - seconds
                yield Sample(variant, operation, at, at, now, Outcome.OK, 10, stages=parts)
                self._stats.log_request(variant, operation, 1000 * seconds, 10)

    def confirm(self, name: str, report: int, everyone: int) -> None:
        """A report of one of them has arrived."""
        self._confirmed[name] = report
        if len(self._confirmed) == everyone:
            self.ledger.confirm(min(self._confirmed.values()))


class SimulatedAgent:
    """One worker, as its master sees it."""

    def __init__(self, name: str, port: int, file: str, shared: Shared, everyone: int) -> None:
        self._name = name
        self._shared = shared
        self._everyone = everyone
        self._client = Client("127.0.0.1", port, name)
        self._hello = introduce([file], is_worker=True)
        self._responder = Responder(self._execute)
        self._state, self._users, self._classes = "ready", 0, {}  # type: str, int, dict[str, int]
        self._send("client_ready", __version__)
        for work in (self._hear, self._report):
            gevent.spawn(work)

    def _send(self, kind: str, data: Any = None) -> None:
        self._client.send(Message(kind, data, self._name))

    def _say(self, message: FromAgent) -> None:
        self._send(FROM_AGENT, encode(message))

    def _hear(self) -> None:
        while True:
            message = self._client.recv()
            if message.type == COMMAND:
                gevent.spawn(self._obey, decode(message.data))
            elif message.type == "ack":
                self._say(self._hello)
            elif message.type == "spawn":
                self._classes = message.data["user_classes_count"]
                self._users, self._state = sum(self._classes.values()), "running"
                self._send("spawning")
                self._send("spawning_complete", {"user_classes_count": self._classes, "user_count": self._users})
            elif message.type == "stop":
                self._users, self._state = 0, "ready"
                self._send("client_stopped")
                self._send("client_ready", __version__)

    def _report(self) -> None:
        while True:
            gevent.sleep(1.0)
            usage = {"current_cpu_usage": 10.0, "current_memory_usage": 3 << 28}
            self._send("heartbeat", {"state": self._state, **usage})
            if self._responder.run_id and self._shared.report:
                users = {"user_classes_count": self._classes, "user_count": self._users}
                self._send("stats", self._shared.report | users)

    def _obey(self, command: Any) -> None:
        if isinstance(command, Refuse):
            raise SystemExit(command.reason)
        if isinstance(command, Confirm):
            self._shared.confirm(self._name, command.report, self._everyone)
        elif isinstance(answer := self._responder.receive(command), Answer):
            self._say(answer)

    def _execute(self, command: Command) -> Any:
        ledger = self._shared.ledger
        if isinstance(command, Prepare) and self._shared.run_id != command.run_id:
            self._shared.run_id = command.run_id
            ledger.reset(perf_counter())
        elif isinstance(command, OpenWindow):
            phase, start = command.phase, perf_counter() - command.elapsed + command.phase.warmup_seconds
            if phase.number not in ledger.windows:
                ledger.open(phase, start, start + phase.seconds)
        elif isinstance(command, Drain | Stop):
            return ledger.take_report(perf_counter(), final=True)
        users = {"started": self._users, "present": self._users, "ended": 0}
        answers = {CountUsers: users, CountMissingSlots: 0, IsOver: False}
        return answers.get(
            type(command), {"connections": 2, "data": ["abc"]} if isinstance(command, Describe) else None
        )


def main() -> None:
    """Run until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.simulated_agents")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", required=True, help="the locustfile of the master")
    given = parser.parse_args()
    shared = Shared()
    gevent.spawn(shared.work)
    agents = []
    for number in range(given.workers):
        agents.append(SimulatedAgent(f"simulated_{number:03}", given.port, given.file, shared, given.workers))
        gevent.sleep(1 / given.workers)  # their reports are spread over the second
    gevent.wait()


if __name__ == "__main__":
    main()
