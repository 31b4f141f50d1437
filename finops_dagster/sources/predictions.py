"""Prediction logs: what a monitored model was given and said.

What turned out to be true is in `labels`; how such rows are read, in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import PREDICTIONS
from finops_dagster.sources.signals import SignalFormat, outside

PREDICTION_LOG = SignalFormat(
    table=PREDICTIONS,
    key=("model", "prediction_id"),
    bounds=(
        outside("probability", "probability < 0 OR probability > 1", "between 0 and 1"),
        outside("latency_ms", "latency_ms < 0", "zero or more"),
        outside("energy_wh", "energy_wh < 0", "zero or more"),
    ),
)
