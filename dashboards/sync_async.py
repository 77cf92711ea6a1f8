"""Sync vs async: the answer that the tool is for, while it is being found."""

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
    heat_map,
    lines,
    new_dashboard,
    number,
    row,
)

TEXT = (
    "Blocking calls on threads beside coroutines on an event loop, same data and same concurrency. Phases take turns "
    "(sync, async, async, sync); the marks show them. A verdict with its certainty stands in the run record; this page "
    "shows how it comes about. Look at the load generator's page first: where that is saturated, this one is about it."
)
WINDOW = "Warm-up is included, so that figures differ a little from the run record's."


def make() -> Any:
    """The dashboard, not yet built."""
    dashboard = new_dashboard("sync-async", "Milvus load: sync vs async", TEXT)
    panels = [*_ratios(), *_figures(), *_heat_maps(), *_stages(), *_levels()]
    return fill(dashboard, variables.phases(), variables.of_runs(), panels)


def _ratios() -> list[Any]:
    over = "Over the whole time range shown, of all chosen runs: narrow it to one run, or to one concurrency. "
    higher = f"{over}Answered operations per second of the time in which the mode ran. 2 is twice as many with async."
    sooner = f"{over}Below 1 async answers sooner. Off by less than 10 % by the histogram's buckets."
    return [
        row("Async to sync"),
        number(About("Throughput, async to sync", higher, RATIO), Query(queries.throughput_ratio(), "ratio")),
        number(About("Response p50, async to sync", sooner, RATIO), Query(queries.quantile_ratio("0.5"), "ratio")),
        number(About("Response p99, async to sync", sooner, RATIO), Query(queries.quantile_ratio("0.99"), "ratio")),
    ]


def _figures() -> list[Any]:
    quantiles = [
        lines(
            About(
                f"Response time p{q.removeprefix('0.').ljust(2, '0')}",
                f"From the scheduled start to the answer; all workers as one. {WINDOW}",
                SECONDS,
            ),
            [Query(queries.quantile(q), "{{mode}}")],
            THIRD,
        )
        for q in ("0.5", "0.95", "0.99")
    ]
    return [
        row("While it runs"),
        lines(
            About("Throughput", f"Answered operations per second of all workers. {WINDOW}", PER_SECOND),
            [Query(queries.throughput("mode, operation"), "{{mode}} {{operation}}")],
        ),
        lines(
            About(
                "Failures by outcome",
                "Operations per second without a usable answer. throttled: Milvus refused for its limits; timeout: no "
                "answer within the deadline. A mode that fails fast looks quick: look here before the quantiles.",
                PER_SECOND,
            ),
            [Query(queries.throughput("mode, outcome", queries.FAILED), "{{mode}} {{outcome}}")],
        ),
        *quantiles,
        lines(
            About("Failed part", "Failures to all operations.", PERCENT),
            [Query(queries.error_ratio(), "{{mode}}")],
            THIRD,
        ),
        lines(
            About(
                "Service time p95",
                "From the real start to the answer. Below the response time where arrivals had to wait for a place: "
                "only in the open model.",
                SECONDS,
            ),
            [Query(queries.quantile("0.95", "loadgen_service_seconds"), "{{mode}}")],
            THIRD,
        ),
        lines(
            About("Mean response time", "Mean, for a comparison with Milvus's own means.", SECONDS),
            [Query(queries.mean_response(), "{{mode}}")],
            THIRD,
        ),
    ]


def _heat_maps() -> list[Any]:
    text = "Operations per second in each bucket. Two bands: two kinds of answers, such as cache and disk, or a queue."
    return [
        row("Response times side by side"),
        *(
            heat_map(About(f"Response times, {mode}", text, SECONDS), Query(queries.heat(mode), "{{le}}"))
            for mode in ("sync", "async")
        ),
    ]


def _stages() -> list[Any]:
    text = (
        "Mean time of each stage that calls timed with `self.measure` have reported; empty for other operations. The "
        "report of the run has their quantiles."
    )
    legend = "{{mode}} {{operation}}: {{stage}}"
    return [
        row("Stages"),
        lines(About("Mean time of each stage", text, SECONDS), [Query(queries.mean_stage(), legend)], FULL),
    ]


def _levels() -> list[Any]:
    text = (
        "Each line is one mode at one concurrency (or rate, as 100/s) while its phases run. Where throughput no longer "
        "rises with the concurrency but the response time does, the limit is reached. Nothing is drawn until a phase "
        "is as old as the window, four scrapes: before that the figures would be those of the phase before, too. A "
        "phase that is shorter shows nothing: scrape more often, or make phases longer."
    )
    legend = "{{mode}}, {{concurrency}}"
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
