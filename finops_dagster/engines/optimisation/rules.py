"""The rules that turn a workload's history into a request: peers' quantile rules by environment.

No prices, no declared values: only amounts of cores and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pandas as pd

from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation.quantities import MIB

CPU_FLOOR_CORES = Decimal("0.010")
MEMORY_FLOOR_BYTES = Decimal(100 * MIB)
"""Floors of KRR's simple strategy (10m, 100 MB), the latter as MiB."""


class Tier(StrEnum):
    """How much headroom an environment gets."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


@dataclass(frozen=True)
class Rule:
    """Requests: the CPU quantile times its headroom; the memory peak and drift times its own."""

    name: str
    cpu_quantile: float
    cpu_headroom: float
    memory_headroom: float


RULES = {
    Tier.PRODUCTION: Rule("P99.5 + 20 % (as AWS Compute Optimizer)", 0.995, 1.20, 1.15),
    Tier.STAGING: Rule("P99 + 15 %", 0.99, 1.15, 1.15),
    Tier.DEVELOPMENT: Rule(
        "P95 + 15 % (as the Vertical Pod Autoscaler's upper bound)", 0.95, 1.15, 1.15
    ),
}
"""Until a fleet has enough later data to calibrate a risk model on, its sizes are these."""

_TIERS = (
    (Tier.DEVELOPMENT, ("dev", "test", "sandbox", "qa", "preview", "ci", "lab", "play")),
    (Tier.STAGING, ("stag", "uat", "preprod", "pre-prod", "acc", "integration")),
)


def tier_of(environment: str) -> Tier:
    """The tier of an environment's name; unknown ones count as production, the careful side."""
    name = environment.strip().lower()
    for tier, prefixes in _TIERS:
        if name.startswith(prefixes):
            return tier
    return Tier.PRODUCTION


def cpu_request(profile: pd.Series, rule: Rule, prefix: str = "") -> Decimal:
    """Cores of one replica by `rule`; `prefix` "early_" takes the first two thirds alone."""
    quantile = float(profile[f"{prefix}cpu_q{rule.cpu_quantile:g}"])
    return max(CPU_FLOOR_CORES, to_decimal(quantile * rule.cpu_headroom))


def memory_request(profile: pd.Series, rule: Rule, prefix: str = "") -> Decimal:
    """Bytes of one replica: (max + upward drift) x headroom.

    Drift is last-third mean less first-third mean where positive: on real traces max plus drift
    was breached no more often than max x 1.15 at a higher saving; the headroom is KRR's.
    """
    peak = float(profile[f"{prefix}memory_max"]) + float(profile[f"{prefix}memory_drift"])
    return max(MEMORY_FLOOR_BYTES, to_decimal(peak * rule.memory_headroom, 0))
