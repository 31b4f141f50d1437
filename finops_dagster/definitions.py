"""The composition root: every asset, check, job, schedule and sensor of one estate.

`defs` is what Dagster loads; `build_defs` is what everything else calls.
"""

from collections.abc import Mapping

import dagster as dg
from dagster_dbt import DbtCliResource

from finops_dagster.cli.common import settings_for
from finops_dagster.defs.decision.assets import build_decision
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.assets import build_gitops
from finops_dagster.defs.insight.assets import build_insight
from finops_dagster.defs.jobs import build_jobs, build_schedule, build_sensor
from finops_dagster.defs.landing.assets import build_landing
from finops_dagster.defs.publication.assets import build_publication
from finops_dagster.defs.shared import clocks
from finops_dagster.defs.warehouse.assets import build_warehouse, mart_keys
from finops_dagster.defs.warehouse.project import dbt_executable, prepared_manifest
from finops_dagster.settings import Settings, environment_config, name_warehouse, telemetry_off


def build_defs(
    settings: Settings, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """Definitions of the estate that `settings` describe.

    `loggers`: what a run in this process reports to. Raises FinopsError if dbt cannot parse.
    """
    estate = Estate(settings)
    name_warehouse(estate.layout.warehouse)
    time = clocks(settings.start, settings.decided_day())
    manifest = prepared_manifest(estate.dbt_project)
    jobs = build_jobs(time)
    return dg.Definitions(
        assets=[
            *build_landing(time),
            *build_warehouse(manifest, time),
            *build_publication(time, mart_keys(manifest)),
            *build_insight(time),
            *build_decision(time),
            *build_gitops(),
        ],
        jobs=jobs,
        schedules=[build_schedule(estate)],
        sensors=[build_sensor(estate, jobs)],
        resources={
            "estate": estate,
            "dbt": DbtCliResource(
                project_dir=str(estate.dbt_project), dbt_executable=dbt_executable()
            ),
        },
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The estate of FINOPS_CONFIG, of ./finops.yaml, or the demo's."""
    telemetry_off()
    return build_defs(settings_for(environment_config()))
