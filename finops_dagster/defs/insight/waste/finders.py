"""Every part of the estate that is looked at for waste, and what all of them found.

How each part is looked at is said in its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.waste.bill import bill
from finops_dagster.defs.insight.waste.commitments import commitments
from finops_dagster.defs.insight.waste.engines import engines
from finops_dagster.defs.insight.waste.gpus import gpus
from finops_dagster.defs.insight.waste.machines import machines
from finops_dagster.defs.insight.waste.model_energy import model_energy
from finops_dagster.defs.insight.waste.models import models
from finops_dagster.defs.insight.waste.placement import placement
from finops_dagster.defs.insight.waste.policy import violating
from finops_dagster.defs.insight.waste.serverless import serverless
from finops_dagster.defs.insight.waste.shadow import shadows
from finops_dagster.defs.insight.waste.workloads import workloads
from finops_dagster.domain.decisions import Finding
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.inputs import joined
from finops_dagster.storage.publication import PublishedReader

FINDERS: tuple[Callable[[Estate, PublishedReader, date], FindResult], ...] = (
    workloads,
    gpus,
    machines,
    serverless,
    bill,
    placement,
    violating,
    models,
    model_energy,
    engines,
)
AFTERWARDS: tuple[Callable[[Estate, PublishedReader, date, Sequence[Finding]], FindResult], ...] = (
    commitments,
    shadows,
)
"""Those that look at what all others found: what they leave to be paid for, and what they tell."""


def find_waste(estate: Estate, reader: PublishedReader, as_of: date) -> FindResult:
    """Findings of a day from all parts, best saving first within a currency."""
    results = [find(estate, reader, as_of) for find in FINDERS]
    before = [one for result in results for one in result.findings]
    results += [find(estate, reader, as_of, before) for find in AFTERWARDS]
    found = joined(results)
    found.findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    return found
