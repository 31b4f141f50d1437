"""What the doctor is lent by the other packages.

The checks themselves live in setup.
"""

from __future__ import annotations

from finops_dagster.defs.estate import Estate
from finops_dagster.gitops.changes import is_allowed
from finops_dagster.settings import Settings
from finops_dagster.setup import Check, Probes, check_forge, doctor

_TABLES = {
    "billing": ("charges",),
    "telemetry": ("measurements",),
    "carbon": ("intensities",),
    "predictions": ("predictions",),
    "labels": ("labels",),
    "runs": ("runs", "model_versions"),
    "token_usage": ("token_usage",),
    "business_metrics": ("business_metrics",),
}
"""Key of sources -> the landing tables that they tell."""


def checks(settings: Settings, *, forge: bool = False) -> list[Check]:
    """Every check of an estate, or those of its forge."""
    estate = Estate(settings)

    def deliveries(group: str, name: str) -> int:
        return sum(
            1
            for table in _TABLES[group]
            for source in estate.sources(table)
            if source.name == name
            for _ in source.deliveries()
        )

    probes = Probes(
        deliveries=deliveries,
        policies=lambda: estate.judge.bundle,
        allocation=lambda: str(estate.allocation),
        permissions=lambda: estate.forge().permissions(),
        protection=lambda branch: estate.forge().protection(branch),
        may_edit=lambda file, globs: is_allowed(file, globs),
    )
    return check_forge(settings, probes) if forge else doctor(settings, probes)
