"""Metrics of this process for Prometheus: counted as samples arrive, rendered on each scrape.

A scrape builds its families from plain lists of numbers; a sample costs a few additions and one bisection. `otlp/`
exports the same families, and spans, with OpenTelemetry.
"""

from loadgen.exporters.counting import Exporter
from loadgen.exporters.families import new_registry
from loadgen.exporters.role import Role
from loadgen.exporters.series import VariantLabels
from loadgen.exporters.service_discovery import Targets
from loadgen.exporters.serving import Endpoint, serve

__all__ = ["Endpoint", "Exporter", "Role", "Targets", "VariantLabels", "new_registry", "serve"]
