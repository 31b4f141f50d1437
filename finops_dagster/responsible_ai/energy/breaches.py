"""Which limits of energy a model breaks: its budget, and quality per joule.

How the figures come about is told beside this module; what follows from a breach is policy's.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.energy.results import ModelEnergy


def breaches_of(energy: ModelEnergy | Abstained | None, *, version: str = "") -> list[Breach]:
    """Every limit of energy that is broken, the gravest first.

    A budget that is used up fails, since it is the owner's own number; a joule that buys less
    quality warns, since what it costs is money and carbon and not a wrong answer.
    """
    if not isinstance(energy, ModelEnergy):
        return []
    found = []
    if (
        energy.month_kwh is not None
        and energy.budget_kwh_month is not None
        and energy.month_kwh > energy.budget_kwh_month
    ):
        found.append(
            Breach(
                check=Check.ENERGY,
                grade="fail",
                reason=f"it uses {energy.month_kwh:.4g} kWh a month, where its budget is "
                f"{energy.budget_kwh_month:.4g} kWh",
                version=version,
                figures={
                    "energy_kwh_month": energy.month_kwh,
                    "energy_kwh_month_limit": energy.budget_kwh_month,
                },
            )
        )
    if energy.advice is not None:
        found.append(
            Breach(
                check=Check.ENERGY,
                grade="warn",
                reason=energy.advice.reason,
                version=version,
                figures=energy.advice.figures,
            )
        )
    return found
