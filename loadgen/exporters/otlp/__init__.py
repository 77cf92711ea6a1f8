"""OpenTelemetry: metrics and spans of this process, sent to an OTLP endpoint over HTTP.

OpenTelemetry's libraries, of the extra `otel`, are imported when an export is started.
"""

from loadgen.exporters.otlp.starting import find_export_faults, start_export

__all__ = ["find_export_faults", "start_export"]
