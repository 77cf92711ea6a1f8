"""Series of runs whose figures are known, for the queries of the panels."""

from tests.integration.monitoring_support import substitute
from tests.integration.promtool_support import OWN, Samples, labelled

KIND = {"client": "llamaindex", "operation": "search"}
WIDE = 'async search-params="ef=64"'
"""A variant whose name has quotes."""
BOUNDS = ("0.02", "0.025", "0.04", "0.05", "0.08", "0.1", "+Inf")
ALL = ".*"


def process(instance: str) -> dict[str, str]:
    return {"namespace": "load", "job": "demo", "instance": instance}


def fill_in(query: str, run: str, baseline: str = "sync") -> str:
    """As Grafana sends it, with one run chosen or `All`, a baseline, and everything else at `All`."""
    return substitute(query, OWN | {"run": run, "baseline": baseline})


def kind_of(variant: str) -> dict[str, str]:
    return {"variant": variant, "mode": variant.partition(" ")[0]}


def make_phase(
    samples: Samples, workers: tuple[str, ...], lead: str, variant: str, span: tuple[int, int], **load: float
) -> None:
    """`rate` answers a second in each worker, each of them at `seconds`, which is a bound of the histogram."""
    for one in workers:
        labels = process(one) | KIND | kind_of(variant)
        samples.grow(labelled("loadgen_operations_total", **labels, outcome="ok"), load["rate"], *span)
        for bound in BOUNDS:
            rate = load["rate"] if load["seconds"] <= float(bound) else 0
            samples.grow(labelled("loadgen_response_seconds_bucket", **labels, le=bound), rate, *span)
    samples.grow(
        labelled("loadgen_active_seconds_total", **process(lead), **kind_of(variant), client="llamaindex"), 1, *span
    )


def make_run(samples: Samples, run_id: str, instances: tuple[str, ...], since: int, until: int) -> None:
    for one in instances:
        samples.gauge(labelled("loadgen_run_info", **process(one), run_id=run_id), since, until)
