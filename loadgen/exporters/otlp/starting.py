"""Start the export of one process, or say what is missing for it."""

import os
from typing import TYPE_CHECKING

from loadgen.clients.rag.extras import list_missing, name_remedy
from loadgen.exporters.counting import Exporter
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.listing import join
from loadgen.text.masking import keep_headers

if TYPE_CHECKING:
    from loadgen.exporters.otlp.sending import Export

EXTRA = "otel"
MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


HEADERS = tuple(f"OTEL_EXPORTER_OTLP_{kind}HEADERS" for kind in ("", "METRICS_", "TRACES_"))
"""Variables with headers for the endpoint, which may have a key."""


def find_export_faults(url: str) -> list[Fault]:
    """Why nothing can be exported to this URL, as far as visible without asking it; none if nothing is to be."""
    missing = list_missing(*MODULES) if url else []
    return [Fault("otlp", url, f"needs {join(missing)}, not installed", name_remedy(EXTRA))] if missing else []


def start_export(url: str, exporter: Exporter) -> "Export":
    """Export the metrics of this process, and the spans of its sampled operations, from now on.

    Raises SettingsError without the extra.
    """
    if faults := find_export_faults(url):
        raise SettingsError(faults)
    from loadgen.exporters.otlp.sending import Export
    from loadgen.exporters.otlp.sessions import Connection

    for name in HEADERS:
        keep_headers(os.environ.get(name, ""))
    export = Export(Connection(url), exporter)
    export.start()
    return export
