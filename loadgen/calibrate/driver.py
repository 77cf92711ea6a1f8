"""The commands of the plan, run one after another against a server whose delays follow their phases."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadgen.calibrate.commands import CalibrationError, run_command
from loadgen.calibrate.plan import LOCUSTFILE, DelayProfile, Drive
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server.delaying import DelayingServer, Kept
from loadgen.milvus.server.delays import Delays
from loadgen.milvus.store import prepare
from loadgen.results.record import Durations, RunRecord, read_record
from loadgen.settings.model import Settings
from loadgen.text.listing import count_of

SLACK = 90.0
"""Seconds that a command may take beyond its phases."""
Percentiles = tuple[float, float, float, float]
"""p50, p95, p99 and p99.9 in seconds."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The reported figures of one phase, and the server's own measurements."""

    driver: str
    kind: DelayProfile
    mode: Mode
    operations: int
    throughput: float
    service: Percentiles
    response: Percentiles
    dropped: int
    kept: Kept


class Driver:
    """Runs commands in a dedicated folder."""

    def __init__(self, settings: Settings, server: DelayingServer, folder: Path) -> None:
        self._settings = settings.model_copy(update={"host": server.uri})
        self._server = server
        self._folder = folder
        self._runs = 0
        (folder / "calibrate.py").write_text(LOCUSTFILE)

    def prepare(self, upstream: str) -> None:
        """Load the rows into the server that creates the replies. Raises StoreError, SettingsError."""
        settings = self._settings.model_copy(update={"host": upstream})
        prepare(settings, open_dataset(settings), lambda _line: None)

    def run(self, drive: Drive) -> list[Measurement]:
        """One command, all its phases. Raises CalibrationError, ServerError."""
        work = self._run_bare if drive.driver in ("bare", "paced") else self._run_locust
        return work(drive)

    def _run_bare(self, drive: Drive) -> list[Measurement]:
        length = {"phase_seconds": drive.seconds, "warmup_seconds": drive.warmup}
        settings = self._settings.model_copy(update=length).model_dump_json(exclude={"token"})
        command = [sys.executable, "-m", "loadgen.calibrate.bare", settings, str(len(drive.kinds)), str(drive.rate)]
        out, kept = self._hear(command, drive)
        result = []
        for number, reported in enumerate(json.loads(out)):
            if not reported["operations"]:
                raise CalibrationError(f"the bare loops did nothing in phase {number + 1}")
            times: Percentiles = tuple(reported["times"][:4])
            rate, count = reported["throughput"], reported["operations"]
            kind, mode = drive.kinds[number], drive.modes[number]
            result.append(Measurement(drive.driver, kind, mode, count, rate, times, times, 0, kept[number]))
        return result

    def record(self, drive: Drive) -> tuple[RunRecord, list[Kept]]:
        """One run of `locust`: its record, and the server's measurements of each phase.

        Raises CalibrationError, ServerError.
        """
        self._runs += 1
        records = self._folder / f"records-{self._runs}"
        given = self._settings
        flags = ["--host", given.host, "--collection", given.collection, "--rows", str(given.rows)]
        flags += ["--dim", str(given.dim), "--index-type", given.index_type, "--top-k", str(given.top_k)]
        flags += ["--queries", str(given.queries), "--recall-every", "0", "--record", str(records)]
        command = [sys.executable, "-m", "locust", "-f", "calibrate.py", "--headless", "--only-summary"]
        _, kept = self._hear([*command, *flags, *drive.flags], drive)
        (path,) = records.glob("[!.]*.json")
        record = read_record(path)
        if len(record.phases) != len(drive.kinds):
            wanted = count_of(len(drive.kinds), "phase")
            raise CalibrationError(f"expected {wanted}, the record has {len(record.phases)}")
        return record, kept

    def _run_locust(self, drive: Drive) -> list[Measurement]:
        record, kept = self.record(drive)
        result = []
        for number, phase in enumerate(record.phases):
            if not phase.operations:
                raise CalibrationError(f"{drive.driver} did nothing in phase {number + 1}")
            (one,) = phase.operations
            service, response = _percentiles(one.service_seconds), _percentiles(one.response_seconds)
            kind, rate = drive.kinds[number], one.throughput or 0.0
            reported = (one.count, rate, service, response, phase.dropped)
            result.append(Measurement(drive.driver, kind, phase.mode, *reported, kept[number]))
        return result

    def _hear(self, command: list[str], drive: Drive) -> tuple[str, list[Kept]]:
        """Run it to its end, setting the server's delays for each phase; returns the server's measurements of each."""
        kept: list[Kept] = []

        def begin_phase(number: int) -> None:
            kept.append(self._server.begin(drive.kinds[number - 1].delays))

        self._server.begin(Delays())
        longest = len(drive.kinds) * (drive.seconds + drive.warmup + 3) + SLACK
        code, out, errors = run_command(command, self._folder, longest, begin_phase)
        kept.append(self._server.begin(Delays()))
        if code:
            raise CalibrationError(f"{drive.driver} failed ({code}):\n{errors}")
        return out, kept[1:]


def _percentiles(durations: Durations) -> Percentiles:
    nan = float("nan")
    return durations.p50 or nan, durations.p95 or nan, durations.p99 or nan, durations.p99_9 or nan


def drive_all(plan: list[Drive], driver: Driver, tell: Callable[[str], None]) -> list[Measurement]:
    """All phases of all commands, in their order."""
    measurements: list[Measurement] = []
    for number, drive in enumerate(plan):
        names = ", ".join(dict.fromkeys(kind.name for kind in drive.kinds))
        tell(f"{number + 1} of {len(plan)}: {drive.driver}, delays {names}, {len(drive.kinds)} x {drive.seconds:g} s")
        measurements += driver.run(drive)
    return measurements
