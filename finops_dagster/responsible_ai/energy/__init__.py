"""Energy, carbon and cost of models, what they buy in quality, and advice where they buy less.

Tables in, frozen results out; who measured the energy, and where it is read, is the caller's.
"""

from finops_dagster.responsible_ai.energy.breaches import breaches_of
from finops_dagster.responsible_ai.energy.results import (
    Advice,
    DayEnergy,
    EnergyAdvice,
    ModelEnergy,
    TrainingEnergy,
    VersionEnergy,
)

__all__ = [
    "Advice",
    "DayEnergy",
    "EnergyAdvice",
    "ModelEnergy",
    "TrainingEnergy",
    "VersionEnergy",
    "breaches_of",
]
