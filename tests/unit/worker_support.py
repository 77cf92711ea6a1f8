"""Workers of a run as a coordinator meets them, and a network that may lose, repeat and delay what they say."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
import msgpack

from loadgen.control.calls import Responder
from loadgen.control.messages import (
    Command,
    Confirm,
    CountMissingSlots,
    CountUsers,
    Describe,
    Drain,
    FromAgent,
    Hello,
    IsOver,
    OpenWindow,
    Prepare,
    ReadData,
    Refuse,
    Report,
    Stop,
    decode,
    encode,
)
from loadgen.measure.ledger import Ledger
from loadgen.measure.sample import Outcome, Sample
from tests.unit.virtual_time import VirtualTime

OWN = Hello("0.1.0", "one locustfile", "key of the master")
WORKER = Hello("0.1.0", "one locustfile")


def over_the_wire(data: dict[str, Any]) -> Any:
    """As it arrives: tuples are lists there."""
    return msgpack.unpackb(msgpack.packb(data), strict_map_key=False)


class Worker:
    """A worker whose users make `rate` operations a second each; its ledger and its way of answering are real."""

    def __init__(self, time: VirtualTime, send: Callable[[FromAgent], None]) -> None:
        self.time = time
        self.send = send
        self.ledger = Ledger()
        self.responder = Responder(self._execute)
        self.done: list[Command] = []
        """What it has carried out, in order."""
        self.users = 0
        """Those that Locust has started here."""
        self.starts_in = 0.0
        """Seconds that a user's on_start takes."""
        self.started_at = 0.0
        self.gone = 0
        """Of them, those that have ended by themselves."""
        self.outcome: Outcome | None = Outcome.OK
        """How operations end; None: they do not."""
        self.over: set[int] = set()
        self.error = ""
        """Why it cannot be prepared."""
        self.data = "3 documents"
        """What it reads."""
        self.reading = 0.0
        """Seconds that this takes."""
        self.on_command: Callable[[Command], object] = lambda _command: None
        self.refused = ""
        self._greenlet = gevent.spawn(self._work)

    def take(self, command: Command) -> None:
        """A command has arrived."""
        if isinstance(command, Refuse):
            self.refused = command.reason
        elif isinstance(command, Confirm):
            if command.run_id == self.responder.run_id:
                self.ledger.confirm(command.report)
        elif (answer := self.responder.receive(command)) is not None:
            self.send(answer)

    def kinds(self) -> list[str]:
        """Names of the commands it has carried out, those left out that are questions."""
        questions = {"count_users", "count_missing_slots", "is_over", "describe"}
        return [command.kind for command in self.done if command.kind not in questions]

    def spawn(self, users: int) -> None:
        """Set the number of users, as Locust does."""
        self.users, self.gone, self.started_at = users, 0, self.time() + self.starts_in

    @property
    def present(self) -> int:
        """Users past their on_start that have not ended."""
        return self.users - self.gone if self.time() >= self.started_at else 0

    def report(self) -> None:
        """Send a report."""
        body = self.ledger.take_report(self.time())
        self.send(Report(self.responder.run_id, body["sequence"], body, self.present if self.outcome is None else 0))

    def end(self) -> None:
        """The process is gone."""
        self._greenlet.kill()

    def _work(self) -> None:
        self.time.pause(0.25)  # no operation ends where a phase does
        while True:
            phase = self.ledger._current.phase if self.ledger._current is not None else None
            if self.outcome is not None and self.present and phase is not None:
                now = self.time()
                sample = Sample(phase.mode, "search", now - 0.01, now - 0.01, now, self.outcome, 10)
                self.ledger([sample] * self.present)
            if self.responder.run_id:
                self.report()
            self.time.pause(1.0)

    def _execute(self, command: Command) -> Any:
        self.done.append(command)
        self.on_command(command)
        if isinstance(command, ReadData):
            self.time.pause(self.reading)
            if self.data != command.data:
                raise RuntimeError(f"it has {self.data}, the master has {command.data}")
        elif isinstance(command, Prepare):
            if self.error:
                raise RuntimeError(self.error)
            self.ledger.reset(self.time())
        elif isinstance(command, CountUsers):
            started = self.users if self.time() >= self.started_at else 0
            return {"started": started, "present": self.present, "ended": self.gone}
        elif isinstance(command, OpenWindow):
            phase = command.phase
            start = self.time() - command.elapsed + phase.warmup_seconds
            if phase.number not in self.ledger.windows or self.ledger.windows[phase.number].phase != phase:
                self.ledger.open(phase, start, start + phase.seconds if phase.seconds else math.inf)
        elif isinstance(command, Drain | Stop):
            self.users = 0
            self.ledger.close(self.time())
            return self.ledger.take_report(self.time(), final=True)
        answers: Mapping[type[Any], Any] = {
            IsOver: getattr(command, "number", -1) in self.over,
            Describe: {"connections": 2, "data": ["abc"]},
            CountMissingSlots: 0,
        }
        return answers.get(type(command))


class Network:
    """Ways to the workers, as `control.link.Link`. `fate` says when the copies of a message arrive: () is lost."""

    is_local = False

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.workers: dict[str, Worker] = {}
        self.away: set[str] = set()
        """Those that Locust misses."""
        self.times_away: Counter[str] = Counter()
        self.frozen: dict[str, list[Command]] = {}
        """What waits for workers that are stopped, until they go on."""
        self.dismissed: list[str] = []
        self.sent: list[tuple[str, Command]] = []
        self.fate: Callable[[Command | FromAgent], Sequence[float]] = lambda _message: (0.0,)
        self.hear: Callable[[str, FromAgent], None] = lambda _agent, _message: None

    def connected(self) -> set[str]:
        return set(self.workers) - self.away

    def silent(self) -> set[str]:
        return set(self.workers) & self.away

    def absences(self) -> Mapping[str, int]:
        return dict(self.times_away)

    def dismiss(self, agent: str) -> None:
        self.dismissed.append(agent)
        self.remove(agent)

    def send(self, agent: str, command: Command) -> None:
        self.sent.append((agent, command))

        def arrive() -> None:
            reported = decode(over_the_wire(encode(command)))
            assert isinstance(reported, Command)
            if agent in self.frozen:
                self.frozen[agent].append(reported)
            elif agent in self.workers:
                self.workers[agent].take(reported)

        self._deliver(command, arrive)

    def add(self, name: str, hello: Hello | None = WORKER) -> Worker:
        """A worker connects, and says what it runs."""

        def send(message: FromAgent) -> None:
            def arrive() -> None:
                reported = decode(over_the_wire(encode(message)))
                assert isinstance(reported, FromAgent)
                self.hear(name, reported)

            if name not in self.frozen:
                self._deliver(message, arrive)

        worker = self.workers[name] = Worker(self.time, send)
        if hello is not None:
            self.hear(name, hello)
        return worker

    def remove(self, name: str) -> None:
        """A worker is killed."""
        if name in self.workers:
            self.workers.pop(name).end()

    def freeze(self, name: str) -> None:
        """A worker is stopped: it does nothing, and Locust misses it."""
        self.frozen[name] = []
        self.away.add(name)
        self.times_away[name] += 1

    def thaw(self, name: str) -> None:
        """It goes on, with all that was said to it meanwhile."""
        self.away.discard(name)
        for command in self.frozen.pop(name):
            self.workers[name].take(command)

    def _deliver(self, message: Command | FromAgent, arrive: Callable[[], None]) -> None:
        for delay in self.fate(message):
            if delay:
                self.time.after(delay, arrive)
            else:
                arrive()
