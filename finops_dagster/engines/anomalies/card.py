"""What the detectors say of themselves, and the rules by which people are told: model cards.

What they found on a day is counted elsewhere.
"""

from __future__ import annotations

from importlib import import_module

from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.anomalies import alerts, effects, fine, incidents, novelty
from finops_dagster.engines.anomalies.result import ENGINE, DetectionConfig

_EXPLAIN = import_module("finops_dagster.engines.anomalies.explain")
"""The package has a function of this name."""

COST = EngineDescription(
    name="cost-anomalies",
    title="Cost anomaly detector",
    kind=EngineKind.DETECTOR,
    version=ENGINE,
    purpose="Unexpected daily cost of an account's service and team, merged to incidents by cause, "
    "with its money and what it is of: price, quantity and mix.",
    method="Seven channels on causal, robust baselines: points (Student t tails, Benjamini and "
    "Hochberg 1995 over a day's leaves), lasting and slow moves, unit prices, what is new, what is "
    "missing, mix and moves that offset each other.",
    features=("daily cost by account, service, team and currency",
              "quantities and prices by meter", "what people answered to earlier incidents"),
    parameters=fields_of(DetectionConfig()) | constants(incidents, effects, _EXPLAIN),
    limits=(
        "A leaf younger than four weeks is not judged for points or creep; one younger than two "
        "months not on single days.",
        "A season that all of an account share is taken for a season, not for anomalies.",
        "Where quantities are not billed, price and quantity cannot be told apart.",
    ),
    modules=("finops_dagster.engines.anomalies.detect",
             "finops_dagster.engines.anomalies.explain"),
)  # fmt: skip
ALERTS = EngineDescription(
    name="cost-alerts",
    title="Rules of who is told of an incident",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Which incidents people are told of on a day: few, none twice, none that was to be "
    "expected. What is held is on every list all the same.",
    method="A budget of alerts a team and day, filled by severity; what people called noise needs "
    "to be farther out, what they called useful less far.",
    features=("the day's incidents", "answers to earlier ones", "alerts of earlier days"),
    parameters=fields_of(alerts.AlertRules()) | constants(alerts),
    limits=(
        "It learns from answers alone: where nobody answers, thresholds stay as they are.",
        "A team's budget of alerts may be used up by what is more severe.",
    ),
    modules=("finops_dagster.engines.anomalies.alerts",),
)
TELEMETRY = EngineDescription(
    name="telemetry-anomalies",
    title="Detector of novel and far-out telemetry",
    kind=EngineKind.DETECTOR,
    version=fine.ENGINE,
    purpose="Which hourly series of workloads and grids began to do what they never did before, "
    "and which are far out: a feed for engineers.",
    method="One pass in the order of time: distance to the nearest earlier windows (matrix "
    "profile, Zhu et al. 2016), records of value, spread, level and shape, and robust z.",
    features=tuple(fine.METRICS),
    parameters=constants(fine, novelty),
    limits=(
        "A series is learnt from for its first two weeks, and nothing is said of it.",
        "Series with more gaps than points are not judged.",
        "What is declared (requests, limits, replicas) and what is an event (restarts) is not "
        "watched.",
    ),
    modules=("finops_dagster.engines.anomalies.fine",),
)
DESCRIPTIONS = (COST, ALERTS, TELEMETRY)
