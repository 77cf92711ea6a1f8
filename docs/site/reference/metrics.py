"""The series of /metrics, from the families that a process exports."""

import re
from collections.abc import Iterator

from prometheus_client.core import Metric

from docs.site.reference.tables import plain, table_of
from loadgen.exporters.counting import Exporter
from loadgen.exporters.families import ExporterCollector
from loadgen.exporters.role import Role

HELP = re.compile(r"(.*) \[(.*)\]", re.DOTALL)
"""A text, and its unit in brackets."""


def list_metrics() -> Iterator[str]:
    """A table of all series. A process that runs alone exports those of master and workers."""
    families = ExporterCollector(Exporter(Role.LOCAL, lambda: 0)).collect()
    yield from table_of(
        ("series", "kind", "labels", "meaning", "unit"),
        [_row(family) for family in sorted(families, key=lambda one: one.name)],
    )


def _row(family: Metric) -> tuple[str, ...]:
    text = HELP.fullmatch(family.documentation)
    if text is None:
        msg = f"the help of {family.name} lacks a unit in brackets"
        raise ValueError(msg)
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels: tuple[str, ...] = family._labelnames  # type: ignore[attr-defined]  # noqa: SLF001
    return f"`{name}`", family.type, ", ".join(labels), plain(text[1]), plain(text[2])
