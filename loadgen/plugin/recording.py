"""The run record of one run: what was measured, kept after every phase."""

import logging
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from hdrh.histogram import HdrHistogram

from loadgen import compare
from loadgen.errors import TaskErrors
from loadgen.ledger import Counted
from loadgen.levels import Level, find_limits
from loadgen.record import (
    SCHEMA_VERSION,
    Comparison,
    Durations,
    Generator,
    Manifest,
    OperationRecord,
    Outside,
    PhaseRecord,
    Ratio,
    RunRecord,
    Slice,
    TaskErrorRecord,
    describe_machine,
    mask_command_line,
    new_run_id,
    package_versions,
    settings_without_secrets,
    write_record,
)
from loadgen.settings import Settings
from loadgen.store import ServerInfo
from loadgen.tally import MICROSECONDS, Tally, mean, percentile
from loadgen.truth import Recalls
from loadgen.window import Window

PACKAGES = (
    "milvus-loadgen", "locust", "gevent", "grpcio", "pymilvus", "llama-index-core", "llama-index-vector-stores-milvus",
    "numpy", "hdrhistogram", "uvloop", "milvus", "milvus-lite",
)  # fmt: skip

FindSharers = Callable[[], tuple[str, ...] | None]
"""Which other runs were seen to use the collection; None where nobody can know."""

logger = logging.getLogger("loadgen")


class Recorder:
    """Writes `<run id>.json` again after every phase; one for each run, on the master or the local runner."""

    def __init__(
        self,
        settings: Settings,
        server: ServerInfo,
        workers: int,
        run_id: str = "",
        find_sharers: FindSharers = tuple,
    ) -> None:
        self._find_sharers = find_sharers
        self._folder = settings.record
        self.path: Path | None = None
        self.problem = ""
        """Why the file does not hold the latest state of the run."""
        now = datetime.now(UTC)
        self.record = RunRecord(
            schema_version=SCHEMA_VERSION,
            run_id=run_id or new_run_id(now, SystemRandom()),
            started_at=now,
            manifest=_manifest(settings, server, workers),
            phases=(),
            outside=(),
            dropped_outside={},
            planned_phases=None,
            incomplete=None,
            task_errors_outside=(),
            comparisons=(),
        )

    def hide(self, flags: Collection[str]) -> None:
        """Mask the values of these flags of the locustfile's own in the command line."""
        told = {"command_line": mask_command_line(sys.argv, flags)}
        self.record = self.record.model_copy(update={"manifest": self.record.manifest.model_copy(update=told)})

    def expect(self, phases: int) -> None:
        """The run is to have this many phases."""
        self.record = self.record.model_copy(update={"planned_phases": phases})

    def keep(self, ledger: Counted, levels: Sequence[Level] = (), incomplete: str | None = None) -> None:
        """Write all phases measured so far, also one in which nothing was answered. A folder that fails is reported.

        `incomplete`: why less ran than was asked for, None while the run goes on.
        """
        windows = list(ledger.windows.values())  # at once: the next phase may begin meanwhile
        measured = sorted((window for window in windows if window.seconds > 0), key=lambda w: w.phase.number)
        phases = tuple(_phase(window) for window in measured)
        comparisons = tuple(one for level in levels if (one := _comparison(level)) is not None)
        self.record = self.record.model_copy(
            update={
                "manifest": self.record.manifest.model_copy(update={"shared_with": self._find_sharers()}),
                "phases": phases,
                "outside": _outside(ledger),
                "incomplete": incomplete,
                "dropped_outside": {mode: number for mode, number in ledger.dropped_outside.items() if number},
                "task_errors_outside": _task_errors(ledger.errors_outside),
                "comparisons": comparisons,
            }
        )
        if not self._folder or not phases:
            return
        try:
            self.path = write_record(self._folder, self.record)
            self.problem = ""
        except OSError as error:
            self.problem = f"the run record cannot be written to {self._folder}: {error.strerror or error}"
            logger.error("%s%s", self.problem[:1].upper(), self.problem[1:])  # noqa: TRY400


def _manifest(settings: Settings, server: ServerInfo, workers: int) -> Manifest:
    machine = describe_machine()
    return Manifest(
        settings=settings_without_secrets(settings),
        packages=package_versions(PACKAGES),
        server_version=server.version,
        server_type=server.kind,
        rows=settings.rows,
        index=settings.index_config,
        seed=settings.seed,
        workers=workers,
        shared_with=(),
        cpu_model=machine.cpu_model,
        cpu_count=machine.cpu_count,
        memory_bytes=machine.memory_bytes,
        python=machine.python,
        command_line=mask_command_line(sys.argv),
    )


def _phase(window: Window) -> PhaseRecord:
    health = window.health
    return PhaseRecord(
        mode=window.phase.mode,
        style=window.phase.style,
        started_at=datetime.fromtimestamp(window.phase.started_at, UTC) if window.phase.started_at else None,
        model=window.phase.model,
        concurrency=None if window.phase.is_open else window.phase.concurrency,
        rate=window.phase.rate or None,
        seconds=window.seconds,
        offered=window.flow.offered if window.phase.is_open else None,
        dropped=window.flow.dropped,
        unfinished=window.flow.unfinished,
        longest_unfinished_seconds=percentile(window.flow.left, 100),
        workers_lost=window.workers_lost,
        users_gone=window.users_gone,
        operations=tuple(_operation(name, tally, window) for (_, name), tally in sorted(window.tallies.items())),
        task_errors=_task_errors(window.errors),
        generator=Generator(
            cpu_ratio=health.cpu_ratio,
            loop_lag_p99_seconds=health.loop.p99,
            loop_lag_max_seconds=health.loop.longest,
            loop_late_beats=health.loop.late,
            hub_lag_p99_seconds=health.hub.p99,
            hub_lag_max_seconds=health.hub.longest,
            hub_late_beats=health.hub.late,
            pace_lag_p99_seconds=health.pace.p99,
            pace_lag_max_seconds=health.pace.longest,
            late_arrivals=health.pace.late,
            in_flight_mean=health.in_flight_mean,
            in_flight_max=health.in_flight_most,
            watched_share=None if window.phase.operations else health.watched_share(window.expected),
            saturated=bool(find_limits(window)),
        ),
    )


def _outside(ledger: Counted) -> tuple[Outside, ...]:
    found = sorted(list(ledger.outside.items()))  # noqa: C414 - at once, as above
    return tuple(Outside(mode=mode, operation=name, outcomes=dict(outcomes)) for (mode, name), outcomes in found)


def _task_errors(errors: TaskErrors) -> tuple[TaskErrorRecord, ...]:
    return tuple(
        TaskErrorRecord(mode=mode, error=kind.name, place=kind.place, count=number) for mode, kind, number in errors
    )


def _operation(name: str, tally: Tally, window: Window) -> OperationRecord:
    recalls = window.recalls if name == "search" else Recalls()
    return OperationRecord(
        operation=name,
        outcomes=dict(tally.outcomes),
        throughput=(tally.operations - tally.failures) / window.seconds,
        service_seconds=_durations(tally.service),
        response_seconds=_durations(tally.response),
        recall=recalls.mean,
        recall_checks=0 if recalls.mean is None else recalls.checks,
        slices=_slices(name, window),
    )


def _slices(name: str, window: Window) -> tuple[Slice, ...]:
    if not window.phase.seconds:
        return ()
    pieces = window.slices.get(name) or window.new_slices()
    return tuple(
        Slice(seconds=piece.seconds, operations=piece.operations, times=piece.times_as_text()) for piece in pieces
    )


def _durations(histogram: HdrHistogram) -> Durations:
    known = bool(histogram.get_total_count())
    return Durations(
        mean=mean(histogram) if known else None,
        p50=percentile(histogram, 50),
        p90=percentile(histogram, 90),
        p95=percentile(histogram, 95),
        p99=percentile(histogram, 99),
        p99_9=percentile(histogram, 99.9),
        max=histogram.get_max_value() / MICROSECONDS if known else None,
        histogram=histogram.encode(),
    )


def _comparison(level: Level) -> Comparison | None:
    found = level.comparison
    if found is None:
        return None
    return Comparison(
        operation=level.operation,
        concurrency=None if level.is_open else int(level.load),
        rate=level.load if level.is_open else None,
        throughput_ratio=_ratio(found.throughput),
        p50_ratio=_ratio(found.p50),
        p99_ratio=_ratio(found.p99),
        async_share=found.async_share,
        verdict=found.verdict.value,
        reasons=found.reasons,
    )


def _ratio(found: compare.Ratio | None) -> Ratio:
    if found is None:
        return Ratio(estimate=None, low=None, high=None)
    return Ratio.model_validate(found, from_attributes=True)
