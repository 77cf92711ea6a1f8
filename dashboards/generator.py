"""Load generator: whether what is measured is about Milvus or about the tool."""

from typing import Any

from dashboards import queries, variables
from dashboards.parts import (
    BYTES,
    CORES,
    COUNT,
    PER_SECOND,
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
    "What the load generator's own processes do. A process that is saturated measures itself: its figures are no news "
    "about Milvus. Add workers, or give each a core of its own, until this page is quiet."
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
            About("Users", "Users in each worker; equal shares where Locust has spread them.", COUNT),
            [Query(queries.by_process("loadgen_users"), POD)],
            THIRD,
        ),
        lines(
            About("In flight", "Operations sent and not yet answered, ten looks a second.", COUNT),
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
                "Open model: arrivals that are due, and operations that ended. A gap that stays means that Milvus, "
                "or this number of workers, cannot take the rate. Closed model: nothing is offered.",
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
                "Found no place in time and were never sent. Above 0 the load was lower.",
                PER_SECOND,
            ),
            [Query(queries.dropped(), "{{variant}}")],
        ),
    ]


def _health() -> list[Any]:
    late = "at p99 of ten looks a second. From 0.1 s on, the process is too late to be trusted."
    return [
        row("Is it the tool?"),
        lines(
            About(
                "Saturated",
                "1 where CPU or lag of the last 10 s were above what can be trusted: figures about the tool.",
                COUNT,
            ),
            [Query(queries.by_process("loadgen_saturated"), POD)],
            THIRD,
            at_most=1,
        ),
        lines(
            About("Lag of the event loop", f"How late the loop of the async users was, {late}", SECONDS),
            [Query(queries.lag("loadgen_loop_lag_seconds"), POD)],
            THIRD,
        ),
        lines(
            About("Lag of the hub", f"How late Locust's own loop was, {late}", SECONDS),
            [Query(queries.lag("loadgen_hub_lag_seconds"), POD)],
            THIRD,
        ),
        lines(
            About(
                "CPU",
                "Cores used by each process. Python uses hardly more than one: from 0.9 on the process sets the pace.",
                CORES,
            ),
            [Query(queries.rate_by_process("process_cpu_seconds_total"), POD)],
        ),
        lines(
            About("Memory", "Resident memory of each process.", BYTES),
            [Query(queries.by_process("process_resident_memory_bytes"), POD)],
        ),
    ]
