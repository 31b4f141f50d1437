"""Monitored models whose energy buys less quality than it did: reads what the day has kept.

Whether it does, and what is advised, is responsible_ai's to say.
"""

from __future__ import annotations

from datetime import date

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.energy import kept
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.responsible_ai.energy.findings import finding
from finops_dagster.storage.publication import PublishedReader


def model_energy(estate: Estate, _: PublishedReader, as_of: date) -> FindResult:
    """A finding for each monitored model about whose energy something is advised."""
    settings = {model.name: model for model in estate.settings.models}
    index = estate.index(as_of)
    result = FindResult(findings=[], abstained=[])
    for one in kept(estate.day(as_of)):
        model = settings.get(one.subject)
        if model is None:
            continue
        workload = model.workload or ""
        resource = index.resources().get(index.find(workload) or "") if index and workload else None
        found = finding(
            one,
            resource=workload or f"Model//{model.name}",
            owner=model.owner,
            environment=(resource.environment if resource else None) or "",
        )
        if found is not None:
            result.findings.append(found)
    return result
