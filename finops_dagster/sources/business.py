"""Metrics of the business by day: orders, users, predictions.

How such rows are read is in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.dated import DIMENSIONS
from finops_dagster.domain.schemas import BUSINESS_METRICS
from finops_dagster.sources.signals import SignalFormat, outside

_MOST = 10**17
"""So that a quantity is a decimal with 20 places before its point and 9 after it."""

BUSINESS_METRIC_LOG = SignalFormat(
    table=BUSINESS_METRICS,
    key=("time", "metric", *DIMENSIONS),
    partial_key=DIMENSIONS,
    optional=DIMENSIONS,
    bounds=(
        outside("quantity", f"quantity < 0 OR quantity >= {_MOST}", "zero or more, below 10^17"),
    ),
)
