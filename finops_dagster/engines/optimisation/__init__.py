"""Waste and shortage in what runs: findings with their price, and the proposals made of them.

Pure: frames in, domain types out. Policy, Git and the forge are not known here.
"""

from finops_dagster.engines.optimisation.bounds import declared_bounds
from finops_dagster.engines.optimisation.costs import monthly_costs, relations
from finops_dagster.engines.optimisation.declared import declared_values
from finops_dagster.engines.optimisation.find import find, find_in_parts
from finops_dagster.engines.optimisation.inputs import (
    Context,
    EnergyCoefficients,
    FindResult,
    SizingConfig,
)
from finops_dagster.engines.optimisation.parts import Measured, Part
from finops_dagster.engines.optimisation.prices import commitment_places, unit_prices
from finops_dagster.engines.optimisation.propose import propose, together
from finops_dagster.engines.optimisation.queue import DailyLimits, Progress
from finops_dagster.engines.optimisation.scalers import declared_scaling
from finops_dagster.engines.optimisation.window import MEASURED

__all__ = [
    "MEASURED",
    "Context",
    "DailyLimits",
    "EnergyCoefficients",
    "FindResult",
    "Measured",
    "Part",
    "Progress",
    "SizingConfig",
    "commitment_places",
    "declared_bounds",
    "declared_scaling",
    "declared_values",
    "find",
    "find_in_parts",
    "monthly_costs",
    "propose",
    "relations",
    "together",
    "unit_prices",
]
