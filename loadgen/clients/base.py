"""What the clients of all layers share: the clock readings around a call, and the sample made of them."""

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from itertools import count
from time import perf_counter
from typing import ClassVar, NamedTuple

from loadgen.clients.outcomes import outcome_of
from loadgen.clients.staging import Marks
from loadgen.clients.tracing import TRACE
from loadgen.datasets import Checks
from loadgen.datasets.acknowledged import Acknowledged
from loadgen.measure.loop_holds import LoopHolds
from loadgen.measure.operation import ITEMS_AT_MOST, NAMES_AT_MOST, STAGES_AT_MOST, Names, Operation
from loadgen.measure.sample import NO_ITEMS, NO_STAGES, Mode, Outcome, Sample, StageTimes, Trace
from loadgen.measure.tracing import Tracer

CountItems = Callable[[], Mapping[str, int]]
"""Counts what an operation has processed besides rows, by name; called after its clock has stopped."""


class ClosedError(BaseException):
    """Raised instead of a call when the user must end. Not an Exception, so that no task swallows it by accident."""


class UndeclaredError(Exception):
    """A user calls an operation of the client that its `operations` omit."""


class UnfinishedError(Exception):
    """Represents an operation that was sent but not answered when the run ended."""

    def __str__(self) -> str:
        """A constant text, so that all of them share one row in a table of failures."""
        return "no answer when the user was ended"


_make = tuple.__new__
"""Creates a named tuple without its constructor, which is a function of Python's: one is created per operation."""


class Enclosing:
    """A measured call that contains others."""

    def __init__(self) -> None:
        self.samples = 0
        """Samples of calls within it."""
        self.is_over = False
        """True once it has ended: code that outlives it, such as a task it created, is no longer part of it."""
        self.outer: Enclosing | None = None
        """The call that it is part of."""
        self.trace: Trace | None = None
        """None: it is not sampled, and neither are the calls within it."""

    @property
    def is_expired(self) -> bool:
        """True if its deadline has cancelled its contents."""
        return False


ENCLOSING: ContextVar[Enclosing | None] = ContextVar("loadgen_enclosing", default=None)
"""The measured call that contains the current code: operations within it are samples of their own, but excluded from
totals. Per thread and asyncio task; tasks created within a call inherit it, and so do functions run by
`asyncio.to_thread`; other threads do not."""


def find_enclosing() -> Enclosing | None:
    """The innermost unfinished measured call that contains the current code."""
    call = ENCLOSING.get()
    while call is not None and call.is_over:
        call = call.outer
    return call


class Begun(NamedTuple):
    """An operation that was sent and is not yet answered."""

    operation: str
    scheduled: float
    started: float
    enclosing: Enclosing | None
    """The measured call that it is part of."""
    trace: Trace | None = None
    """None: it is not sampled."""


class Client:
    """Counts the operations in flight and creates one sample of each. Calls may overlap, even from several threads."""

    mode: Mode
    operations: ClassVar[tuple[Operation, ...]]
    """Operations of its layer, besides those that a locustfile measures."""

    def __init__(self, emit: Callable[[Sample], None], checks: Checks | None = None, variant: str = "") -> None:
        self._emit = emit
        self.variant = variant or self.mode.value
        """Name of the variant of its samples; defaults to the mode."""
        self._checks = checks or Checks()
        self.operation_names, self.stage_names = name_operations(self.operations), new_stage_names()
        self.item_names = new_item_names()
        """Those of the process's run, where a user shares them with all others."""
        self.loop_holds = LoopHolds()
        """That of the process, likewise: a layer may note which stages hold the event loop."""
        self.refused: frozenset[str] = frozenset()
        """Operations that its user has not declared, and on whose absence a shared collection may rely."""
        self.acknowledged: Acknowledged | None = None
        """Rows of acknowledged inserts, in a phase with faults."""
        self.has_stages = False
        """Its layer splits its operations into stages."""
        self.tracer: Tracer | None = None
        """Draws the operations whose requests send a trace context; None: no operation."""
        self._closed = self._abandoned = False
        self._tokens = count()
        self._in_flight: dict[int, Begun] = {}
        self._nested: dict[int, Begun] = {}
        """Those that are part of a measured call."""
        self.due: float | None = None
        """When the next operation should have started (perf_counter); it takes that with it. None: when it starts."""

    @property
    def in_flight(self) -> int:
        """Operations sent and not yet answered; nested ones are not counted."""
        return len(self._in_flight)

    @property
    def is_closed(self) -> bool:
        """True from `close` on."""
        return self._closed

    def split_operations(self) -> None:
        """Split its operations into stages from now on, if its layer can."""

    def trace_operations(self, tracer: Tracer | None) -> None:
        """Sample operations from now on; None: none."""
        self.tracer = tracer
        if tracer is not None:
            self._send_traces()

    def _send_traces(self) -> None:
        """Have the requests of its layer send the trace context of a sampled operation. Idempotent."""

    def close(self) -> None:
        """Refuse further operations with `ClosedError`; those in flight, and their nested ones, continue."""
        self._closed = True

    def abandon(self) -> int:
        """Create a failed sample of each operation in flight, so that none is lost; answers after this do not count."""
        self._closed = self._abandoned = True
        abandoned = 0
        for token in [*self._nested, *self._in_flight]:
            abandoned += self.end(token, 0, UnfinishedError())
        return abandoned

    def _permit(self, operation: str) -> None:
        """Raises UndeclaredError for an operation of the client that its user omits."""
        if operation in self.refused:
            problem = "is not declared by the class of this user"
            raise UndeclaredError(f'{operation} {problem}: add "{operation}" to its operations')

    def begin(self, operation: str) -> int:
        """Start the clock of an operation; the token is for `end` or `fail`.

        Raises ClosedError if the user must end, OperationNameError for a name that is invalid or exceeds the limit,
        UndeclaredError for an operation of the client that its user omits.
        """
        if operation in self.refused:
            self._permit(operation)
        call = ENCLOSING.get()
        if call is not None and call.is_over:
            call = find_enclosing()
        if self._closed and (call is None or self._abandoned):
            raise ClosedError
        self.operation_names.add(operation)
        token = next(self._tokens)
        trace = None if self.tracer is None else self._trace(self.tracer, call)
        started = perf_counter()
        if call is not None:
            self._nested[token] = Begun(operation, started, started, call, trace)
            return token
        due = started
        if self.due is not None:
            due, self.due = self.due, None
        self._in_flight[token] = _make(Begun, (operation, due, started, None, trace))
        return token

    def _trace(self, tracer: Tracer, call: Enclosing | None) -> Trace | None:
        """The trace of an operation that begins, now that of the current thread or task; None: it is not sampled."""
        outer = None if call is None else call.trace
        trace = tracer.start() if call is None else None if outer is None else tracer.nest(outer)
        if trace is not None:
            self._send_traces()
            TRACE.set(trace)
        return trace

    def trace_of(self, token: int) -> Trace | None:
        """The trace of an operation in flight; None: it is not sampled."""
        begun = self._in_flight.get(token) or self._nested.get(token)
        return None if begun is None else begun.trace

    def forget(self, token: int) -> None:
        """Discard an operation that did nothing: no sample, and its due time is left to the next one."""
        begun = self._in_flight.pop(token, None) or self._nested.pop(token, None)
        if begun is not None and begun.scheduled != begun.started:
            self.due = begun.scheduled
        if begun is not None and begun.trace is not None:
            _end_trace(begun)

    def end(
        self,
        token: int,
        rows: int,
        error: BaseException | None = None,
        stages: StageTimes | Marks | None = None,
        count_items: CountItems | None = None,
    ) -> bool:
        """Stop the clock, and hand over the sample; False if it was already abandoned. `stages` are seconds.

        Marks are split into stages by the clock readings of the sample. Raises what `count_items` raises, after that.
        """
        finished = perf_counter()
        begun = self._in_flight.pop(token, None) or self._nested.pop(token, None)
        if begun is None:  # abandoned in the meantime
            return False
        outcome = outcome_of(error) if error is not None else Outcome.OK if rows else Outcome.EMPTY
        operation, scheduled, started, call, trace = begun
        if trace is not None:
            _end_trace(begun)
        if call is not None:
            call.samples += 1
        if stages is None:
            parts = NO_STAGES
        elif isinstance(stages, Marks):
            parts = stages.split(scheduled, started, finished)
        else:
            parts = dict(stages) or NO_STAGES
        nested = call is not None
        times = (scheduled, started, finished)
        items = NO_ITEMS
        try:
            if count_items is not None:
                items = count_items()
        finally:  # an operation whose items cannot be counted has ended all the same
            own = (self.variant, operation, *times, outcome, rows, error, nested, parts, items, trace)
            self._emit(_make(Sample, own))
        return True

    def fail(self, token: int, error: BaseException, stages: StageTimes | None = None) -> None:
        """End a call that raised; anything but an ordinary failure (a cancelled user, Ctrl-C) is raised again.

        A call that the deadline of an enclosing one has cancelled took too long: its outcome is `timeout`.
        """
        ordinary = isinstance(error, Exception)
        reported = error if ordinary else TimeoutError() if _is_expired(error) else UnfinishedError()
        self.end(token, 0, reported, stages)
        if not ordinary:
            raise error


def _end_trace(begun: Begun) -> None:
    """What follows in this thread or task is part of the enclosing operation, if any."""
    TRACE.set(None if begun.enclosing is None else begun.enclosing.trace)


def _is_expired(error: BaseException) -> bool:
    call = find_enclosing()
    while isinstance(error, CancelledError) and call is not None:
        if call.is_expired:
            return True
        call = call.outer
    return False


def new_stage_names() -> Names:
    """The names of the stages of a run."""
    return Names("stage", STAGES_AT_MOST)


def new_item_names() -> Names:
    """The names of the items of a run."""
    return Names("item", ITEMS_AT_MOST)


def name_operations(operations: Iterable[Operation]) -> Names:
    """The names of these operations, and room for others."""
    return Names("operation", NAMES_AT_MOST, [operation.name for operation in operations])
