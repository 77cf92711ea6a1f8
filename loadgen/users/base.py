"""The common base of async and sync users: start and stop by Locust, and the interface for tasks."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from locust import User
from locust.exception import RescheduleTaskImmediately, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING

from loadgen.clients import Client, find_layer
from loadgen.clients.vector_client import Probe
from loadgen.measure.operation import Operation, find_operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.users.presence import Presence, count_end, count_error, fail_to_start
from loadgen.users.process_state import STRIDE, ProcessState
from loadgen.users.task_loop import ENDS, EscapedError

DOCUMENTS = 10_000
"""Maximum documents that a user remembers for deletion."""
TASKS_WITHOUT_BURST = 100
"""Tasks that a user of a burst may run before one of them is the burst."""


class NoBurstError(Exception):
    """The tasks of a user in a burst phase do not run a burst."""


class LoadUser(User):
    """A Locust user whose tasks run off the hub, where only a greenlet represents it."""

    abstract = True
    mode: ClassVar[Mode]
    style: ClassVar[str] = ""
    """For bursts: `sync`, `threads` or `async`; empty for users that go on until they are stopped."""
    operations: ClassVar[Sequence[Operation | str] | None] = None
    """The operations of its tasks: those of the client by name, and user-defined ones.

    Declared operations have metric series from the start and can be required; other operations of the client are then
    refused. None: everything the client can do, so the run has exclusive use of the collection.
    """
    ignores: ClassVar[Sequence[str]] = ()
    """Settings that its tasks do not honour, such as `filter`: a run in which one is given is refused."""
    client: Client
    """What the tasks call. A user may replace it, for example by a wrapper."""
    timed_client: Client
    """The client with which the user was created: it times the operations, including those through a wrapper."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        process_state = getattr(environment, "loadgen", None)
        if not isinstance(process_state, ProcessState):
            raise RuntimeError(  # noqa: TRY004 - a plug is missing, not a type wrong
                f"{type(self).__name__} needs loadgen: call `plug(events)` in the locustfile"
            )
        self.process_state = process_state
        self.number = next(process_state.user_numbers)
        self.variant = process_state.variant_for(self.mode)
        """Name of the variant that it runs."""
        self._next_query = self.number * STRIDE
        self._documents: deque[str] | None = None
        """Inserted and not yet deleted; from the first insert on, because an empty deque has 0.7 KB."""
        self._tasks_run = 0
        self._joined = process_state.joining()
        self._has_ended = False
        self._ended: Event | None = None
        """Set at its end; created for the first who waits for that."""

    def _make_client(self) -> Any:
        """A client of its variant's layer and its own mode."""
        state = self.process_state
        make: Callable[..., Client] = state.layer_for(self.variant).clients[self.mode]
        return make(state.store_for(self.variant, self.number), state.queue.put, state.checks, self.variant)

    def _share_names(self) -> None:
        """Let all users of a process share one bounded list of names, and what their stages do to its loop."""
        self.timed_client.operation_names = self.process_state.operation_names
        self.timed_client.stage_names = self.process_state.stage_names
        self.timed_client.item_names = self.process_state.item_names
        self.timed_client.loop_holds = self.process_state.loop_holds
        self.timed_client.acknowledged = self.process_state.acknowledged
        if self.process_state.settings_for(self.variant).stages:
            self.timed_client.split_operations()
        self.timed_client.trace_operations(self.process_state.tracer)
        if self.operations is not None and not self.style:
            declared = {one.name for one in self.performs(self.process_state.clients.get(self.variant, DEFAULT_CLIENT))}
            self.timed_client.refused = frozenset({one.name for one in self.timed_client.operations} - declared)

    @classmethod
    def performs(cls, client: str = DEFAULT_CLIENT) -> tuple[Operation, ...]:
        """The declared operations, or all of the client layer's; a burst has a fixed set.

        Raises ValueError for anything that is not an operation.
        """
        layer = find_layer(client)
        known = {one.name: one for one in layer.operations}
        if cls.style:
            return layer.burst_operations
        if cls.operations is None:
            return tuple(known.values())
        if isinstance(cls.operations, str) or not isinstance(cls.operations, Sequence):
            raise ValueError(f"it is {cls.operations!r:.60}, not a tuple")  # noqa: TRY004 - like all declarations
        return tuple(find_operation(one, known) for one in cls.operations)

    @property
    def clients(self) -> tuple[Client, ...]:
        """The client with which it was created, and our client that the user has replaced it with, if any."""
        mine = self.client
        replaced = isinstance(mine, Client) and mine is not self.timed_client
        return (self.timed_client, mine) if replaced else (self.timed_client,)

    @property
    def sent(self) -> int:
        """Operations of this user in flight."""
        return sum(client.in_flight for client in self.clients)

    @property
    def phase(self) -> Phase | None:
        """The current phase; in a run of one mode None until measuring starts, then one without a length."""
        return self.process_state.phase

    def next_query(self) -> Any:
        """The next of the prepared queries; each user starts elsewhere. `--query-skew` makes some of them frequent."""
        queries, order = self.process_state.queries_for(self.variant), self.process_state.query_order
        self._next_query += 1
        number = order[self._next_query % len(order)] if order else self._next_query
        return queries[number % len(queries)]

    def next_question(self) -> str:
        """The next of the prepared questions, for `ask` and `retrieve`, in the same way."""
        return str(self.next_query())

    def next_nodes(self) -> list[Any]:
        """New nodes for one insert, `nodes_per_insert` of them; with unused ids. All go into one partition, if any."""
        rows = self.process_state.new_rows(self.variant)
        self._documents = deque(maxlen=DOCUMENTS) if self._documents is None else self._documents
        self._documents.extend(row.source for row in rows)
        return self.process_state.make_nodes(self.variant, rows)

    def next_documents(self) -> list[Any]:
        """Documents for one `ingest`, `documents_per_ingest` of them; those of the run in turn, with unused ids."""
        return self.process_state.new_documents(self.variant)

    def next_probe(self) -> Probe:
        """New nodes for one insert, and the search that proves the last of them searchable."""
        return self.process_state.new_probe(self.variant)

    def next_document(self) -> str:
        """The oldest document that this user inserted; if there is none, another task is picked."""
        if not self._documents:
            raise RescheduleTaskImmediately
        return self._documents.popleft()

    @property
    def in_flight(self) -> int:
        """Concurrent operations that the phase requires."""
        return self.phase.concurrency if self.phase else 1

    @contextmanager
    def burst(self) -> Iterator[list[Callable[[], Any]]]:
        """The operations of the phase, created before the clock starts; the phase lasts as long as the `with` block.

        After the block the user stops. Raises StopUser immediately if the phase is not a burst of this user's style.
        """
        phase = self.phase
        if phase is None or phase.style != self.style:
            raise StopUser
        takes = {one.name: one.takes for one in self.performs()}[phase.operation]
        make_argument: Callable[[], Any] = self.next_query if takes == "query" else self.next_nodes
        call = getattr(self.client, phase.operation)
        queue, ledger = self.process_state.queue, self.process_state.ledger
        try:
            operations: list[Callable[[], Any]] = [partial(call, make_argument()) for _ in range(phase.operations)]
            queue.put(partial(ledger.open, phase, perf_counter()))
            yield operations
        except ENDS:
            raise
        except BaseException as error:  # noqa: BLE001 - counted as any task's, and the burst is over
            self.report_error(error)
        finally:
            queue.put(partial(ledger.close, perf_counter()))
            queue.put(partial(self.process_state.over.add, phase.number))
        raise StopUser

    def count_task(self) -> None:
        """Count a task of a user in a burst phase. Raises NoBurstError if too many ran without it."""
        self._tasks_run += 1
        if self._tasks_run > TASKS_WITHOUT_BURST:
            raise NoBurstError(f"{TASKS_WITHOUT_BURST} tasks have run, and none of them `with self.burst()`")

    @property
    def is_ending(self) -> bool:
        """True if the user was asked to end, or cannot continue."""
        return self._state == LOCUST_STATE_STOPPING or self.timed_client.is_closed or not self.process_state.loop.alive

    # Called by Locust on the hub

    def start(self, group: Any) -> Any:
        """Start the user on its runtime; Locust's greenlet only represents it."""
        self._state = LOCUST_STATE_RUNNING
        self._group = group
        self._joined = self.process_state.joining()
        self._greenlet = Presence(self)
        group.add(self._greenlet)
        if self.process_state.closed:
            self.finish()
            return self._greenlet
        try:
            self.begin()
        except RuntimeError as error:  # the system provides no more threads, or the loop is dead
            gevent.spawn(fail_to_start, self, error)
        return self._greenlet

    def finish(self) -> None:
        """Note the end of the user: whoever waits for it continues, and its greenlet leaves Locust's group."""
        self._has_ended = True
        if self._ended is not None:
            self._ended.set()
        if self._greenlet is not None:  # as it is from `start` on
            self._greenlet.start()

    def outlive(self, seconds: float) -> bool:
        """Wait for the user's end, for these seconds at most; returns whether it has ended."""
        if not self._has_ended:
            self._ended = self._ended or Event()
            self._ended.wait(seconds)
        return self._has_ended

    def stop(self, force: bool = False) -> bool:
        """End after the current task, or with `force` after the operation in flight, as `ProcessState.outlast` waits.

        An operation that was sent is never lost: it is answered and counted, or counted as failed.
        """
        self._state = LOCUST_STATE_STOPPING
        if force:
            for client in self.clients:
                client.close()
        self.wake(now=force)
        if not force:
            return False
        if not self.process_state.outlast(self.outlive):
            self.abandon()
            self.outlive(1.0)
        if self._greenlet is not None:  # as it is from `start` on
            self._greenlet.join(1.0)
            self._group.killone(self._greenlet)
        return True

    # Implemented per runtime

    @abstractmethod
    def begin(self) -> None:
        """Start running on the user's own runtime. Called on the hub."""

    @abstractmethod
    def wake(self, now: bool) -> None:
        """End a pause; with `now`, also end anything that is neither a pause nor an operation, if possible."""

    @abstractmethod
    def abandon(self) -> None:
        """Abandon an operation that does not return. Called on the hub."""

    @abstractmethod
    def has_to_pause(self, seconds: float) -> bool:
        """Whether `pause` is called between two tasks; False saves a call per operation."""

    @abstractmethod
    def pause(self, seconds: float) -> Any:
        """Wait between two tasks; ends early when the user is stopped."""

    # Reports to the hub

    def settle(self) -> None:
        """Report that on_start is complete: the user counts from here on."""
        self.process_state.queue.put(partial(self.process_state.count_settled, self.number, self._joined))

    def leave(self) -> None:
        """Report that the user no longer counts; its on_stop may still run."""
        self.process_state.queue.put(partial(self.process_state.settled.discard, self.number))

    def report_end(self) -> None:
        """Report, after the user's last sample, that it has ended."""
        self.process_state.queue.put(partial(count_end, self))

    def report_error(self, error: BaseException) -> None:
        """Count an exception of a task, also in Locust, and log it: the first of each kind with its traceback."""
        if isinstance(error, EscapedError):
            error = error.error
        self.process_state.queue.put(partial(count_error, self, error, perf_counter()))
