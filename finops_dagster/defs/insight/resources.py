"""What is billed, measured and declared, joined for a day: dbt over its publication, published.

By which rules things are told to be one is said in the models.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from finops_dagster.defs import line, rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_TAG, DECIDE_JOB
from finops_dagster.defs.metadata import audit_metadata, each_partition, link, records_table
from finops_dagster.defs.shared import OWNERS, Clocks, window
from finops_dagster.defs.warehouse.assets import clock_marts
from finops_dagster.defs.warehouse.events import described
from finops_dagster.defs.warehouse.translator import Translator
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import month_start
from finops_dagster.storage.publication import (
    Manifest,
    PublicationStore,
    PublishedReader,
    Version,
)

AUDIT = "audit"
RESOURCES = dg.AssetKey(["insight", "resources"])
_OF_RUNS = (
    "fct_runs",
    "fct_workload_measurements",
    "fct_workload_carbon_daily",
    "fct_model_metrics_daily",
    "fct_token_usage",
)
"""What costs and carbon of runs, models and tokens are shared by."""
DECLARED = ("declared_resources", "declared_identifiers")
"""Frames of a day that hold what its repository declares, under the names of dbt's sources."""


def build_resources(manifest: Path, clocks: Clocks) -> list[dg.AssetsDefinition]:
    """The joined models, and the publication of their marts."""

    @dbt_assets(
        manifest=manifest,
        select=f"tag:{line.RESOURCES.name}",
        name="insight__matching",
        partitions_def=clocks.days,
        dagster_dbt_translator=Translator(DECIDE_JOB),
    )
    def models(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        estate: dg.ResourceParam[Estate],
    ) -> Iterator[Any]:
        as_of, _ = window(context)
        _warehouse(estate, as_of).parent.mkdir(parents=True, exist_ok=True)
        variables = _variables(estate, as_of, rebuild.reader(estate, as_of))
        target = estate.layout.root / "dbt" / line.RESOURCES.name
        arguments = line.dbt_arguments(line.RESOURCES.name, variables, target)
        build = dbt.cli(arguments, context=context, target_path=target)
        yield from described(context, build, _warehouse(estate, as_of))

    @dg.asset(
        key=RESOURCES,
        description="The joined marts in force for the day: owners of costs, workloads that no "
        "manifest declares, declarations that nothing runs.",
        group_name="insight",
        owners=OWNERS,
        kinds={"parquet", "greatexpectations"},
        deps=clock_marts(manifest, line.RESOURCES),
        partitions_def=clocks.days,
        tags={CLOCK_TAG: DECIDE_JOB},
        check_specs=[
            dg.AssetCheckSpec(
                AUDIT,
                asset=RESOURCES,
                blocking=True,
                partitions_def=clocks.days,
                description="Great Expectations over every joined mart; red publishes none.",
            )
        ],
    )
    def resources(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        as_of, _ = window(context)
        day = estate.day(as_of)
        chosen = rebuild.reader(estate, as_of).manifest
        store, warehouse = _store(estate, as_of), _warehouse(estate, as_of)
        commit = (day.document("desired_state") or {}).get("commit")
        read = [v.sha256 for versions in _read(estate, as_of, chosen).values() for v in versions]
        inputs = [content_id("read", {"marts": read, "commit": commit})]
        versions = line.export_candidates(
            store,
            warehouse,
            line.RESOURCES,
            dict.fromkeys(_run_days(estate, as_of, chosen), inputs),
            chosen.known_at,
            {mart: [as_of] for mart in line.RESOURCES.marts if mart not in line.OF_DAYS},
        )
        versions = line.with_recipes(estate, line.RESOURCES, versions)
        audits = line.judge_exported(estate, store, line.RESOURCES, versions, as_of)
        shutil.rmtree(warehouse.parent)
        folder = estate.report_folder(as_of) / "audit"
        pages = {
            f"report_{audit.table}": link(
                estate.layout.root, audit.write_html(folder / f"{audit.table}.html")
            )
            for audit in audits
        }
        passed = all(audit.success for audit in audits)
        if passed:
            rebuild.extend(estate, as_of, store.publish(versions, datetime.now(UTC)))
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(v.rows for v in versions),
                "marts": records_table([{"mart": v.mart, "rows": v.rows} for v in versions]),
                **pages,
            }
        )
        metadata = audit_metadata(audits, pages)
        result = dg.AssetCheckResult(
            asset_key=RESOURCES,
            check_name=AUDIT,
            passed=passed,
            metadata=metadata,
            description=metadata["summary"],
        )
        yield from each_partition(context, result)

    return [models, resources]


def reader(estate: Estate, as_of: date) -> PublishedReader | None:
    """A reader of the joined marts of a day; None before they were published."""
    store = _store(estate, as_of)
    manifest = store.current()
    return store.reader(manifest) if manifest is not None else None


def _store(estate: Estate, as_of: date) -> PublicationStore:
    """Where a day's joined marts come into force: those of a replay stay with it."""
    return rebuild.store(estate, as_of) if estate.is_replay(as_of) else estate.publications


def _warehouse(estate: Estate, as_of: date) -> Path:
    """Built anew for each day from its publication, so that nothing of another day is in it.

    Named as the other one is: DuckDB calls a catalog by its file, and so does dbt's manifest.
    """
    return estate.day(as_of).path("resources") / "warehouse.duckdb"


def _read(estate: Estate, as_of: date, manifest: Manifest) -> dict[str, list[Version]]:
    """The versions of published marts that the day's are joined of."""
    days = estate.settings.matching
    # a later month may bill days of the window
    first_month = month_start(as_of - timedelta(days=max(days.cost_days, days.run_days)))
    first_day = as_of - timedelta(days=days.measured_days)
    costs, workloads = "fct_costs_daily", "fct_workload_utilisation_daily"
    return {
        costs: manifest.of(costs, first_month),
        workloads: manifest.of(workloads, first_day, as_of),
        # a model may be registered long before or after the day its run cost something
        "fct_model_versions": manifest.of("fct_model_versions", None, as_of),
        **{mart: manifest.of(mart, _first_run_day(estate, as_of), as_of) for mart in _OF_RUNS},
    }


def _first_run_day(estate: Estate, as_of: date) -> date:
    return as_of - timedelta(days=estate.settings.matching.run_days - 1)


def _run_days(estate: Estate, as_of: date, manifest: Manifest) -> list[date]:
    """Days whose runs are charged: the decided one, and those before it that are published."""
    told = manifest.of("fct_runs", _first_run_day(estate, as_of), as_of)
    return sorted({as_of, *(version.partition for version in told)})


def _variables(estate: Estate, as_of: date, published: PublishedReader) -> dict[str, Any]:
    day, store = estate.day(as_of), published.store
    files = {
        mart: [store.path(version) for version in versions]
        for mart, versions in _read(estate, as_of, published.manifest).items()
    }
    files |= {name: [day.path(f"{name}.parquet")] for name in DECLARED}
    given = {name: [str(path) for path in paths if path.exists()] for name, paths in files.items()}
    return {
        **line.dbt_vars(
            estate, estate.cutoff(as_of), _first_run_day(estate, as_of), as_of, line.RESOURCES
        ),
        "published": given,
        "warehouse": str(_warehouse(estate, as_of)),
    }
