"""The PromQL expressions of the dashboard *RAG* that no other dashboard has.

Stages and operations of the RAG path have fixed names, so its panels need no variable for them.
"""

from dashboards.queries import FINISHED, OPERATIONS, RATE, RUN, VARIANTS, throughput

ASK, INGEST = "ask", "ingest"
PARTS = {ASK: ("embed", "retrieve", "first_token", "generate"), INGEST: ("read", "split", "embed", "insert")}
"""The stages that follow each other in an operation. Others are within these, or occur many times: they are not
stacked."""
LLM = 'namespace=~"$llm_namespace", job=~"$llm"'


def good() -> str:
    """Operations per second that met all objectives."""
    return f"sum by (variant, operation) (rate(loadgen_good_operations_total{{{OPERATIONS}}}{RATE}) * {RUN})"


def good_share() -> str:
    """Share of the finished operations, failures included, that met all objectives."""
    return f"{good()} / ({throughput('variant, operation', FINISHED)} > 0)"


def recall() -> str:
    """Mean recall of the checked operations."""
    return _mean("variant", "loadgen_recall_ratio", VARIANTS, f" * {RUN}")


def stage_quantile(q: str, stage: str) -> str:
    """A quantile of one stage, in seconds."""
    rates = f'rate(loadgen_stage_seconds_bucket{{{OPERATIONS}, stage="{stage}"}}{RATE}) * {RUN}'
    return f"histogram_quantile({q}, sum by (variant, le) ({rates}))"


def stage_means(operation: str) -> str:
    """Mean seconds of each stage of an operation, of the variants chosen together: a repeated panel chooses one."""
    own = f'{VARIANTS}, operation="{operation}", stage=~"{"|".join(PARTS[operation])}"'
    return _mean("stage", "loadgen_stage_seconds", own, f" * {RUN}")


def stage_mean(stage: str) -> str:
    """Mean seconds of one stage."""
    return _mean("variant", "loadgen_stage_seconds", f'{OPERATIONS}, stage="{stage}"', f" * {RUN}")


def items(*names: str) -> str:
    """Tokens, documents or chunks per second."""
    own = f'{OPERATIONS}, item=~"{"|".join(names)}"'
    return f"sum by (variant, operation, item) (rate(loadgen_items_total{{{own}}}{RATE}) * {RUN})"


def server_requests() -> str:
    """Requests that the simulated server finished, per second."""
    return f"sum by (kind, outcome) (rate(llm_server_requests_total{{{LLM}}}{RATE}))"


def server_tokens() -> str:
    """Tokens of prompts and answers, per second."""
    return f"sum by (kind, direction) (rate(llm_server_tokens_total{{{LLM}}}{RATE}))"


def server_gauge(name: str) -> str:
    """Requests in flight, or waiting for a slot."""
    return f"sum by (kind) (llm_server_{name}{{{LLM}}})"


def server_mean(name: str) -> str:
    """Mean seconds of one of the server's times: its buckets are too wide to compare quantiles with the client's."""
    return _mean("kind", f"llm_server_{name}_seconds", LLM)


def _mean(by: str, histogram: str, labels: str, factor: str = "") -> str:
    """The sum of what a histogram counted by its number."""
    total, number = (f"sum by ({by}) (rate({histogram}_{part}{{{labels}}}{RATE}){factor})" for part in ("sum", "count"))
    return f"{total} / ({number} > 0)"
