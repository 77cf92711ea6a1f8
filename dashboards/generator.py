"""Load generator: shows whether the figures reflect Milvus or the tool."""

from typing import Any

from dashboards import queries, variables
from dashboards.parts import (
    BYTES,
    CORES,
    COUNT,
    PER_SECOND,
    PERCENT,
    POD,
    SECONDS,
    THIRD,
    About,
    Query,
    fill,
    lines,
    new_dashboard,
    row,
)

TEXT = (
    "The load generator's own processes. The results of a saturated process reflect the load generator, not Milvus. "
    "Add workers, or give each a dedicated core, until none is saturated."
)


def make() -> Any:
    """The dashboard, not yet built."""
    dashboard = new_dashboard("generator", "Milvus load: load generator", TEXT)
    panels = [*_load(), *_health()]
    return fill(dashboard, variables.phases(), variables.of_runs(), panels)


def _load() -> list[Any]:
    return [
        row("The load"),
        lines(
            About("Users", "Users in each worker; Locust spreads them evenly.", COUNT),
            [Query(queries.by_process("loadgen_users"), POD)],
            THIRD,
        ),
        lines(
            About("In flight", "Operations sent and not yet answered, sampled ten times a second.", COUNT),
            [Query(queries.by_process("loadgen_in_flight"), POD)],
            THIRD,
        ),
        lines(
            About(
                "Rows",
                "Hits of searches, nodes of inserts, documents of deletes, per second in each worker.",
                PER_SECOND,
            ),
            [Query(queries.rate_by_process("loadgen_rows_total"), POD)],
            THIRD,
        ),
        lines(
            About(
                "Offered and achieved rate",
                "Open model: arrivals due, and operations finished. A persistent gap means that Milvus, or this number "
                "of workers, cannot sustain the rate. Closed model: nothing is offered.",
                PER_SECOND,
            ),
            [
                Query(queries.offered(), "{{variant}} offered"),
                Query(queries.throughput(outcomes=queries.FINISHED), "{{variant}} achieved"),
            ],
        ),
        lines(
            About(
                "Dropped arrivals",
                "Got no concurrency slot in time and were never sent. Above 0, the load was lower than requested.",
                PER_SECOND,
            ),
            [Query(queries.dropped(), "{{variant}}")],
        ),
    ]


def _health() -> list[Any]:
    late = "at p99 of ten samples a second. From 0.1 s on, the figures of the process are unreliable."
    return [
        row("Is it the tool?"),
        lines(
            About(
                "Saturated",
                "1 if CPU or lag of the last 10 s exceeded their limits: the figures reflect the tool, not Milvus.",
                COUNT,
            ),
            [Query(queries.by_process("loadgen_saturated"), POD)],
            THIRD,
            at_most=1,
        ),
        lines(
            About("Lag of the event loop", f"Lag of the async users' event loop, {late}", SECONDS),
            [Query(queries.lag("loadgen_loop_lag_seconds"), POD)],
            THIRD,
        ),
        lines(
            About("Lag of the hub", f"Lag of Locust's own loop, {late}", SECONDS),
            [Query(queries.lag("loadgen_hub_lag_seconds"), POD)],
            THIRD,
        ),
        lines(
            About(
                "Wait for a core",
                "Share of the time in which the event loop was ready and had no core. Async looks slower then.",
                PERCENT,
            ),
            [Query(queries.rate_by_process("loadgen_core_wait_seconds_total"), POD)],
        ),
        lines(
            About(
                "CPU",
                "Cores used by each process. Python rarely uses more than one: from 0.9 on, the process is the limit.",
                CORES,
            ),
            [Query(queries.rate_by_process("process_cpu_seconds_total"), POD)],
        ),
        lines(
            About("Memory", "Resident memory of each process.", BYTES),
            [Query(queries.by_process("process_resident_memory_bytes"), POD)],
        ),
    ]
