"""Quality, fairness and drift of one model from two flat tables, as plain rows.

What the rows say is decided in the judging modules; tables are read by the caller.
"""

from finops_dagster.responsible_ai.metrics.rows import MetricRow, metrics, mitigations
from finops_dagster.responsible_ai.metrics.schema import MetricFault, MetricSchema

__all__ = ["MetricFault", "MetricRow", "MetricSchema", "metrics", "mitigations"]
