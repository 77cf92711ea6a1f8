"""What is kept of a run. Every key is always there; null stands for "not measured", also for not-a-number.

Times are seconds and rates are per second, unless a name says otherwise. Ratios are of a variant to the baseline.
"""

from datetime import UTC, datetime
from random import Random
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, field_validator, model_validator

from loadgen.measure.health import WATCHED_AT_LEAST
from loadgen.measure.sample import Mode
from loadgen.results.record.operations import OperationRecord, Outside
from loadgen.results.record.part import Count, Figure, Part, Share, without_nan

SCHEMA_VERSION = 5
"""Goes up with every change of the keys or of what they mean."""
NOT_LOOK_ALIKES = "23456789abcdefghjkmnpqrstuvwxyz"


class Generator(Part):
    """How hard the load generator itself worked: of several processes the worst, each figure by itself."""

    cpu_ratio: Figure
    """CPU time of the process to wall time: 1 is one core."""
    loop_lag_p99_seconds: Figure
    """Lateness of the event loop that async operations run on, by ten beats a second."""
    loop_lag_max_seconds: Figure
    loop_late_beats: Count
    """Beats at which it was 0.1 s late or more."""
    hub_lag_p99_seconds: Figure
    """Lateness of Locust's hub, by the same beats."""
    hub_lag_max_seconds: Figure
    hub_late_beats: Count
    """Beats at which it was 0.1 s late or more; one that was later counts for each further 0.1 s as well."""
    pace_lag_p99_seconds: Figure
    """How late arrivals of an open model were started; null in the closed model."""
    pace_lag_max_seconds: Figure
    late_arrivals: Count
    """Arrivals that were started 0.1 s late or more."""
    in_flight_mean: Figure
    """Operations under way, on average over the beats; of several processes, their sum."""
    in_flight_max: Count
    """Operations under way at one beat at most; of several processes the sum, which no moment may have reached."""
    watched_share: Share
    """Part of the phase for which its CPU and lags were looked at; of several processes the least. null: not known."""
    saturated: bool
    """True where the generator, not the server, was the limit: its CPU, or a lag at p99 with three that were late."""

    @property
    def is_unwatched(self) -> bool:
        """True where it was looked at for too small a part of the phase; not known is no evidence of that."""
        return self.watched_share is not None and self.watched_share < WATCHED_AT_LEAST


class TaskErrorRecord(Part):
    """Exceptions of one type that the tasks of one variant raised at one place. They are no operations."""

    variant: str
    error: str
    """Its type, such as `ValueError`; `other` for all that came after too many different ones."""
    place: str
    """File and line, such as `search.py:12`; empty where unknown."""
    count: Count


class PhaseRecord(Part):
    """One measured window: one variant at one concurrency, or at one rate of arrivals."""

    variant: str
    """Name of what was measured; what it is stands in the manifest."""
    mode: Mode
    style: Literal["", "sync", "threads", "async"]
    """Of a burst: one after another, on threads, or with `asyncio.gather`; empty for all other phases."""
    started_at: AwareDatetime | None
    """When the measured part began, by the clock of the master or single process."""
    model: Literal["closed", "constant", "poisson"]
    """`closed`: users who wait for their answer. The others: arrivals in equal or in exponential distances."""
    concurrency: Count | None
    """Users of all workers; null in an open model."""
    rate: Annotated[float, Field(gt=0)] | None
    """Arrivals per second of all workers; null in the closed model."""
    seconds: Annotated[float, Field(ge=0, le=1e9)]
    """Measured length, warm-up not included."""
    offered: Count | None
    """Arrivals that were due in the measured part; null in the closed model."""
    dropped: Count
    """Arrivals that found no place within the wait allowed to them, and were never sent."""
    unfinished: Count
    """Operations that were waiting or under way when the phase ended; no figure has them."""
    longest_unfinished_seconds: Figure
    """For how long the longest of them had been due by then."""
    workers_lost: Count
    """Workers that left while it ran: above 0, the load was not what was asked for."""
    operations: tuple[OperationRecord, ...]
    users_gone: Count
    """Users that ended by themselves before it did: above 0, the load was not what was asked for."""
    task_errors: tuple[TaskErrorRecord, ...]
    """Exceptions that its tasks raised while it was measured."""
    generator: Generator

    @model_validator(mode="after")
    def _has_its_level(self) -> Self:
        if (self.model == "closed") != (self.concurrency is not None) or (self.model != "closed") != bool(self.rate):
            raise ValueError("needs a concurrency and no rate in the closed model, a rate and no concurrency else")
        return self


class Ratio(Part):
    """Variant to baseline, with its 95 % interval; null where it could not be had."""

    estimate: Figure
    low: Figure
    high: Figure
    baseline_value: Figure = None
    """What it is the ratio of: operations per second, or seconds, in the middle of the level's time. Not that of all
    operations together, which is in the phases; with full rounds the geometric mean of the phases of the baseline."""
    variant_value: Figure = None
    """The same of the variant; by `baseline_value` it is the estimate. Both are null in a record without them."""


class Comparison(Part):
    """A variant and the baseline at one concurrency or rate."""

    baseline: str
    variant: str
    operation: str
    concurrency: Count | None
    """Users; null where arrivals were compared."""
    rate: Annotated[float, Field(gt=0)] | None
    """Arrivals per second; null where users were compared."""
    throughput_ratio: Ratio
    p50_ratio: Ratio
    """Of response times, as p99_ratio: below 1, the variant answers sooner."""
    p99_ratio: Ratio
    share_ahead: Share
    """Probability that the variant is ahead in what decides: the share of the replicates in which it is."""
    verdict: Literal["variant", "baseline", "no difference", "invalid"]
    """The side with the higher throughput (arrivals: the lower p99 or no drops), where the interval excludes 1."""
    reasons: tuple[str, ...]
    """Why it is invalid, or what to know about it."""

    @model_validator(mode="after")
    def _has_one_level(self) -> Self:
        if (self.concurrency is None) == (self.rate is None):
            raise ValueError("needs either a concurrency or a rate")
        return self


class VariantRecord(Part):
    """One of the things that were compared."""

    name: str
    mode: Mode
    client: str
    """The layer that was called, such as `llamaindex`."""
    settings: dict[str, JsonValue]
    """The settings in which it differed from the run's own, as they were in effect."""


class Manifest(Part):
    """What was measured, with what, and where. No secret is in it."""

    settings: dict[str, JsonValue]
    """All settings but the secret ones; times in seconds."""
    variants: tuple[VariantRecord, ...]
    """What was measured, in the order of a round."""
    baseline: str
    """Name of the variant that the others were compared with."""
    packages: dict[str, str]
    """Version of each package involved that is installed."""
    server_version: str
    server_type: str
    """Such as `milvus`, `lite` or `zilliz`."""
    rows: Count
    """Rows in the collection before the load."""
    dataset: str = "synthetic"
    """`synthetic`, or the path of the file or folder with the rows."""
    fingerprint: str = ""
    """16 hex digits that differ if the data differ; empty if unknown."""
    index: dict[str, JsonValue]
    """`index_type` and its parameters."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    workers: Count
    """Processes that made load: 1 where the run had no workers."""
    shared_with: tuple[str, ...] | None
    """Other runs that were seen to search the collection meanwhile; null where no lease on it could be kept."""
    cpu_model: str
    cpu_count: Count
    """Cores that the process may use; of the master or single process, as all that follows."""
    memory_bytes: Count | None
    python: str
    command_line: str
    """As typed, with secrets masked."""

    @field_validator("settings", "index", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        return without_nan(value)


class RunRecord(Part):
    """All phases of one run."""

    schema_version: Literal[5]
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    started_at: AwareDatetime
    manifest: Manifest
    phases: tuple[PhaseRecord, ...]
    """In the order in which they ran."""
    outside: tuple[Outside, ...]
    dropped_outside: dict[str, Count]
    """Arrivals that were given up in no phase, but in a warm-up, by variant; those without any are left out."""
    """With the operations of all phases, everything that was sent: as many as Locust and the metrics count."""
    planned_phases: Count | None
    """Phases that were asked for; 0 in a run of one mode, null where that was not kept."""
    incomplete: str | None
    """Why less ran than was asked for; empty where all of it ran, null while the run goes on or where it was killed."""
    task_errors_outside: tuple[TaskErrorRecord, ...]
    """Exceptions that tasks raised in no phase."""
    comparisons: tuple[Comparison, ...]
    """Empty until the run is over, and where only one mode ran."""

    @property
    def variant_names(self) -> list[str]:
        """In the order of a round; any that only the phases name come last."""
        named = [one.name for one in self.manifest.variants]
        return list(dict.fromkeys([*named, *(phase.variant for phase in self.phases)]))

    @property
    def task_errors(self) -> int:
        """Exceptions that tasks raised in the whole run."""
        parts = [*self.task_errors_outside, *(part for phase in self.phases for part in phase.task_errors)]
        return sum(part.count for part in parts)

    def with_phase(self, phase: PhaseRecord) -> Self:
        """The same run, one phase later."""
        return self.model_copy(update={"phases": (*self.phases, phase)})

    def with_comparisons(self, comparisons: tuple[Comparison, ...]) -> Self:
        """The same run, compared."""
        return self.model_copy(update={"comparisons": comparisons})


def new_run_id(now: datetime, random: Random) -> str:
    """A name that sorts by time (UTC) and can be read out: 20261122-193000-k3f9."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{''.join(random.choices(NOT_LOOK_ALIKES, k=4))}"
