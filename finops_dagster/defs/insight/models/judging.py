"""Has every AI model of a day judged, the company's and our own, in the order they are shown.

What is read and kept of each is told in the modules beside this.
"""

from __future__ import annotations

from datetime import date

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.decided import write_decided
from finops_dagster.defs.insight.models.energy import energies, keep
from finops_dagster.defs.insight.models.health import Health
from finops_dagster.defs.insight.models.monitored import judge_monitored
from finops_dagster.defs.insight.models.own import judge_forecaster
from finops_dagster.storage.publication import PublishedReader


def judge_models(estate: Estate, reader: PublishedReader, as_of: date) -> Health:
    """Judge every monitored model, our own forecaster, and whom our decisions fell on."""
    health = Health()
    folder = estate.report_folder(as_of)
    used = energies(estate, reader, as_of)
    keep(estate.day(as_of), used.values())
    for number, model in enumerate(estate.settings.models, 1):
        # names come from settings and logs: never a path
        place = folder / "models" / f"model-{number}"
        ai = estate.settings.ai
        judge_monitored(reader, model, as_of, place, health, ai, used[model.name])
    judge_forecaster(estate, folder, as_of, health)
    decided, unjudged, page = write_decided(estate, reader, as_of)
    health.gates.append(decided)
    health.abstained += unjudged
    health.pages[decided.gate] = page
    return health
