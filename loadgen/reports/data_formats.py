"""Machine-readable reports: JSON with full precision, CSV with a line per variant and level. Times are seconds."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from loadgen.measure.histograms import mean
from loadgen.measure.sample import Outcome
from loadgen.reports.summary import PERCENTS, Summary, SummaryRow
from loadgen.results.estimates import Interval
from loadgen.results.figures import per_second
from loadgen.results.record import RunRecord
from loadgen.results.series import Series, percentile
from loadgen.text.plain_text import escape_json, one_line

Values = dict[str, Any]
WORDS = ("operation", "variant", "client")
"""CSV columns with text from outside this tool."""


def to_json(summaries: Sequence[Summary]) -> str:
    """A list with an object per record: its verdict, series, comparisons and bursts."""
    return escape_json(json.dumps([_run(summary) for summary in summaries], indent=1, ensure_ascii=False)) + "\n"


def _run(summary: Summary) -> Values:
    record = summary.record
    return {
        "run_id": record.run_id,
        "started_at": record.started_at.isoformat(),
        "explanation": asdict(summary.explanation),
        "series": [_series(summary, row) | {"stages": _stages(row), "items": _items(row)} for row in summary.rows],
        "comparisons": [one.model_dump(mode="json") for one in record.comparisons],
        "rate_search": None if record.rate_search is None else record.rate_search.model_dump(mode="json"),
        "bursts": [asdict(burst) for burst in summary.bursts],
        "traces": list(_traces(record)),
        "manifest": record.manifest.model_dump(mode="json"),
    }


def _traces(record: RunRecord) -> Iterator[Values]:
    """The slowest sampled operations of each phase."""
    for number, phase in enumerate(record.phases, 1):
        for one in phase.traces.slowest if phase.traces else ():
            yield {"phase": number, "variant": phase.variant, **one.model_dump(mode="json")}


def _series(summary: Summary, row: SummaryRow) -> Values:
    series, result = row.series, row.estimates
    known = summary.variants.get(series.variant)
    level = series.level
    return {
        "operation": series.operation,
        "variant": series.variant,
        "mode": series.phases[0].mode.value,
        "client": known.client if known else None,
        "concurrency": None if level.is_open else int(level.value),
        "rate": level.value if level.is_open else None,
        "rounds": len(series.phases),
        "seconds": series.seconds,
        "operations": series.count,
        "failures": series.failures,
        "dropped": series.dropped,
        **_cost(series),
        "throughput": series.throughput,
        "throughput_typical": result.throughput.estimate if result else None,
        **_ends("throughput", result.throughput if result else None),
        "good": series.good,
        "goodput": series.goodput,
        "goodput_typical": row.good_estimate.estimate if row.good_estimate else None,
        **_ends("goodput", row.good_estimate),
        **{f"p{percent:g}".replace(".", "_"): row.percentile(percent) for percent in PERCENTS},
        **_ends("p50", result.p50 if result else None),
        **_ends("p99", result.p99 if result else None),
        "recall": series.recall,
        "mrr": series.mrr,
        **{kind.value: series.outcomes[kind] for kind in Outcome},
    }


def _stages(row: SummaryRow) -> Values:
    """Mean and quantiles of each stage that was reported."""
    return {
        stage: {"count": times.get_total_count(), "mean": mean(times)}
        | {f"p{percent:g}".replace(".", "_"): percentile(times, percent) for percent in PERCENTS}
        for stage, times in row.stages.items()
    }


def _items(row: SummaryRow) -> Values:
    """Number and number per second of all items that were reported."""
    series = row.series
    return {
        name: {"count": number, "per_second": per_second(number, series.seconds)}
        for name, number in sorted(series.items.items())
    }


def _cost(series: Series) -> Values:
    """What an operation of any kind costs the load generator: seconds of CPU, and bytes."""
    cost = series.cost
    return {
        "cpu_seconds_per_operation": cost.cpu_seconds,
        "sent_bytes_per_operation": cost.sent_bytes,
        "received_bytes_per_operation": cost.received_bytes,
        "memory_bytes": cost.memory_bytes,
    }


def _ends(name: str, interval: Interval | None) -> Values:
    return {f"{name}_low": interval.low if interval else None, f"{name}_high": interval.high if interval else None}


def to_csv(summaries: Sequence[Summary]) -> str:
    """A header and a line per series, starting with the run id; unmeasured values are empty."""
    lines = [{"run_id": summary.record.run_id} | _series(summary, row) for summary in summaries for row in summary.rows]
    lines = [line | {name: one_line(line[name] or "") for name in WORDS} for line in lines]
    out = StringIO()
    if lines:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return out.getvalue()
