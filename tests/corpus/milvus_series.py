"""The series of Milvus that this tool reads, by version, and their labels: `milvus_metrics.yaml`."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

EMBEDDED = "2.3.5"
"""The version that the tests can ask."""
Labels = Mapping[str, Sequence[str]]
"""By version; of one that is missing, the series is not known to exist."""


@cache
def milvus_series() -> Mapping[str, Labels]:
    """All series by name; a histogram's without its suffix."""
    loaded = yaml.safe_load(Path(__file__).with_name("milvus_metrics.yaml").read_text(encoding="utf-8"))
    series: dict[str, Labels] = loaded["proxy"] | loaded["others"]
    assert {version for labels in series.values() for version in labels} <= set(loaded["sources"])
    return series


def is_known(name: str, version: str) -> bool:
    """Whether a version has a series."""
    return version in milvus_series()[name]


def labels_of(name: str, version: str) -> Sequence[str]:
    """The labels of a series in a version; none if it has none."""
    return milvus_series()[name].get(version, ())
