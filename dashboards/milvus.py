"""Milvus under load: the client's response times next to Milvus's own metrics."""

from typing import Any

from dashboards import queries, variables
from dashboards.parts import (
    BYTES,
    BYTES_PER_SECOND,
    CORES,
    COUNT,
    FULL,
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
    "The client's response time next to Milvus's own metrics. The difference between client and proxy is network, gRPC "
    "and the client itself. Milvus's histogram buckets are powers of two: quantiles are coarse (up to a factor of "
    "two), means are exact."
)


def make() -> Any:
    """The dashboard, not yet built."""
    dashboard = new_dashboard("milvus", "Milvus load: Milvus under load", TEXT)
    panels = [*_latency(), *_proxy(), *_requests(), *_resources()]
    return fill(dashboard, variables.phases(), [*variables.of_runs(), *variables.of_milvus()], panels)


def _latency() -> list[Any]:
    return [
        row("Where the time goes"),
        lines(
            About(
                "Mean times: client, proxy, query node",
                "Means, because they can be subtracted: client minus proxy is network, gRPC and client; proxy minus "
                "query node is queueing and merging. Select one operation above.",
                SECONDS,
            ),
            [
                Query(queries.mean_response(), "client, {{variant}}"),
                Query(queries.milvus_mean("milvus_proxy_sq_latency", "query_type"), "proxy, {{query_type}}"),
                Query(
                    queries.milvus_mean("milvus_querynode_sq_req_latency", "query_type, scope"),
                    "query node, {{query_type}} {{scope}}",
                ),
                Query(queries.milvus_mean("milvus_proxy_mutation_latency", "msg_type"), "proxy, {{msg_type}}"),
            ],
        ),
        lines(
            About("Client: response time p95", "Waiting time of a user, by variant.", SECONDS),
            [Query(queries.quantile("0.95", by="variant, operation"), "{{variant}} {{operation}}")],
        ),
        lines(
            About("Proxy: search latency p95", "Searches and queries in the proxy, answered ones only.", SECONDS),
            [Query(queries.milvus_quantile("0.95", "milvus_proxy_sq_latency", "query_type"), "{{query_type}}")],
            THIRD,
        ),
        lines(
            About(
                "Proxy: mutation latency p95", "Inserts, upserts and deletes in the proxy, answered ones only.", SECONDS
            ),
            [Query(queries.milvus_quantile("0.95", "milvus_proxy_mutation_latency", "msg_type"), "{{msg_type}}")],
            THIRD,
        ),
        lines(
            About(
                "Query node: waiting p95",
                "Time in the query node's queue. If it rises but the core's does not, the query nodes are the limit.",
                SECONDS,
            ),
            [
                Query(
                    queries.milvus_quantile("0.95", "milvus_querynode_sq_queue_latency", "query_type"),
                    "queue, {{query_type}}",
                ),
                Query(
                    queries.milvus_quantile("0.95", "milvus_querynode_sq_core_latency", "query_type"),
                    "core, {{query_type}}",
                ),
            ],
            THIRD,
        ),
    ]


def _proxy() -> list[Any]:
    """A series that a version of Milvus does not have is an empty line; the texts name the first version with it."""
    names = ("wait", "reduce", "decode")
    parts = [(name, f"milvus_proxy_sq_{name}_result_latency") for name in names]
    return [
        row("Inside the proxy"),
        lines(
            About(
                "Mean parts of a search",
                "Waiting for the query nodes, merging their results (reduce), and decoding them. The sum is less than "
                "the proxy's time of a search: the rest is queueing, checks and building the answer.",
                SECONDS,
            ),
            [Query(queries.milvus_mean(metric, "query_type"), f"{name}, {{{{query_type}}}}") for name, metric in parts],
        ),
        lines(
            About(
                "Mean time in the proxy's queue",
                "From the arrival of a request until the proxy begins it; needs Milvus 2.5. If it rises but the wait "
                "for results does not, add proxies.",
                SECONDS,
            ),
            [
                Query(
                    queries.milvus_mean("milvus_proxy_req_in_queue_latency", "function_name"),
                    "{{function_name}}",
                )
            ],
        ),
        lines(
            About(
                "Wait for results p95",
                "Time that the proxy waits for its query nodes: network, their queues, and the search itself.",
                SECONDS,
            ),
            [
                Query(
                    queries.milvus_quantile("0.95", "milvus_proxy_sq_wait_result_latency", "query_type"),
                    "{{query_type}}",
                )
            ],
            THIRD,
        ),
        lines(
            About(
                "Slow queries",
                "Searches and queries above Milvus's own limit (proxy.slowQuerySpanInSeconds); needs Milvus 2.4.",
                PER_SECOND,
            ),
            [Query(queries.milvus_rate("milvus_proxy_slow_query_count", "msg_type"), "{{msg_type}}")],
            THIRD,
        ),
        lines(
            About(
                "Rate-limited requests",
                "Requests that Milvus refused because of its quotas and limits; needs Milvus 2.4. The client counts "
                "them as throttled. Above 0, the load meets a limit of the configuration, not of the machine.",
                PER_SECOND,
            ),
            [
                Query(
                    queries.milvus_rate("milvus_proxy_rate_limit_req_count", "msg_type", 'status="fail"'),
                    "{{msg_type}}",
                )
            ],
            THIRD,
        ),
    ]


def _requests() -> list[Any]:
    return [
        row("Requests"),
        lines(
            About(
                "Requests by status",
                "Requests finished by the proxies, per second. Compare fail and abandon with the client's outcomes. "
                "One delete of LlamaIndex is a query and a delete here.",
                PER_SECOND,
            ),
            [Query(queries.milvus_requests(), "{{function_name}} {{status}}")],
        ),
        lines(
            About(
                "Read tasks",
                "Searches running and waiting in each query node. If waiting ones grow, add query nodes.",
                COUNT,
            ),
            [
                Query(queries.milvus_gauge("milvus_querynode_read_task_concurrency"), f"running, {POD}"),
                Query(queries.milvus_gauge("milvus_querynode_read_task_ready_len"), f"waiting, {POD}"),
            ],
        ),
        lines(
            About(
                "Bytes",
                "What the proxies receive, by kind of request, and send: payload of messages, without gRPC and TCP. "
                "Searches that return the vectors send most.",
                BYTES_PER_SECOND,
            ),
            [
                Query(queries.milvus_rate("milvus_proxy_receive_bytes_count", "msg_type"), "received, {{msg_type}}"),
                Query(queries.milvus_rate("milvus_proxy_send_bytes_count", "job"), "sent, {{job}}"),
            ],
            FULL,
        ),
    ]


def _resources() -> list[Any]:
    return [
        row("Resources"),
        lines(
            About("CPU of Milvus", "Cores used by each process of Milvus; compare with its limit.", CORES),
            [Query(queries.milvus_cpu(), POD)],
            THIRD,
        ),
        lines(
            About("Memory of Milvus", "Resident memory of each process of Milvus.", BYTES),
            [Query(queries.milvus_memory(), POD)],
            THIRD,
        ),
        lines(
            About("Rows in the query nodes", "Entities that can be searched; grows with inserts.", COUNT),
            [Query(queries.milvus_gauge("milvus_querynode_entity_num"), POD)],
            THIRD,
        ),
    ]
