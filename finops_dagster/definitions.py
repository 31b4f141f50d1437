"""The composition root: every asset, check, job, schedule and sensor of one estate.

`defs` is what Dagster loads; `build_defs` is what everything else calls.
"""

import warnings
from collections.abc import Callable, Mapping

import dagster as dg

from finops_dagster.cli.common import settings_for
from finops_dagster.defs import line
from finops_dagster.defs.decision.assets import build_decision
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.assets import build_gitops
from finops_dagster.defs.insight.assets import build_insight
from finops_dagster.defs.insight.resources import build_resources
from finops_dagster.defs.jobs import build_jobs, build_schedule, build_sensor
from finops_dagster.defs.landing.assets import build_landing
from finops_dagster.defs.landing.conformance import build_conformance
from finops_dagster.defs.publication.assets import build_publication, build_recorded
from finops_dagster.defs.sensors import build_new_deliveries
from finops_dagster.defs.shared import clocks
from finops_dagster.defs.warehouse.assets import build_warehouse, clock_marts, mart_keys
from finops_dagster.defs.warehouse.project import dbt_executable, prepared_manifest
from finops_dagster.defs.warehouse.resource import Dbt
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.settings import Settings, environment_config, name_warehouse, telemetry_off


def build_defs(
    settings: Settings,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    reread: Callable[[], Settings] | None = None,
) -> dg.Definitions:
    """Definitions of the estate that `settings` describe.

    `loggers`: what a run in this process reports to. `reread`: the settings as they are later,
    asked at each tick of schedule and sensor. Raises FinopsError if dbt cannot parse.
    """
    with warnings.catch_warnings():
        # Partitioned checks and backfill policies are meant; dagster is pinned to one release.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _definitions(settings, loggers, reread)


def _definitions(
    settings: Settings,
    loggers: Mapping[str, dg.LoggerDefinition] | None,
    reread: Callable[[], Settings] | None,
) -> dg.Definitions:
    estate = Estate(settings)

    def newest() -> Estate:
        now = reread() if reread else settings
        # the same estate remembers the files it has hashed
        return estate if now == settings else Estate(now)

    name_warehouse(estate.layout.warehouse)
    time = clocks(settings.start, settings.decided_day(), fixed=settings.as_of is not None)
    manifest = prepared_manifest(estate.dbt_project)
    jobs = build_jobs()
    return dg.Definitions(
        assets=[
            *build_landing(
                time, [table for table in LANDING_TABLES if estate.max_age_hours(table)]
            ),
            build_conformance(time, judged=settings.focus_rules is not None),
            *build_warehouse(manifest, time),
            *build_publication(time, mart_keys(manifest)),
            build_recorded(clock_marts(manifest, line.LEDGER)),
            *build_resources(manifest, time),
            *build_insight(time),
            *build_decision(time),
            *build_gitops(),
        ],
        jobs=jobs,
        schedules=[build_schedule(settings.schedule, newest)],
        sensors=[build_sensor(newest, jobs), build_new_deliveries(newest, jobs)],
        resources={
            "estate": estate,
            "dbt": Dbt(project_dir=str(estate.dbt_project), dbt_executable=dbt_executable()),
        },
        # what is materialised from the UI runs as the jobs do: see build_jobs
        executor=dg.in_process_executor,
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The estate of FINOPS_CONFIG, of ./finops.yaml, or the demo's."""
    telemetry_off()

    def read() -> Settings:
        return settings_for(environment_config())

    return build_defs(read(), reread=read)
