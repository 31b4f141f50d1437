"""Waste and shortage in what runs: findings with their price, and the proposals made of them.

Pure: frames in, domain types out. Policy, Git and the forge are not known here.
"""

from finops_dagster.engines.optimisation.costs import monthly_costs, relations
from finops_dagster.engines.optimisation.declared import declared_values
from finops_dagster.engines.optimisation.find import find
from finops_dagster.engines.optimisation.inputs import (
    Context,
    EnergyCoefficients,
    FindResult,
    SizingConfig,
)
from finops_dagster.engines.optimisation.prices import unit_prices
from finops_dagster.engines.optimisation.propose import propose
from finops_dagster.engines.optimisation.queue import DailyLimits, Progress
from finops_dagster.engines.optimisation.scalers import declared_scaling

__all__ = [
    "Context",
    "DailyLimits",
    "EnergyCoefficients",
    "FindResult",
    "Progress",
    "SizingConfig",
    "declared_scaling",
    "declared_values",
    "find",
    "monthly_costs",
    "propose",
    "relations",
    "unit_prices",
]
