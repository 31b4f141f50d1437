"""Token usage: what services asked of language models, one model and operation in an interval.

How it is had of OpenTelemetry's records is in `otlp`; how such rows are read, in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import TOKEN_USAGE
from finops_dagster.sources.signals import SignalFormat, outside

_DETAILS = ("operation", "service", "team", "cluster", "namespace", "workload")
_COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "requests")

TOKEN_LOG = SignalFormat(
    table=TOKEN_USAGE,
    key=("time", "provider", "model", *_DETAILS),
    partial_key=_DETAILS,
    bounds=(
        outside("interval_seconds", "interval_seconds <= 0", "longer than nothing"),
        *(outside(column, f"{column} < 0", "zero or more") for column in _COUNTS),
    ),
)
