"""Variants side by side, during the run."""

from typing import Any

from dashboards import queries, variables
from dashboards.parts import (
    FULL,
    HALF,
    PER_SECOND,
    PERCENT,
    RATIO,
    SECONDS,
    THIRD,
    About,
    Query,
    fill,
    heat_maps,
    lines,
    new_dashboard,
    numbers,
    row,
)

TEXT = (
    "Variants of a run side by side, such as blocking calls on threads and coroutines on an event loop, with the same "
    "data and concurrency. Phases alternate, forward and back (A B C C B A); the annotations show them. The verdict "
    "with its certainty is in the run record; this page shows the course of the run. Check the load generator's page "
    "first: if it is saturated, these figures reflect the load generator, not Milvus."
)
WINDOW = "The warm-up is included, so figures differ slightly from the run record's."


def make() -> Any:
    """The dashboard, not yet built."""
    dashboard = new_dashboard("variants", "Milvus load: variants", TEXT)
    panels = [*_ratios(), *_figures(), *_heat_maps(), *_stages(), *_levels()]
    return fill(dashboard, variables.phases(), [*variables.of_runs(), variables.baseline()], panels)


def _ratios() -> list[Any]:
    over = "Over the whole time range, for all selected runs: narrow it to one run or one concurrency. "
    ran = (
        f"{over}Answered operations per second of each variant's run time, including the warm-up, start and end of "
        "its phases, which the run record excludes."
    )
    higher = f"{ran} 2 means twice as many as $baseline; empty if that has no data in the range."
    sooner = f"{over}Below 1 a variant is faster than $baseline. Off by less than 10 % by the histogram's buckets."
    legend = "{{variant}}"
    panels = (
        (About("Throughput over the range", ran, PER_SECOND), queries.mean_throughput()),
        (About("Throughput, to $baseline", higher, RATIO), queries.throughput_ratio()),
        (About("Response p50, to $baseline", sooner, RATIO), queries.quantile_ratio("0.5")),
        (About("Response p99, to $baseline", sooner, RATIO), queries.quantile_ratio("0.99")),
    )
    return [row("Compared with $baseline"), *(numbers(about, Query(expr, legend)) for about, expr in panels)]


def _figures() -> list[Any]:
    quantiles = [
        lines(
            About(
                f"Response time p{q.removeprefix('0.').ljust(2, '0')}",
                f"From the scheduled start to the answer; all workers as one. {WINDOW}",
                SECONDS,
            ),
            [Query(queries.quantile(q), "{{variant}}")],
            THIRD,
        )
        for q in ("0.5", "0.95", "0.99")
    ]
    return [
        row("While it runs"),
        lines(
            About("Throughput", f"Answered operations per second of all workers. {WINDOW}", PER_SECOND),
            [Query(queries.throughput("variant, operation"), "{{variant}} {{operation}}")],
        ),
        lines(
            About(
                "Failures by outcome",
                "Operations per second without a usable answer. throttled: refused by Milvus's rate limits; timeout: "
                "no answer within the deadline. Failures can be fast: check this before the quantiles.",
                PER_SECOND,
            ),
            [Query(queries.throughput("variant, outcome", queries.FAILED), "{{variant}} {{outcome}}")],
        ),
        *quantiles,
        lines(
            About("Failure rate", "Share of failures in all operations.", PERCENT),
            [Query(queries.error_ratio(), "{{variant}}")],
            THIRD,
        ),
        lines(
            About(
                "Service time p95",
                "From the real start to the answer. Below the response time if arrivals waited for a concurrency slot: "
                "only in the open model.",
                SECONDS,
            ),
            [Query(queries.quantile("0.95", "loadgen_service_seconds"), "{{variant}}")],
            THIRD,
        ),
        lines(
            About("Mean response time", "Mean, for a comparison with Milvus's own means.", SECONDS),
            [Query(queries.mean_response(), "{{variant}}")],
            THIRD,
        ),
    ]


def _heat_maps() -> list[Any]:
    text = "Operations per second in each bucket. Two bands: two kinds of answers, such as cache and disk, or a queue."
    about = About("Response times, $variant", text, SECONDS)
    return [row("Response times side by side"), heat_maps(about, Query(queries.heat(), "{{le}}"), "variant")]


def _stages() -> list[Any]:
    text = (
        "Mean time of each stage reported by `self.measure`; empty for other operations. The report of the run "
        "has the quantiles."
    )
    legend = "{{variant}} {{operation}}: {{stage}}"
    return [
        row("Stages"),
        lines(About("Mean time of each stage", text, SECONDS), [Query(queries.mean_stage(), legend)], FULL),
    ]


def _levels() -> list[Any]:
    text = (
        "Each line is one variant at one concurrency (or rate, as 100/s) during its phases. The limit is reached "
        "when the response time still rises with the concurrency, but the throughput does not. Values start once a "
        "phase is as old as the window, four scrapes: earlier ones would include the previous phase. Shorter phases "
        "show nothing: scrape more often, or use longer phases."
    )
    legend = "{{variant}}, {{concurrency}}"
    return [
        row("By concurrency"),
        lines(
            About("Throughput by concurrency", text, PER_SECOND), [Query(queries.throughput_by_concurrency(), legend)]
        ),
        lines(
            About("Response time p95 by concurrency", text, SECONDS),
            [Query(queries.quantile_by_concurrency("0.95"), legend)],
            HALF,
        ),
        lines(
            About("Response time p99 by concurrency", text, SECONDS),
            [Query(queries.quantile_by_concurrency("0.99"), legend)],
            FULL,
        ),
    ]
