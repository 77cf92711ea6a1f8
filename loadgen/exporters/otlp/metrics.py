"""The Prometheus families of a process as OTLP metrics, with the same names, values and attributes.

Counters lose `_total`, which a Prometheus that stores them adds again. Times keep their suffix and have the unit `s`,
which is then not added again.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

UNITS = {"seconds": "s", "bytes": "By"}
CUMULATIVE = AggregationTemporality.CUMULATIVE


def as_metrics(families: Iterable[Family], began: int, now: int) -> Iterator[Metric]:
    """The families that have series, counted from `began` to `now` (nanoseconds since 1970)."""
    for family in families:
        data: Sum | Gauge | Histogram
        if family.type == "histogram":
            data = Histogram(list(_histograms(family.samples, began, now)), CUMULATIVE)
        else:
            points = [_number(one, began, now) for one in family.samples if not one.name.endswith("_created")]
            is_counter = family.type == "counter"
            data = Sum(points, CUMULATIVE, is_monotonic=True) if is_counter else Gauge(points)
        if data.data_points:
            text = family.documentation.rpartition(" [")[0] or family.documentation
            yield Metric(family.name, text, UNITS.get(family.name.rpartition("_")[2], ""), data)


def _number(sample: Sample, began: int, now: int) -> NumberDataPoint:
    return NumberDataPoint(sample.labels, began, now, sample.value)


def _histograms(samples: Sequence[Sample], began: int, now: int) -> Iterator[HistogramDataPoint]:
    """The points of a family, whose samples stand together: buckets up to the infinite one, count and sum."""
    counts: list[int] = [0]
    bounds: list[float] = []
    for one in samples:
        if one.name.endswith("_bucket"):
            counts.append(int(one.value))
            bounds.append(float(one.labels["le"]))
        elif one.name.endswith("_sum"):
            yield HistogramDataPoint(
                attributes=one.labels,
                start_time_unix_nano=began,
                time_unix_nano=now,
                count=counts[-1],
                sum=one.value,
                bucket_counts=[after - before for before, after in pairwise(counts)],
                explicit_bounds=[bound for bound in bounds if math.isfinite(bound)],
                min=None,  # type: ignore[arg-type] # optional in the protocol, and unknown
                max=None,  # type: ignore[arg-type]
            )
            counts, bounds = [0], []
