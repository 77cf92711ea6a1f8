"""The PromQL expressions of the dashboards, apart from the panels that show them; those of *RAG* are in `rag_queries`.

`$__rate_interval` and `$__range` are Grafana's, the other `$` words are the dashboards' variables. Sums are over
processes; a master exports no operations, so nothing is counted twice. Series of a run or a phase are selected by
joining `loadgen_run_info` or `loadgen_phase_info` of the same process, so that counters need not carry these labels.

Names of variants may contain quotes and dots (`async search-params="ef=64"`). Grafana's default escaping for Prometheus
ignores quotes, so these variables set a format: `:regex` in a raw string, and `:doublequote`.
"""

PROCESS = "namespace, job, instance"
"""Labels that identify a process."""
HERE = 'namespace=~"$namespace"'
VARIANTS = f"{HERE}, variant=~`${{variant:regex}}`"
BASELINE = f"{HERE}, variant=${{baseline:doublequote}}"
OTHERS = f"{VARIANTS}, variant!=${{baseline:doublequote}}"
OPERATION = 'operation=~"$operation"'
OPERATIONS = f"{VARIANTS}, {OPERATION}"
RUN = f'on ({PROCESS}) group_left () loadgen_run_info{{{HERE}, run_id=~"$run"}}'
"""The processes of the selected runs, as a factor."""
_PHASE = f'loadgen_phase_info{{{HERE}, run_id=~"$run"}}'
PHASE = f"on ({PROCESS}, variant) group_left (concurrency) ({_PHASE} and {_PHASE} offset $__rate_interval)"
"""The phase of a process, if it has had the same variant for a whole window: a rate that reaches back beyond the start
of a phase includes the previous one."""
ANSWERED = 'outcome=~"ok|empty"'
FAILED = 'outcome!~"ok|empty"'
FINISHED = 'outcome=~".+"'
RATE = "[$__rate_interval]"

MILVUS = 'namespace=~"$milvus_namespace", job=~"$milvus"'
MILVUS_ALONE = f"on ({PROCESS}) group_left () group by ({PROCESS}) (milvus_num_node{{{MILVUS}}})"
"""Milvus's processes, as a factor for metrics that every process exports: `All` matches others too."""
FUNCTIONS = "Search|HybridSearch|Query|Insert|Upsert|Delete"
"""The Milvus functions called by MilvusVectorStore's operations."""


def throughput(by: str = "variant", outcomes: str = ANSWERED) -> str:
    """Operations per second."""
    return f"sum by ({by}) (rate(loadgen_operations_total{{{OPERATIONS}, {outcomes}}}{RATE}) * {RUN})"


def error_ratio() -> str:
    """Share of failed operations, by variant."""
    return f"{throughput(outcomes=FAILED)} / ({throughput(outcomes=FINISHED)} > 0)"


def quantile(q: str, metric: str = "loadgen_response_seconds", by: str = "variant") -> str:
    """A quantile of the operations' times, in seconds."""
    rates = f"rate({metric}_bucket{{{OPERATIONS}}}{RATE}) * {RUN}"
    return f"histogram_quantile({q}, sum by ({by}, le) ({rates}))"


def mean_response() -> str:
    """Mean seconds per operation."""
    seconds, number = (
        f"sum by (variant) (rate(loadgen_response_seconds_{part}{{{OPERATIONS}}}{RATE}) * {RUN})"
        for part in ("sum", "count")
    )
    return f"{seconds} / ({number} > 0)"


def heat() -> str:
    """Operations per second in each bucket of response times."""
    return f"sum by (le) (rate(loadgen_response_seconds_bucket{{{OPERATIONS}}}{RATE}) * {RUN})"


def mean_stage() -> str:
    """Mean seconds of each reported stage."""
    by = "variant, operation, stage"
    seconds, number = (
        f"sum by ({by}) (rate(loadgen_stage_seconds_{part}{{{OPERATIONS}}}{RATE}) * {RUN})" for part in ("sum", "count")
    )
    return f"{seconds} / ({number} > 0)"


def throughput_by_concurrency() -> str:
    """Operations per second of each variant at each concurrency."""
    return f"sum by (variant, concurrency) (rate(loadgen_operations_total{{{OPERATIONS}, {ANSWERED}}}{RATE}) * {PHASE})"


def quantile_by_concurrency(q: str) -> str:
    """Response time of each variant at each concurrency."""
    rates = f"rate(loadgen_response_seconds_bucket{{{OPERATIONS}}}{RATE}) * {PHASE}"
    return f"histogram_quantile({q}, sum by (variant, concurrency, le) ({rates}))"


def over_range(expr: str) -> str:
    """The sum of rates over the range shown, in units of `$__interval`, which cancel in a ratio.

    Summed step by step, because one process may have several runs in the range, of which only some are selected.
    """
    return f"sum_over_time(({expr})[$__range:$__interval])"


def mean_throughput(variants: str = VARIANTS, by: str = "variant") -> str:
    """Operations per second of each variant's run time, over the whole range shown.

    Both are sums over processes: the time is exported by one process of each run.
    """
    done = f"sum by ({by}) (rate(loadgen_operations_total{{{variants}, {OPERATION}, {ANSWERED}}}{RATE}) * {RUN})"
    ran = f"sum by ({by}) (rate(loadgen_active_seconds_total{{{variants}}}{RATE}) * {RUN})"
    return f"{over_range(done)} / ({over_range(ran)} > 0)"


def _mean_quantile(q: str, variants: str, by: str) -> str:
    rates = f"rate(loadgen_response_seconds_bucket{{{variants}, {OPERATION}}}{RATE}) * {RUN}"
    return f"histogram_quantile({q}, {over_range(f'sum by ({by}) ({rates})')})"


def throughput_ratio() -> str:
    """Every other variant to the baseline, over the whole range shown."""
    return f"({mean_throughput(OTHERS)}) / on () group_left () ({mean_throughput(BASELINE, by='')} > 0)"


def quantile_ratio(q: str) -> str:
    """Response time of every other variant to that of the baseline, over the whole range shown.

    `>= 0` drops NaN: a variant without operations.
    """
    others, baseline = _mean_quantile(q, OTHERS, "variant, le"), _mean_quantile(q, BASELINE, "le")
    return f"({others} >= 0) / on () group_left () ({baseline} > 0)"


def baselines() -> str:
    """All variants of the selected runs in the range shown, the run's baseline first.

    A template variable defaults to the first.
    """
    known = f'loadgen_variant_info{{{HERE}, run_id=~"$run"}}'
    named = known.replace("}", ', baseline="true"}')
    return f"sort_desc(max by (variant) (2 * max_over_time({named}[$__range]) or max_over_time({known}[$__range])))"


def phases() -> str:
    """1 for as long as a phase runs."""
    labels = "run_id, phase, variant, mode, concurrency"
    return f'max by ({labels}) (loadgen_phase_info{{{VARIANTS}, run_id=~"$run"}})'


def by_process(metric: str) -> str:
    """A gauge of each process."""
    return f"sum by (pod, instance) ({metric}{{{HERE}}} * {RUN})"


def rate_by_process(metric: str) -> str:
    """A counter of each process, per second."""
    return f"sum by (pod, instance) (rate({metric}{{{HERE}}}{RATE}) * {RUN})"


def held_by_stage() -> str:
    """Seconds per second for which each stage held the event loop of a process."""
    return f"sum by (pod, instance, stage) (rate(loadgen_loop_held_seconds_total{{{HERE}}}{RATE}) * {RUN})"


def lag(metric: str) -> str:
    """Lag of each process at p99, in seconds."""
    return f"histogram_quantile(0.99, sum by (pod, instance, le) (rate({metric}_bucket{{{HERE}}}{RATE}) * {RUN}))"


def offered() -> str:
    """Arrivals due per second; 0 in the closed model."""
    return f"sum by (variant) (loadgen_offered_rate{{{VARIANTS}}} * {RUN})"


def dropped() -> str:
    """Arrivals per second that were never sent."""
    return f"sum by (variant) (rate(loadgen_dropped_total{{{VARIANTS}}}{RATE}) * {RUN})"


def milvus_quantile(q: str, metric: str, by: str) -> str:
    """Seconds; Milvus counts milliseconds."""
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({metric}_bucket{{{MILVUS}}}{RATE}))) / 1000"


def milvus_mean(metric: str, by: str) -> str:
    """Mean seconds per request; Milvus counts milliseconds."""
    total, number = (f"sum by ({by}) (rate({metric}_{part}{{{MILVUS}}}{RATE}))" for part in ("sum", "count"))
    return f"{total} / ({number} > 0) / 1000"


def milvus_requests() -> str:
    """Requests per second by status, without Milvus's own `total`."""
    kind = f'function_name=~"{FUNCTIONS}", status!="total"'
    return f"sum by (function_name, status) (rate(milvus_proxy_req_count{{{MILVUS}, {kind}}}{RATE}))"


def milvus_rate(metric: str, by: str, where: str = "") -> str:
    """A counter of all Milvus processes, per second; `where` are further matchers."""
    chosen = f"{MILVUS}, {where}" if where else MILVUS
    return f"sum by ({by}) (rate({metric}{{{chosen}}}{RATE}))"


def milvus_gauge(metric: str) -> str:
    """A gauge of each Milvus process."""
    return f"sum by (pod, instance) ({metric}{{{MILVUS}}})"


def milvus_memory() -> str:
    """Resident memory of each Milvus process."""
    return f"sum by (pod, instance) (process_resident_memory_bytes{{{MILVUS}}} * {MILVUS_ALONE})"


def milvus_cpu() -> str:
    """Cores used by each Milvus process."""
    return f"sum by (pod, instance) (rate(process_cpu_seconds_total{{{MILVUS}}}{RATE}) * {MILVUS_ALONE})"
