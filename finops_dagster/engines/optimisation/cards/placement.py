"""What the rules of where and when movable work runs say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.optimisation import carbon_hours, carbon_region, placement_inputs
from finops_dagster.engines.optimisation.inputs import ENGINE, EnergyCoefficients

PLACEMENT = EngineDescription(
    name="placement",
    title="Hours and regions of movable work",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Another hour or region for work that is labelled movable, by cost, carbon and risk "
    "together.",
    method="The hour of least carbon intensity of those that the label allows, held against what "
    "such hours did in the window; the Pareto front of regions, and the one that the weights "
    "choose.",
    features=("labels of movable work", "energy by hour", "grid carbon intensity by hour",
              "prices and traffic by region"),
    parameters=constants(carbon_hours, carbon_region, placement_inputs)
    | fields_of(EnergyCoefficients(), "energy."),
    limits=(
        "Grid intensities of the window stand for those to come: no forecast of the grid is made.",
        "Work without a label that says so is never moved.",
    ),
    modules=("finops_dagster.engines.optimisation.placement",),
    finds=frozenset({FindingKind.CARBON_HOURS, FindingKind.CARBON_REGION}),
)  # fmt: skip
