"""The runs of the plan, one after another, each against a simulated model of its own."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hdrh.histogram import HdrHistogram

from loadgen.calibrate.commands import CalibrationError, run_command
from loadgen.calibrate.rag.plan import BARE, LOCUSTFILE, MARK, OUTCOMES, STAGES, TOTAL, RagDrive, has_stages
from loadgen.clients.rag.client import ASK
from loadgen.clients.rag.stages import FIRST_TOKEN, INTER_TOKEN
from loadgen.llm_server import ServiceCounts, start_llm_server
from loadgen.llm_server.plan import plan_chat
from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.histograms import new_histogram
from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record import OperationRecord, RunRecord, read_record
from loadgen.text.listing import count_of

FIGURES = (FIRST_TOKEN, INTER_TOKEN, TOTAL)
COLLECTION = "loadgen_calibrate_rag"
COMPLETE, JUDGED = 0, 1
"""Exit codes of runs that sent load; a phase in which no ask ended, on a busy machine, gives the second."""
SLACK = 120.0
"""Seconds that a run may take beyond its phases: it embeds the documents."""
SHORT_PROMPTS = ("--chunk-size", "128", "--chunk-overlap", "0", "--top-k", "2")
"""Counting the tokens of a prompt takes CPU: with the usual chunks eight users would keep two cores busy, and tails of
a full machine would be compared instead of clocks."""
OUTCOME_OF = {"ok": Outcome.OK, "429": Outcome.THROTTLED, "503": Outcome.UNAVAILABLE, "broken": Outcome.FAILED}
"""What the server counts, as the tool calls it."""


@dataclass(slots=True)
class Side:
    """All windows of one side in one mode with one number of users."""

    seconds: float = 0.0
    asks: int = 0
    times: dict[str, HdrHistogram] = field(default_factory=lambda: {name: new_histogram() for name in FIGURES})
    """Microseconds of each of `FIGURES`."""
    rates: list[float] = field(default_factory=list)
    """Asks per second of each window."""

    def add(self, seconds: float, asks: int, times: Mapping[str, str]) -> None:
        """Count a window; `times` are encoded histograms."""
        self.seconds += seconds
        self.asks += asks
        self.rates.append(asks / seconds)
        for name, text in times.items():
            self.times[name].add(decode_histogram(text))

    @property
    def rate(self) -> float:
        """Asks per second."""
        return self.asks / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class SidePair:
    """The tool, and what it is compared with: bare loops, or the tool without stages."""

    subject: str
    mode: Mode
    users: int
    tool: Side
    other: Side
    late: float | None
    """Seconds by which the server was late at p99 of the whole run; None if it answered nothing."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the asks of a run ended: as the tool reports it, and as the server counts it."""

    reported: Mapping[Outcome, int]
    counted: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Result:
    """Of all runs."""

    pairs: tuple[SidePair, ...]
    outcomes: Outcomes


class RagDriver:
    """Runs commands in a dedicated folder, against one Milvus."""

    def __init__(self, host: str, folder: Path) -> None:
        self._host = host
        self._folder = folder
        self._runs = 0

    def run(self, drive: RagDrive) -> tuple[list[SidePair], Outcomes]:
        """One run. Raises CalibrationError, LlmServerError."""
        with start_llm_server(drive.behaviour) as server:
            record, output = self._run_locust(drive, server.url)
            counts = server.counts().chat
        outcomes = Outcomes(_reported(record), _counted(drive, counts))
        if drive.subject == OUTCOMES:
            return [], outcomes
        if failed := {kind: number for kind, number in outcomes.reported.items() if kind is not Outcome.OK}:
            raise CalibrationError(f"asks failed in the run about {drive.subject}: {failed}")
        late = counts.times["late"].get("p99")
        bare = (json.loads(line.removeprefix(MARK)) for line in output.splitlines() if line.startswith(MARK))
        sides = _collect(drive, record, bare)
        return [SidePair(drive.subject, *place, *both, late) for place, both in sides.items()], outcomes

    def _run_locust(self, drive: RagDrive, model: str) -> tuple[RunRecord, str]:
        self._runs += 1
        records = self._folder / f"records-{self._runs}"
        name = f"{drive.subject}.py"
        (self._folder / name).write_text(LOCUSTFILE.replace("{subject}", drive.subject))
        flags = ["--host", self._host, "--collection", COLLECTION, "--simulated-url", model, "--stream"]
        flags += ["--recall-every", "0", "--no-wait-compaction", "--record", str(records), "--max-failures", "90%"]
        command = [sys.executable, "-m", "locust", "-f", name, "--headless", "--only-summary", *flags, *drive.flags]
        command += SHORT_PROMPTS
        code, output, errors = run_command(command, self._folder, drive.longest + SLACK)
        path = next(records.glob("[!.]*.json"), None)
        if code not in (COMPLETE, JUDGED) or path is None:
            raise CalibrationError(f"the run about {drive.subject} failed ({code}):\n{errors}")
        record = read_record(path)
        if len(record.phases) != drive.phases:
            wanted = count_of(drive.phases, "phase")
            raise CalibrationError(f"expected {wanted} about {drive.subject}, the record has {len(record.phases)}")
        return record, output


def _collect(
    drive: RagDrive, record: RunRecord, bare: Iterable[Mapping[str, object]]
) -> dict[tuple[Mode, int], tuple[Side, Side]]:
    """The tool's windows and the others, by mode and users. Raises CalibrationError if some are missing."""
    sides: dict[tuple[Mode, int], tuple[Side, Side]] = {}
    for number, phase in enumerate(record.phases):
        both = sides.setdefault((phase.mode, phase.concurrency or 0), (Side(), Side()))
        is_other = drive.subject == STAGES and not has_stages(number)
        result = [one for one in phase.operations if one.operation == ASK]
        both[is_other].add(phase.seconds, sum(one.count for one in result), dict(_histograms(result)))
    windows = 0
    for reported in bare:
        windows += 1
        mode, users, seconds, asks, times = (reported[key] for key in ("mode", "users", "seconds", "asks", "times"))
        sides[Mode(str(mode)), users][1].add(seconds, asks, times)  # type: ignore[index,arg-type]
    if windows != (drive.phases if drive.subject == BARE else 0):
        raise CalibrationError(f"expected {count_of(drive.phases, 'bare window')}, the run had {windows}")
    return sides


def _histograms(asks: Iterable[OperationRecord]) -> Iterator[tuple[str, str]]:
    for one in asks:
        yield TOTAL, one.response_seconds.histogram
        for stage in (FIRST_TOKEN, INTER_TOKEN):
            if stage in one.stages:
                yield stage, one.stages[stage].histogram


def _reported(record: RunRecord) -> Counter[Outcome]:
    """Outcomes of the whole run, in and outside of its windows."""
    total: Counter[Outcome] = Counter()
    for one in (*(part for phase in record.phases for part in phase.operations), *record.outside):
        if one.operation == ASK:
            total.update(one.outcomes)
    return total


def _counted(drive: RagDrive, counts: ServiceCounts) -> Counter[Outcome]:
    """What the server counts without the questions before the load, one for each mode, which the tool does not."""
    total: Counter[Outcome] = Counter()
    for kind, number in counts.outcomes.items():
        total[OUTCOME_OF.get(kind, Outcome.REJECTED)] += number
    for number in range(len(Mode)):
        total[OUTCOME_OF[plan_chat(drive.behaviour, number).error or "ok"]] -= 1
    return total


def drive_all(plan: Sequence[RagDrive], driver: RagDriver, tell: Callable[[str], None]) -> Result:
    """All runs, in their order. Raises CalibrationError, LlmServerError."""
    pairs: list[SidePair] = []
    outcomes = Outcomes({}, {})
    for number, drive in enumerate(plan, 1):
        users = ", ".join(map(str, drive.levels))
        tell(f"{number} of {len(plan)}: {drive.title}; {users} users, {drive.phases} x {drive.seconds:g} s")
        result, ended = driver.run(drive)
        pairs += result
        outcomes = ended if drive.subject == OUTCOMES else outcomes
    return Result(tuple(pairs), outcomes)
