"""RAG: answers of a language model and ingests of documents, stage by stage, and the simulated server's own view."""

from collections.abc import Callable
from typing import Any

from dashboards import queries, rag_queries, variables
from dashboards.parts import (
    COUNT,
    FULL,
    HALF,
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
    stacks,
)

TEXT = (
    "Runs of rag_query.py and rag_ingest.py: where the time of an answer or an ingest goes, by variant. Select one "
    "operation above, such as ask. Panels of what a run did not do are empty: without --stream there are no times "
    "between tokens, and without --objective there is no goodput."
)
EACH = "{{variant}} {{operation}}"
QUANTILES = ("0.5", "0.95", "0.99")


def make() -> Any:
    """The dashboard, not yet built."""
    dashboard = new_dashboard("rag", "Milvus load: RAG", TEXT)
    panels = [*_operations(), *_times(), *_stages(), *_items(), *_health(), *_server(), *_server_times()]
    return fill(dashboard, variables.phases(), [*variables.of_runs(), *variables.of_llm()], panels)


def _operations() -> list[Any]:
    return [
        row("Answers and ingests"),
        lines(
            About("Throughput", "Answered operations per second of all workers, warm-up included.", PER_SECOND),
            [Query(queries.throughput("variant, operation"), EACH)],
        ),
        lines(
            About(
                "Goodput",
                "Operations per second that met every objective (--objective); none of them failed.",
                PER_SECOND,
            ),
            [Query(rag_queries.good(), EACH)],
        ),
        lines(
            About("Share that was good", "Good operations of all finished ones, failures included.", PERCENT),
            [Query(rag_queries.good_share(), EACH)],
            THIRD,
            at_most=1,
        ),
        lines(
            About(
                "Failures by outcome",
                "throttled: 429 of a model, or a rate limit of Milvus; unavailable: 5xx, or no connection; failed: "
                "an answer that broke off. Failures can be fast: check this before the quantiles.",
                PER_SECOND,
            ),
            [Query(queries.throughput("variant, outcome", queries.FAILED), "{{variant}} {{outcome}}")],
            THIRD,
        ),
        lines(
            About(
                "Recall",
                "Share of the expected documents among those retrieved, of the questions that were checked.",
                PERCENT,
            ),
            [Query(rag_queries.recall(), "{{variant}}")],
            THIRD,
            at_most=1,
        ),
    ]


def _times() -> list[Any]:
    first = (
        "From the chunks to the first token: add the stages embed and retrieve for what a user waits. An answer that "
        "is not streamed arrives as a whole, so this is the time of all its tokens."
    )
    return [
        row("Response time"),
        *_quantiles(
            "Response time",
            "From the scheduled start to the last token, or to the inserted chunks.",
            lambda q: queries.quantile(q, by="variant, operation"),
            EACH,
        ),
        row("Time to first token"),
        *_quantiles("Time to first token", first, lambda q: rag_queries.stage_quantile(q, "first_token")),
        row("Time between tokens"),
        *_quantiles(
            "Time between tokens",
            "From each token of a streamed answer to the next one. A high p99 is a stream that stalls: compare it with "
            "the lag of the event loop below.",
            lambda q: rag_queries.stage_quantile(q, "inter_token"),
        ),
    ]


def _quantiles(title: str, text: str, query: Callable[[str], str], legend: str = "{{variant}}") -> list[Any]:
    return [
        lines(About(f"{title} p{q.removeprefix('0.').ljust(2, '0')}", text, SECONDS), [Query(query(q), legend)], THIRD)
        for q in QUANTILES
    ]


def _stages() -> list[Any]:
    ask = About(
        "Stages of an answer, $variant",
        "Mean time of each stage, stacked: the height is the mean time of an answer. Of a coroutine, a stage includes "
        "its waits for the event loop.",
        SECONDS,
    )
    ingest = About(
        "Stages of an ingest, $variant",
        "Mean time of each stage, stacked: the height is the mean time of an ingest, of all its documents.",
        SECONDS,
    )
    return [
        row("Where the time of an answer goes"),
        stacks(ask, Query(rag_queries.stage_means(rag_queries.ASK), "{{stage}}"), "variant"),
        row("Where the time of an ingest goes"),
        stacks(ingest, Query(rag_queries.stage_means(rag_queries.INGEST), "{{stage}}"), "variant"),
    ]


def _items() -> list[Any]:
    legend = f"{EACH}: {{{{item}}}}"
    return [
        row("Tokens, documents and chunks"),
        lines(
            About("Tokens of answers", "tokens_in: of the prompts; tokens_out: of the answers. By second.", PER_SECOND),
            [Query(rag_queries.items("tokens_in", "tokens_out"), legend)],
            THIRD,
        ),
        lines(
            About("Documents and chunks ingested", "By second. A document is split into chunks.", PER_SECOND),
            [Query(rag_queries.items("documents", "chunks"), legend)],
            THIRD,
        ),
        lines(
            About("Tokens ingested", "Tokens of the documents that were embedded and inserted, by second.", PER_SECOND),
            [Query(rag_queries.items("tokens"), legend)],
            THIRD,
        ),
    ]


def _health() -> list[Any]:
    return [
        row("Is it the event loop?"),
        lines(
            About(
                "Lag of the event loop",
                "At p99 of ten samples a second. Embedding in the loop and splitting block it; every stream stalls "
                "for as long.",
                SECONDS,
            ),
            [Query(queries.lag("loadgen_loop_lag_seconds"), POD)],
            THIRD,
        ),
        lines(
            About(
                "Who holds the event loop",
                "Share of the time for which a stage computed in the event loop: all others waited.",
                PERCENT,
            ),
            [Query(queries.held_by_stage(), f"{POD} {{{{stage}}}}")],
            THIRD,
        ),
        lines(
            About(
                "Wait for a core",
                "Share of the time in which the event loop was ready and had no core. Async looks slower then.",
                PERCENT,
            ),
            [Query(queries.rate_by_process("loadgen_core_wait_seconds_total"), POD)],
            THIRD,
        ),
    ]


def _server() -> list[Any]:
    only = "Of `loadgen serve-llm`; empty with a real model."
    return [
        row("The simulated model, as it sees itself"),
        lines(
            About("Requests by outcome", f"Chats and embeddings that ended, per second. {only}", PER_SECOND),
            [Query(rag_queries.server_requests(), "{{kind}} {{outcome}}")],
            THIRD,
        ),
        lines(
            About(
                "Requests in flight",
                f"And of these, those that wait for a slot of --concurrency. {only}",
                COUNT,
            ),
            [
                Query(rag_queries.server_gauge("in_flight"), "{{kind}} in flight"),
                Query(rag_queries.server_gauge("waiting"), "{{kind}} waiting"),
            ],
            THIRD,
        ),
        lines(
            About("Tokens", f"Tokens of prompts (in) and answers (out), per second. {only}", PER_SECOND),
            [Query(rag_queries.server_tokens(), "{{kind}} {{direction}}")],
            THIRD,
        ),
    ]


def _server_times() -> list[Any]:
    about = (
        "The difference is network, HTTP, LlamaIndex, and waiting for the event loop. Means, so they can be subtracted."
    )
    return [
        lines(
            About("Mean time to first token: client and server", f"Of streamed answers. {about}", SECONDS),
            [
                Query(rag_queries.stage_mean("first_token"), "client, {{variant}}"),
                Query(rag_queries.server_mean("first_token"), "server, {{kind}}"),
            ],
            HALF,
        ),
        lines(
            About("Mean time between tokens: client and server", about, SECONDS),
            [
                Query(rag_queries.stage_mean("inter_token"), "client, {{variant}}"),
                Query(rag_queries.server_mean("inter_token"), "server, {{kind}}"),
            ],
            HALF,
        ),
        lines(
            About(
                "The server's own queue and lateness",
                "Mean wait for a slot, and mean delay of what it sends. If it is late, it needs a core of its own: its "
                "delays are then longer than those that were asked for.",
                SECONDS,
            ),
            [
                Query(rag_queries.server_mean("queue"), "{{kind}} waited"),
                Query(rag_queries.server_mean("late"), "{{kind}} late"),
            ],
            FULL,
        ),
    ]
