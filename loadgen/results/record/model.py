"""The model of the run record. Every key is always present; null means "not measured" or not-a-number.

Times are seconds and rates are per second, unless a name says otherwise. Ratios are of a variant to the baseline.
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, field_validator, model_validator

from loadgen.measure.health import WATCHED_AT_LEAST
from loadgen.measure.sample import Mode
from loadgen.results.record.collections import CollectionRecord
from loadgen.results.record.faults import FaultsRecord
from loadgen.results.record.operations import OperationRecord, Outside, ScheduledRate, StageName
from loadgen.results.record.part import Count, Figure, Part, Share, without_nan
from loadgen.results.record.rate_search import RateSearchRecord
from loadgen.results.record.resumption import Resumption
from loadgen.results.record.scaling import Scaling
from loadgen.results.record.server import ServerRecord
from loadgen.results.record.sweep import SweepRecord
from loadgen.results.record.traces import TracesRecord

SCHEMA_VERSION = 7
"""Incremented with every change of the keys or their meaning."""


class Generator(Part):
    """State of the load generator itself: of several processes the worst, figure by figure."""

    cpu_ratio: Figure
    """CPU time of the process to wall time: 1 is one core."""
    core_wait_ratio: Figure = None
    """Share of the phase in which the event loop's thread was ready to run and had no core; null: unknown."""
    loop_held_ratios: dict[StageName, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Share of the phase for which each stage of coroutines held the event loop; stages that did not are omitted."""
    cores_used: Figure = None
    """CPU time of all processes to wall time; null: unknown, as in records of earlier versions."""
    memory_bytes: Figure = None
    """Resident memory: the sum over processes of their maxima in the phase."""
    sent_bytes_per_second: Figure = None
    """To the server, over all TCP connections of all processes, acknowledged; null: unknown, as with a proxy."""
    received_bytes_per_second: Figure = None
    loop_lag_p99_seconds: Figure
    """Lateness of the event loop that runs async operations, sampled ten times a second."""
    loop_lag_max_seconds: Figure
    loop_late_beats: Count
    """Samples at which it was 0.1 s late or more."""
    hub_lag_p99_seconds: Figure
    """Lateness of Locust's hub, sampled at the same rate."""
    hub_lag_max_seconds: Figure
    hub_late_beats: Count
    """Samples at which it was 0.1 s late or more; a later one counts once per 0.1 s."""
    pace_lag_p99_seconds: Figure
    """How late arrivals were started in the open model; null in the closed model."""
    pace_lag_max_seconds: Figure
    late_arrivals: Count
    """Arrivals that were started 0.1 s late or more."""
    in_flight_mean: Figure
    """Operations in flight, on average over the samples; of several processes, their sum."""
    in_flight_max: Count
    """Maximum operations in flight at one sample; of several processes the sum, which may never have been reached."""
    watched_share: Share
    """Share of the phase in which CPU and lags were sampled; of several processes the least. null: unknown."""
    saturated: bool
    """True if the generator, not the server, was the limit: by CPU, or by a p99 lag with three late samples or more."""

    @property
    def is_unwatched(self) -> bool:
        """True if it was sampled for too small a share of the phase; false if the share is unknown."""
        return self.watched_share is not None and self.watched_share < WATCHED_AT_LEAST


class TaskErrorRecord(Part):
    """Exceptions of one type that tasks of one variant raised at one place. They do not count as operations."""

    variant: str
    error: str
    """Its type, such as `ValueError`; `other` beyond the maximum number of types."""
    place: str
    """File and line, such as `search.py:12`; empty where unknown."""
    count: Count


class PhaseRecord(Part):
    """One measured window: one variant at one concurrency, or at one rate of arrivals."""

    variant: str
    """Name of the variant; the manifest describes it."""
    mode: Mode
    style: Literal["", "sync", "threads", "async"]
    """Of a burst: one after another, on threads, or with `asyncio.gather`; empty for all other phases."""
    started_at: AwareDatetime | None
    """When the measured part began, by the clock of the master or single process."""
    model: Literal["closed", "constant", "poisson"]
    """`closed`: users wait for their answer. The others: arrivals at constant or exponential intervals."""
    concurrency: Count | None
    """Users of all workers; null in an open model."""
    workers: Count | None = None
    """Workers that took part, of those that were there; null: all, as without the setting `scale_workers`."""
    rate: Annotated[float, Field(gt=0)] | None
    """Arrivals per second of all workers; null in the closed model."""
    scheduled: tuple[ScheduledRate, ...] = ()
    """Rates by operation or over time, with `rate` as their sum or mean; empty: `rate` at all times."""
    seconds: Annotated[float, Field(ge=0, le=1e9)]
    """Measured length, warm-up not included."""
    offered: Count | None
    """Arrivals that were due in the measured part; null in the closed model."""
    dropped: Count
    """Arrivals that got no concurrency slot within the maximum wait, and were never sent."""
    unfinished: Count
    """Operations that were waiting or in flight when the phase ended; no figure includes them."""
    longest_unfinished_seconds: Figure
    """How long the longest of them had been due by then."""
    workers_lost: Count
    """Workers lost during the phase: above 0, the load was lower than requested."""
    operations: tuple[OperationRecord, ...]
    users_gone: Count
    """Users that ended before the phase did: above 0, the load was lower than requested."""
    task_errors: tuple[TaskErrorRecord, ...]
    """Exceptions that its tasks raised while it was measured."""
    generator: Generator
    server: ServerRecord | None = None
    """What Milvus says of itself; null if its metrics were not read."""
    faults: FaultsRecord | None = None
    """What was done to the server, and how the phase recovered; null: nothing."""
    traces: TracesRecord | None = None
    """null: no operation was sampled."""

    @model_validator(mode="after")
    def _has_its_level(self) -> Self:
        if (self.model == "closed") != (self.concurrency is not None) or (self.model != "closed") != bool(self.rate):
            raise ValueError("needs a concurrency and no rate in the closed model, a rate and no concurrency else")
        return self


class Ratio(Part):
    """Variant to baseline, with its 95 % interval; null if it could not be computed."""

    estimate: Figure
    low: Figure
    high: Figure
    baseline_value: Figure = None
    """Denominator of the ratio: operations per second, or seconds, at the middle of the level's time. With full rounds
    it is the geometric mean of the baseline's phases, not the figure of all operations together."""
    variant_value: Figure = None
    """Numerator: divided by `baseline_value`, it is the estimate. Both are null in records of earlier versions."""


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
    """Ratio of response times, as is p99_ratio: below 1, the variant is faster."""
    p99_ratio: Ratio
    goodput_ratio: Ratio | None = None
    """Ratio of good operations per second, which decides nothing; null: they are not judged."""
    share_ahead: Share
    """Probability that the variant is ahead in the deciding figure: the share of replicates in which it is."""
    verdict: Literal["variant", "baseline", "no difference", "invalid"]
    """The side with the higher throughput (arrivals: the lower p99 or no drops), where the interval excludes 1."""
    reasons: tuple[str, ...]
    """Why it is invalid, or what to know about it."""

    @model_validator(mode="after")
    def _has_one_level(self) -> Self:
        if (self.concurrency is None) == (self.rate is None):
            raise ValueError("needs either a concurrency or a rate")
        return self


class SelectivityRecord(Part):
    """The share of the rows that a search may find under its filter and in its partition, over the distinct queries."""

    mean: Share
    least: Share
    most: Share
    queries: Count
    """Distinct queries that were looked at."""
    without_match: Count
    """Those that no row matches: their answers are empty."""


class VariantRecord(Part):
    """One variant of the run."""

    name: str
    mode: Mode
    client: str
    """The layer that was called, such as `llamaindex`."""
    settings: dict[str, JsonValue]
    """The settings in which it differed from the run, with their effective values."""
    selectivity: SelectivityRecord | None = None
    """null: its searches had neither filter nor partition, or it was not measured."""


class Manifest(Part):
    """What was measured, with what, and where. Contains no secrets."""

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
    collections: tuple[CollectionRecord, ...] = ()
    """Those that were searched, in the order of the variants; empty if unknown."""
    index: dict[str, JsonValue]
    """`index_type` and its parameters."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    workers: Count
    """Processes that generated load: 1 for a run without workers."""
    shared_with: tuple[str, ...] | None
    """Other runs that searched the collection at the same time; null if no lease on it could be kept."""
    cpu_model: str
    cpu_count: Count
    """Cores available to the process; this and the following are of the master or single process."""
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

    schema_version: Literal[7]
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    started_at: AwareDatetime
    manifest: Manifest
    phases: tuple[PhaseRecord, ...]
    """In the order in which they ran."""
    outside: tuple[Outside, ...]
    """Operations outside the phases; with those of all phases, the totals that Locust and the metrics show."""
    dropped_outside: dict[str, Count]
    """Arrivals dropped outside the phases, in a warm-up, by variant; variants without any are omitted."""
    planned_phases: Count | None
    """Planned phases; 0 in a run of one mode, null if not recorded."""
    incomplete: str | None
    """Why the run ended early; empty if it is complete, null while it goes on or if it was killed."""
    task_errors_outside: tuple[TaskErrorRecord, ...]
    """Exceptions that tasks raised outside the phases."""
    comparisons: tuple[Comparison, ...]
    """Empty until the run is over, and where only one mode ran."""
    rate_search: RateSearchRecord | None = None
    """The search for the highest rate; null if the run made none."""
    scaling: tuple[Scaling, ...] = ()
    """Throughput by number of workers; empty without the setting `scale_workers`."""
    sweeps: tuple[SweepRecord, ...] = ()
    """Throughput by recall; empty without the setting `sweep`, and until the run is over."""
    resumed: tuple[Resumption, ...] = ()
    """Interruptions after which the run was continued, with the setting `resume`."""

    @property
    def variant_names(self) -> list[str]:
        """In the order of a round; those named only by phases are last."""
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
