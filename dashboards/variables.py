"""The variables shared by the dashboards, and the annotations of the phases."""

from typing import Any

from dashboards import parts, queries


def of_runs() -> list[Any]:
    """Namespace, run, operation and variants of the load generator."""
    info, of_run = "loadgen_run_info", f'{queries.HERE}, run_id=~"$run"'
    return [
        parts.choice("namespace", "Namespace", "Namespace of the load generator.", f"label_values({info}, namespace)"),
        parts.choice(
            "run", "Run", "Run id, as in the run record's name.", f"label_values({info}{{{queries.HERE}}}, run_id)"
        ),
        parts.choice(
            "operation",
            "Operation",
            "search, insert, delete, or names of the locustfile.",
            f"label_values(loadgen_operations_total{{{queries.HERE}}}, operation)",
        ),
        parts.choices(
            "variant",
            "Variants",
            "The variants of the selected runs.",
            f"label_values(loadgen_variant_info{{{of_run}}}, variant)",
        ),
    ]


def baseline() -> Any:
    """The variant that all others are compared with; default: the run's baseline."""
    text = "The variant that the others are compared with; default: the run's baseline."
    return parts.first_of("baseline", "Baseline", text, f"query_result({queries.baselines()})", "variant")


def of_milvus() -> list[Any]:
    """Namespace and job of Milvus, which may differ from the load generator's."""
    count = "milvus_proxy_req_count"
    return [
        parts.choice(
            "milvus_namespace", "Namespace of Milvus", "Namespace of Milvus.", f"label_values({count}, namespace)"
        ),
        parts.choice("milvus", "Milvus", "Prometheus job that scrapes it.", "label_values(milvus_num_node, job)"),
    ]


def of_llm() -> list[Any]:
    """Namespace and job of the simulated language model, which may differ from the load generator's."""
    count = "llm_server_in_flight"
    return [
        parts.choice(
            "llm_namespace",
            "Namespace of the model",
            "Namespace of `loadgen serve-llm`.",
            f"label_values({count}, namespace)",
        ),
        parts.choice("llm", "Model", "Prometheus job that scrapes `loadgen serve-llm`.", f"label_values({count}, job)"),
    ]


def phases() -> Any:
    """A region for each phase."""
    return parts.Marks("Phases", queries.phases(), "Phase {{phase}}: {{variant}} at {{concurrency}}")
