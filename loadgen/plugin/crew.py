"""What happens in a process that has users: told by the lead, on the spot or by a message."""

import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import gevent

from loadgen.exporter import Exporter
from loadgen.phase import Phase
from loadgen.plugin.arrivals import LOOK, Arrivals
from loadgen.sample import Mode
from loadgen.truth import Truth
from loadgen.users import Station
from loadgen.users.station import DRAIN_SECONDS
from loadgen.window import Window

CALL, ANSWER = "loadgen_call", "loadgen_answer"
"""Locust message types between master and workers."""
LAST_OPERATIONS = "Waiting for %d users to end, %d operations of theirs are in flight; %.0f s at most"
logger = logging.getLogger("loadgen")


class Crew:
    """One in each process with users. Every method is an order that the lead may give; all run on the hub."""

    def __init__(
        self, environment: Any, station: Station, exporter: Exporter, open_stores: Callable[[], object]
    ) -> None:
        self._environment = environment
        self._station = station
        self.exporter = exporter
        self.arrivals = Arrivals(environment, station, open_stores)
        self._opened = -1
        """Number of the phase that was opened here last."""
        self._orders: Mapping[str, Callable[..., Any]] = {
            "reset": self.reset,
            "learn": self.learn,
            "see": self.see,
            "announce": self.announce,
            "count_users": self.count_users,
            "count_missing": self.count_missing,
            "turn": self.turn,
            "enter": self.enter,
            "open_window": self.open_window,
            "is_over": self.is_over,
            "drain": self.drain,
            "stop": self.stop,
        }

    def obey(self, order: str, message: Mapping[str, Any]) -> Any:
        """Carry out an order by its name; the answer is a plain value."""
        return self._orders[order](**message)

    def answer(self, environment: Any, msg: Any, **_: Any) -> None:
        """Listener on a worker: carry out the master's order and send the answer back."""
        answer = self.obey(msg.data["order"], msg.data["message"])
        environment.runner.send_message(ANSWER, {"number": msg.data["number"], "answer": answer})

    def reset(self) -> None:
        """Begin another run."""
        self._station.ledger.reset()
        self._station.settled.clear()
        self._station.over.clear()
        self._station.errors.clear()
        self._station.phase = None
        self._opened = -1
        self._station.checks.begin()

    def learn(self, truth: Mapping[str, Any]) -> None:
        """Take the exact neighbours, to check searches by."""
        self._station.checks.learn(Truth.from_message(truth))

    def see(self, mode: str) -> dict[str, Any]:
        """The connections of one mode that are open here, and the data that they see."""
        stores = self._station.stores.get(Mode(mode), ())
        return {"connections": len(stores), "data": self._station.seen.get(Mode(mode), [])}

    def announce(self, phase: Mapping[str, Any]) -> None:
        """Tell the users to come which phase they belong to."""
        self._station.phase = Phase.from_message(phase)

    def window(self, phase: Phase) -> Window | None:
        """What this process knows of a phase; on the master: of all workers."""
        return self._station.ledger.windows.get(phase.number)

    def look(self) -> tuple[int, float]:
        """Operations under way in this process, and how many seconds late arrivals were since the last look."""
        greenlets = self._environment.runner.user_greenlets
        users: int = sum(one.args[0].timed_client.in_flight for one in greenlets if one.args)
        return users + self.arrivals.in_flight, self.arrivals.take_lag()

    def count_users(self) -> int:
        """Users that are past their on_start and not yet ending."""
        return len(self._station.settled)

    def enter(self, phase: Mapping[str, Any], run: Mapping[str, str]) -> None:
        """Show in the metrics that this phase runs now, and of which run it is."""
        self.exporter.enter(Phase.from_message(phase), run)

    def count_missing(self, phase: Mapping[str, Any]) -> int:
        """Places for arrivals that are not ready yet."""
        return self.arrivals.count_missing(Phase.from_message(phase))

    def open_window(
        self,
        phase: Mapping[str, Any],
        turn: Mapping[str, Any] | None = None,
        elapsed: float = 0.0,
    ) -> None:
        """Begin the warm-up, now or so long ago; what finishes after it, for as long as the phase lasts, counts.

        In the open model arrivals come from now on, `turn` says which of them come here. A worker that was silent for a
        while and is told again goes on counting: only its turn is another.
        """
        if self._opened == phase["number"]:
            if turn is not None:
                self.turn(turn)
            return
        self._opened = phase["number"]
        coming = self._station.phase = Phase.from_message(phase)
        begun = perf_counter() - elapsed
        start = begun + coming.warmup_seconds
        end = start + coming.seconds if coming.seconds else float("inf")
        self._station.ledger.open(coming, start, end, entered=perf_counter())
        if turn is not None:
            self.exporter.offer(coming.mode, coming.rate / turn["parts"])
            self.arrivals.begin(begun, turn)

    def turn(self, turn: Mapping[str, Any]) -> None:
        """Another share of the arrivals comes here from now on."""
        phase = self._station.phase
        if phase is not None:
            self.exporter.offer(phase.mode, phase.rate / turn["parts"])
        self.arrivals.turn(turn)

    def is_over(self, number: int) -> bool:
        """True where the burst of that number has run here."""
        return number in self._station.over

    def drain(self) -> None:
        """Wait until no user and no arrival is left, then have every sample delivered, and sent to a master."""
        runner = self._environment.runner
        begun, told = perf_counter(), False
        while runner.user_count and (waited := perf_counter() - begun) < self._station.patience + 5:
            if waited > DRAIN_SECONDS and not told:
                told = True
                logger.info(LAST_OPERATIONS, runner.user_count, self.look()[0], self._station.patience - waited)
            gevent.sleep(LOOK)
        self.arrivals.complete()
        for mode in Mode:
            self.exporter.offer(mode, 0.0)
        self.exporter.leave()
        self._station.ledger.close(perf_counter())
        if not self._station.queue.flush():
            logger.error("Samples were still arriving when they were to be counted: the figures lack some")
        self._station.settle()
        if hasattr(runner, "_send_stats"):
            runner._send_stats()  # noqa: SLF001 - Locust sends it every 3 s only, and waits 0.5 s for the last one

    def stop(self) -> None:
        """Stop the users, each after its operation under way, and deliver everything."""
        self._environment.runner.stop()
        self.drain()
