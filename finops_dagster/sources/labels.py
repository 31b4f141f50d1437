"""Labels: what turned out to be true of a prediction, by the day it became known.

How such rows are read is in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import LABELS
from finops_dagster.sources.signals import SignalFormat

LABEL_LOG = SignalFormat(
    table=LABELS,
    # the same truth recorded later is a correction and has another time
    key=("model", "prediction_id", "time"),
    # a folder is of the day of arrival; a truth may have been recorded before
    strict_partition=False,
)
