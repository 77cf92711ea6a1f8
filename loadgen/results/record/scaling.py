"""The record of a run with several numbers of workers."""

from typing import Annotated

from pydantic import Field

from loadgen.results.record.part import Figure, Part


class ScalingPoint(Part):
    """All phases of one operation of one variant with one number of workers."""

    workers: Annotated[int, Field(ge=1, le=10_000)]
    throughput: Figure
    """Answered operations per second."""
    efficiency: Figure
    """Throughput of a worker to that with the fewest workers: 1 is ideal."""
    cpu_seconds: Figure
    """CPU time of the load generator for an operation of any kind; null: unknown."""
    server_cpu_seconds: Figure
    """CPU time of the server for a search or insert; null: unknown."""
    saturated: bool
    """True if the generator was the limit in one of the phases."""


class Estimate(Part):
    """A parameter with its 95 % interval."""

    estimate: float
    low: float
    high: float


class ScalingLaw(Part):
    """Universal Scalability Law: X(N) = rate N / (1 + contention (N - 1) + coherency N (N - 1)), with N workers."""

    rate: Estimate
    """Operations per second of one worker."""
    contention: Estimate
    """Share of the work that waits for something shared."""
    coherency: Estimate
    """What each pair of workers costs."""
    peak_workers: Figure
    """Workers with the highest throughput; null: it grows with every worker, or coherency may be 0."""


class Scaling(Part):
    """How the throughput of one operation of one variant grows with the number of workers."""

    operation: str
    variant: str
    points: tuple[ScalingPoint, ...]
    """By number of workers, ascending."""
    law: ScalingLaw | None
    without_law: str
    """Why no law was fitted; empty if one was."""
