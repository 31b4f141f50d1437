"""Measurements: what exporters said of workloads, one metric of one container at one time.

How such rows are read is in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import MEASUREMENTS
from finops_dagster.sources.signals import SignalFormat, outside

TELEMETRY = SignalFormat(
    table=MEASUREMENTS,
    # the interval is not part of it: one time has one value, whatever its length
    key=(
        *("cluster", "namespace", "kind", "name", "container", "metric", "time"),
        *("label", "label_value"),
    ),
    partial_key=("container", "label", "label_value"),
    # nodes and other cluster-scoped resources have no namespace
    empty=("namespace",),
    optional=("value_max", "value_p50", "value_p95", "series", "label", "label_value"),
    bounds=(outside("interval_seconds", "interval_seconds <= 0", "longer than nothing"),),
)
"""Metric names are the exporters' own; one that nobody knows is kept."""
