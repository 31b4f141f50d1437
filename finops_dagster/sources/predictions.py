"""Prediction logs: what a monitored model was given and said.

What turned out to be true is in `labels`; how such rows are read, in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import PREDICTIONS
from finops_dagster.sources.parsing import literal
from finops_dagster.sources.signals import SignalFormat, outside
from finops_dagster.sources.views import Check

_VERSION = r"[\w.+:/~-]{1,80}"
"""Version and groups are kept as they are, so that neither may be a sentence or an address."""
_LONGEST_GROUP = 40

PREDICTION_LOG = SignalFormat(
    table=PREDICTIONS,
    key=("model", "prediction_id"),
    bounds=(
        outside("probability", "probability < 0 OR probability > 1", "between 0 and 1"),
        outside("latency_ms", "latency_ms < 0", "zero or more"),
        outside("energy_wh", "energy_wh < 0", "zero or more"),
        outside("input_tokens", "input_tokens < 0", "zero or more"),
        outside("output_tokens", "output_tokens < 0", "zero or more"),
        Check(
            "not_a_word",
            "model_version",
            f"(NOT regexp_full_match(model_version, {literal(_VERSION)}))",
            "quoted(model_version) || ' is no version such as 2.1.0 or 2026-01-31_a'",
        ),
        Check(
            "not_a_word",
            "groups",
            f"(len(list_filter(map_values(groups), lambda g: contains(g, '@') "
            f"OR length(g) > {_LONGEST_GROUP})) > 0)",
            f"'a group is no coarse one: at most {_LONGEST_GROUP} characters, and no address'",
        ),
    ),
)
