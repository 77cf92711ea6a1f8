"""Per-process state shared by all users: stores, queries, the current phase, and the path of their samples."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from time import perf_counter
from typing import Any, NamedTuple

from loadgen.clients.base import new_item_names, new_stage_names
from loadgen.clients.layers import Layer, find_layer, new_operation_names
from loadgen.clients.vector_client import Probe
from loadgen.datasets import Checks, Partitioning, Row
from loadgen.datasets.acknowledged import Acknowledged
from loadgen.measure.errors import ErrorKind, ErrorLog
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger, RunCounts
from loadgen.measure.loop_holds import LoopHolds
from loadgen.measure.operation import Names
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.measure.tracing import Tracer
from loadgen.runtime.hub import HubQueue
from loadgen.runtime.loop import LoopThread
from loadgen.settings.addresses import find_port
from loadgen.settings.model import Settings
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.users.listeners import Listeners

logger = logging.getLogger(__name__)

STRIDE = 97
"""Distance between the first queries of two neighbouring users; a prime, so they rarely coincide."""
DRAIN_SECONDS = 3.0
"""Seconds to wait for operations in flight when the run ends early."""
LOOK_AT_THE_END = 0.25
"""Seconds between two checks for the end of the run while waiting for operations."""


class Joining(NamedTuple):
    """When a user joined: `number` counts the calls of `begin_users`, `phase` is the last announced one."""

    number: int
    phase: Phase | None


@dataclass(slots=True)
class ProcessState:
    """Created once per process, before its first user; the plugin fills it, users read it."""

    settings: Settings
    queue: HubQueue
    ledger: Ledger
    loop: LoopThread
    counted: RunCounts | None = None
    """The counts of the run so far: of this process, or on a coordinator of all agents."""
    stores: Mapping[str, list[Any]] = field(default_factory=dict)
    """By variant."""
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Fingerprint of the data that each of the stores saw when it was opened, by variant."""
    variants: Mapping[str, Settings] = field(default_factory=dict)
    """The settings of each variant; others use the settings of the run."""
    clients: Mapping[str, str] = field(default_factory=dict)
    """The name of the client layer of each variant; others use the default."""
    queries: Mapping[str, list[Any]] = field(default_factory=dict)
    """By variant; those with equal settings share them."""
    query_order: Sequence[int] = ()
    """Numbers of the queries in the order in which they are asked; empty: one after another."""
    rows: Mapping[str, Iterator[Row]] = field(default_factory=dict)
    """Rows that were never inserted before, by variant."""
    partitionings: Mapping[str, Partitioning] = field(default_factory=dict)
    """Of the variants with partitions."""
    checks: Checks = field(default_factory=Checks)
    operation_names: Names = field(default_factory=new_operation_names)
    stage_names: Names = field(default_factory=new_stage_names)
    item_names: Names = field(default_factory=new_item_names)
    loop_holds: LoopHolds = field(default_factory=LoopHolds)
    acknowledged: Acknowledged | None = None
    """Rows of acknowledged inserts, in a phase with faults."""
    tracer: Tracer | None = None
    """Draws the operations whose requests send a trace context; None: no operation."""
    phase: Phase | None = None
    closed: bool = False
    """The process is ending: users that Locust still spawns, because another worker quit first, do nothing."""
    user_numbers: Iterator[int] = field(default_factory=count)
    settled: set[int] = field(default_factory=set)
    """Numbers of the users that have completed their on_start. Used only on the hub."""
    started: set[int] = field(default_factory=set)
    """Users of this phase that have completed their on_start, including ended ones. Used only on the hub."""
    ended: set[int] = field(default_factory=set)
    """Users of this phase that have ended by themselves: by StopUser, by a failed on_start, or by something raised that
    is not an Exception. Used only on the hub."""

    over: set[int] = field(default_factory=set)
    """Numbers of the bursts that have ended in this process, successful or not. Used only on the hub."""
    errors: ErrorLog = field(default_factory=lambda: ErrorLog(logger))
    """Exceptions in tasks since the process began. Used only on the hub."""
    listeners: Listeners = field(default_factory=Listeners)

    is_ending: Callable[[], bool] = lambda: True
    """True if the run is ending early; until then, an operation in flight gets its full deadline."""
    on_drop: Callable[[str, int], None] = lambda _variant, _number: None
    """Called on the hub with the number of dropped arrivals of a variant."""
    on_recall: Callable[[str, float, float | None], None] = lambda _variant, _share, _rank: None
    """Called on the hub with the recall of one checked search, and its reciprocal rank if it has one."""
    on_error: Callable[[str], None] = lambda _variant: None
    """Called on the hub when a task of a variant has raised."""
    _joinings: int = 0

    @property
    def patience(self) -> float:
        """Maximum seconds to wait for operations in flight: none takes longer than its deadline."""
        deadlines = (one.deadline for one in (self.settings, *self.variants.values()))
        return max(max(deadlines) + 1, DRAIN_SECONDS)

    def find_ports(self) -> set[int]:
        """The TCP ports of the server of the run; none for a Unix socket or before an address is known."""
        return {port for one in (self.settings, *self.variants.values()) if (port := find_port(one.host))}

    @property
    def error_kinds(self) -> Mapping[ErrorKind, int]:
        """Exceptions in tasks by type and place."""
        return self.errors.counts

    def begin_users(self) -> None:
        """Reset `started` and `ended` before the users of another phase start. On the hub only.

        Users of the previous phase that are still ending no longer count.
        """
        self._joinings += 1
        self.started.clear()
        self.ended.clear()

    def joining(self) -> "Joining":
        """The phase to which a user created or started now belongs. On the hub only."""
        return Joining(self._joinings, self.phase)

    def count_settled(self, user: int, joined: "Joining") -> None:
        """A user has completed its on_start. On the hub only."""
        self.settled.add(user)
        self.count_started(user, joined)

    def count_started(self, user: int, joined: "Joining") -> None:
        """The on_start of a user is complete; users of the open model only serve arrivals. On the hub only."""
        if joined.number == self._joinings:
            self.started.add(user)

    def count_ended(self, user: int, joined: "Joining", *, by_itself: bool) -> None:
        """A user has ended, and with it its burst, if any. On the hub only."""
        self.settled.discard(user)
        if by_itself and joined.number == self._joinings:
            self.ended.add(user)
        if joined.phase is not None and joined.phase.operations:
            self.over.add(joined.phase.number)

    def count_error(self, variant: str, error: BaseException, at: float, user: str) -> None:
        """Count an exception of a task of this user class at this moment (perf_counter seconds). On the hub only."""
        kind = self.errors.note(error, f"{user} raised in a task")
        self.ledger.count_error(variant, kind, at)
        self.on_error(variant)

    def outlast(self, wait: Callable[[float], bool]) -> bool:
        """Wait until operations in flight have ended; False if the wait ended first.

        `wait` waits at most the given seconds and returns whether they have. Between two phases every operation gets
        its full deadline, because it would otherwise load the server in the next phase and wrongly count as failed; if
        the run is ending early, the limit is 3 s. Called on the hub.
        """
        give_up = perf_counter() + self.patience
        over = wait(DRAIN_SECONDS)
        while not over and not self.is_ending() and perf_counter() < give_up:
            over = wait(LOOK_AT_THE_END)
        return over

    def drop(self, due: Sequence[float], at: float) -> None:
        """Count arrivals dropped at a moment; on the hub."""
        dropped = self.ledger.drop(due, at)
        if dropped and self.phase is not None:
            self.on_drop(self.phase.variant, dropped)

    def beat(self, beat: Beat) -> None:
        """Count a beat of this process, and the checks queued since the previous one. On the hub only.

        The checks use the queue of the samples, in which calls open and close the window of a burst. Answers queued
        from here on may belong to a window that is opened after this call in the queue.
        """
        self.ledger.beat(beat)
        self.queue.put(partial(self.settle, perf_counter()))

    def settle(self, until: float = math.inf) -> None:
        """Check the answers that were queued until a moment, and count them. On the hub, after the samples."""
        for check in self.checks.settle(until):
            phase = self.ledger.check(check) or self.phase
            if phase is not None:
                self.on_recall(phase.variant, check.recall, check.rank)
        if self.checks.changed_at is not None:
            self.ledger.spoil(self.checks.changed_at)

    def end_run(self) -> None:
        """Count everything that users have handed over, and close the phase. On the hub only."""
        self.queue.flush()
        self.listeners.summarize()
        self.acknowledged = None
        self.ledger.close(perf_counter())
        self.settle()

    def variant_for(self, mode: Mode) -> str:
        """The variant for a new user of a mode: that of the phase, or without a phase the mode itself."""
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
        return self.queries[variant]

    def store_for(self, variant: str, user_number: int) -> Any:
        """The store that this user shares with every `connections`-th other. Raises RuntimeError before `open`."""
        stores = self.stores.get(variant)
        if not stores:
            raise RuntimeError(f"no store of {variant} is open in this process: the run has not started")
        return stores[user_number % len(stores)]

    def new_rows(self, variant: str) -> list[Row]:
        """Rows for one insert operation of a variant. Raises RuntimeError before the stores are open."""
        rows = self._take(variant, self.settings_for(variant).nodes_per_insert)
        if self.acknowledged is not None:
            self.acknowledged.know(rows)
        return rows

    def new_documents(self, variant: str) -> list[Any]:
        """Documents for one ingest operation of a variant. Raises RuntimeError before the stores are open."""
        return [row.node for row in self._take(variant, self.settings_for(variant).documents_per_ingest)]

    def _take(self, variant: str, number: int) -> list[Row]:
        rows = self.rows.get(variant)
        if rows is None:
            raise RuntimeError("no data is prepared in this process: the run has not started")
        return list(islice(rows, number))

    def new_probe(self, variant: str) -> Probe:
        """Nodes for one insert operation of a variant, and the search for the last of them."""
        rows, settings = self.new_rows(variant), self.settings_for(variant)
        query = self.layer_for(variant).connector.make_probe(rows[-1], settings)
        return Probe(self.make_nodes(variant, rows), query, settings.deadline)

    def make_nodes(self, variant: str, rows: Sequence[Row]) -> list[Any]:
        """What the client of a variant inserts for these rows. All go into one partition, if there are any."""
        settings, connector = self.settings_for(variant), self.layer_for(variant).connector
        nodes = [connector.make_node(row, settings) for row in rows]
        partitioning = self.partitionings.get(variant)
        return nodes if partitioning is None else connector.place_nodes(nodes, partitioning.name(rows[0].place))
