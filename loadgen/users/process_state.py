"""What one process offers to its users: stores, queries, the current phase, and the way of their samples."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from loadgen.clients.base import new_stage_names
from loadgen.clients.layers import Layer, find_layer, new_operation_names
from loadgen.datasets import Checks
from loadgen.measure.errors import ErrorKind, ErrorLog
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Counted, Ledger
from loadgen.measure.operation import Names
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.runtime.hub import HubQueue
from loadgen.runtime.loop import LoopThread
from loadgen.settings.model import Settings
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.users.listeners import Listeners

logger = logging.getLogger(__name__)

STRIDE = 97
"""Distance between the first queries of two neighbouring users; a prime, so they rarely coincide."""
DRAIN_SECONDS = 3.0
"""How long to wait for operations in flight when the run is to end."""
LOOK_AT_THE_END = 0.25
"""Seconds between two looks whether the run is to end, while operations are waited for."""


class NodeSource(Protocol):
    """Makes nodes that were never inserted before; safe from several threads."""

    def take(self, number: int) -> list[Any]:
        """So many new nodes."""


class Joining(NamedTuple):
    """When a user joined: `number` counts the calls of `begin_users`, `phase` was announced last."""

    number: int
    phase: Phase | None


@dataclass(slots=True)
class ProcessState:
    """Made once in a process, before its first user; the plugin fills it, users read it."""

    settings: Settings
    queue: HubQueue
    ledger: Ledger
    loop: LoopThread
    counted: Counted | None = None
    """What was counted in the run so far: by this process, or on a coordinator by all agents."""
    stores: Mapping[str, list[Any]] = field(default_factory=dict)
    """By variant."""
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Fingerprint of the data that each of the stores saw when it was opened, by variant."""
    variants: Mapping[str, Settings] = field(default_factory=dict)
    """The settings of each variant; others use the settings of the run."""
    clients: Mapping[str, str] = field(default_factory=dict)
    """The name of the client layer of each variant; others use the default."""
    queries: list[Any] = field(default_factory=list)
    own_queries: Mapping[str, list[Any]] = field(default_factory=dict)
    """Queries of variants that differ from the run in top k or output fields."""
    nodes: NodeSource | None = None
    checks: Checks = field(default_factory=Checks)
    operation_names: Names = field(default_factory=new_operation_names)
    stage_names: Names = field(default_factory=new_stage_names)
    phase: Phase | None = None
    closed: bool = False
    """The process is ending: users that Locust still spawns, for a worker that quit first, do nothing."""
    user_numbers: Iterator[int] = field(default_factory=count)
    settled: set[int] = field(default_factory=set)
    """Numbers of the users that are past their on_start. Touched on the hub alone."""
    started: set[int] = field(default_factory=set)
    """Of the users of this phase, those that were past their on_start at some moment. Touched on the hub alone."""
    ended: set[int] = field(default_factory=set)
    """Of the users of this phase, those that have ended by themselves: by StopUser, or as their on_start failed or
    something escaped them that is no Exception. Touched on the hub alone."""

    over: set[int] = field(default_factory=set)
    """Numbers of the bursts that are over in this process, whether they ran or failed. Touched on the hub alone."""
    errors: ErrorLog = field(default_factory=lambda: ErrorLog(logger))
    """Exceptions in tasks since the process began. Touched on the hub alone."""
    listeners: Listeners = field(default_factory=Listeners)

    is_ending: Callable[[], bool] = lambda: True
    """True if the run is to end; until then, an operation in flight gets its full deadline."""
    on_drop: Callable[[str, int], None] = lambda _variant, _number: None
    """Called on the hub with the number of dropped arrivals of a variant."""
    on_recall: Callable[[str, float], None] = lambda _variant, _share: None
    """Called on the hub with the recall of one checked search."""
    on_error: Callable[[str], None] = lambda _variant: None
    """Called on the hub when a task of a variant has raised."""
    _joinings: int = 0

    @property
    def patience(self) -> float:
        """Maximum seconds to wait for operations in flight: none takes longer than its deadline."""
        deadlines = (one.deadline for one in (self.settings, *self.variants.values()))
        return max(max(deadlines) + 1, DRAIN_SECONDS)

    @property
    def error_kinds(self) -> Mapping[ErrorKind, int]:
        """Exceptions in tasks by type and place."""
        return self.errors.counts

    def begin_users(self) -> None:
        """Reset `started` and `ended` before the users of another phase start. On the hub only.

        Users of the phase before that are still ending are counted no more.
        """
        self._joinings += 1
        self.started.clear()
        self.ended.clear()

    def joining(self) -> "Joining":
        """What a user that is made or started now belongs to. On the hub alone."""
        return Joining(self._joinings, self.phase)

    def count_settled(self, user: int, joined: "Joining") -> None:
        """A user is past its on_start. On the hub alone."""
        self.settled.add(user)
        self.count_started(user, joined)

    def count_started(self, user: int, joined: "Joining") -> None:
        """The on_start of a user is over; one of the open model is there for arrivals only. On the hub alone."""
        if joined.number == self._joinings:
            self.started.add(user)

    def count_ended(self, user: int, joined: "Joining", *, by_itself: bool) -> None:
        """A user has ended, and with it the burst that it was there for. On the hub alone."""
        self.settled.discard(user)
        if by_itself and joined.number == self._joinings:
            self.ended.add(user)
        if joined.phase is not None and joined.phase.operations:
            self.over.add(joined.phase.number)

    def count_error(self, variant: str, error: BaseException, at: float, user: str) -> None:
        """A task of this class of users raised at this moment (perf_counter seconds). On the hub alone."""
        kind = self.errors.note(error, f"{user} raised in a task")
        self.ledger.count_error(variant, kind, at)
        self.on_error(variant)

    def outlast(self, wait: Callable[[float], bool]) -> bool:
        """Wait until operations in flight have ended; False if the wait ended first.

        `wait` waits so many seconds at most and answers whether they have. Between two phases that is until each
        has had its deadline, or it would load the server in the next phase and count as failed without being so;
        where the run is to end it is 3 s. Called on the hub.
        """
        give_up = perf_counter() + self.patience
        over = wait(DRAIN_SECONDS)
        while not over and not self.is_ending() and perf_counter() < give_up:
            over = wait(LOOK_AT_THE_END)
        return over

    def drop(self, due: Sequence[float], at: float) -> None:
        """Count arrivals that were given up at a moment; on the hub."""
        dropped = self.ledger.drop(due, at)
        if dropped and self.phase is not None:
            self.on_drop(self.phase.variant, dropped)

    def beat(self, beat: Beat) -> None:
        """Count one look at this process, and the checks that have come together since the last. On the hub alone.

        The checks take the way of the samples: a burst opens and closes its window by calls in the same queue. What is
        put aside from here on may belong to a window that is opened behind this call in the queue.
        """
        self.ledger.beat(beat)
        self.queue.put(partial(self.settle, perf_counter()))

    def settle(self, until: float = math.inf) -> None:
        """Check the answers that were queued until a moment, and count them. On the hub, after the samples."""
        for check in self.checks.settle(until):
            phase = self.ledger.check(check) or self.phase
            if phase is not None:
                self.on_recall(phase.variant, check.recall)
        if self.checks.changed_at is not None:
            self.ledger.spoil(self.checks.changed_at)

    def end_run(self) -> None:
        """Have all that users have handed over counted, and close the phase. On the hub alone."""
        self.queue.flush()
        self.listeners.summarize()
        self.ledger.close(perf_counter())
        self.settle()

    def variant_for(self, mode: Mode) -> str:
        """The variant that a user of a mode is made for: that of the phase, or before one the mode itself."""
        phase = self.phase
        return phase.variant if phase is not None and phase.mode is mode else mode.value

    def settings_for(self, variant: str) -> Settings:
        """The settings of a variant."""
        return self.variants.get(variant, self.settings)

    def layer_for(self, variant: str) -> Layer:
        """The client layer of a variant."""
        return find_layer(self.clients.get(variant, DEFAULT_CLIENT))

    def queries_for(self, variant: str) -> list[Any]:
        """The prepared queries of a variant."""
        return self.own_queries.get(variant, self.queries)

    def store_for(self, variant: str, user_number: int) -> Any:
        """The store that this user shares with every `connections`-th other. Raises RuntimeError before `open`."""
        stores = self.stores.get(variant)
        if not stores:
            raise RuntimeError(f"no store of {variant} is open in this process: the run has not started")
        return stores[user_number % len(stores)]

    def new_nodes(self, variant: str) -> list[Any]:
        """Nodes for one insert operation of a variant. Raises RuntimeError before the stores are open."""
        if self.nodes is None:
            raise RuntimeError("no data is prepared in this process: the run has not started")
        return self.nodes.take(self.settings_for(variant).nodes_per_insert)
