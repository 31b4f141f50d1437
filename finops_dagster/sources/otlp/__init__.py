"""Token usage from OpenTelemetry's records, as the collector's file exporter writes them.

`words` has the conventions' names, `records` takes OTLP apart, `usage` adds up.
"""

from finops_dagster.sources.otlp.usage import token_days

__all__ = ["token_days"]
