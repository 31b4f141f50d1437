"""The dbt project as Dagster assets: one set per clock, all through one pool.

The transformations live in dbt_project; how they are named in translator.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from finops_dagster.defs import joined, line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_JOBS, LEDGER_JOB
from finops_dagster.defs.metadata import records_table
from finops_dagster.defs.shared import OWNERS, SINGLE_RUN, WAREHOUSE_POOL, Clocks, window
from finops_dagster.defs.warehouse.events import described
from finops_dagster.defs.warehouse.translator import Translator, asset_key
from finops_dagster.domain.periods import months
from finops_dagster.storage.publication import warehouse_rows


def build_warehouse(manifest: Path, clocks: Clocks) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The models of each clock, selected by their dbt tag."""
    return [
        *(
            _clock_models(manifest, clock, job, clocks.of(clock.monthly))
            for job, clock in CLOCK_JOBS.items()
        ),
        _ledger_models(manifest),
        *_ledger_tables(manifest),
    ]


def _clock_models(
    manifest: Path,
    clock: line.Clock,
    job: str,
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetsDefinition:
    # One month's pass must not hide another's failure. A day whose test fails is built again by
    # the next run; telling 21 tests of 28 days took 20 s of a first run.
    checked = partitions if clock.monthly else None

    @dbt_assets(
        manifest=manifest,
        select=f"tag:{clock.name}",
        name=f"dbt_{clock.name}",
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        dagster_dbt_translator=Translator(job, checked),
        pool=WAREHOUSE_POOL,
    )
    def models(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        estate: dg.ResourceParam[Estate],
    ) -> Iterator[Any]:
        first, last = window(context)
        cutoff = estate.cutoff(estate.settings.decided_day())
        if clock is line.BILLING:
            estate.lake.write_rates(estate.rates)
        variables = line.dbt_vars(estate, cutoff, first, last, clock)
        if clock is line.ALLOCATION:
            variables["published"] = joined.files(estate, months(first, last))
        target = estate.layout.root / "dbt" / clock.name
        arguments = line.dbt_arguments(clock.name, variables, target)
        build = dbt.cli(arguments, context=context, target_path=target)

        def restated() -> dict[str, Any]:
            rows = warehouse_rows(estate.layout.warehouse, _RESTATED.format(first=first, last=last))
            return {"restated": records_table(rows)}

        yield from described(
            context, build, estate.layout.warehouse, {"fct_restatements": restated}
        )

    return models


_RESTATED = """
    select source, billing_period, known_at, service_name, billing_account_id, sub_account_id,
        billing_currency, charge_class, billed_before, billed_after, billed_difference,
        effective_difference
    from fct_restatements
    where billing_period between date '{first}' and date '{last}'
    order by after_period_end desc, known_at desc, abs(billed_difference) desc
    limit 20
"""
"""Changes of closed bills first, the newest and the largest of them."""


def _ledger_models(manifest: Path) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select="tag:ledger",
        name="dbt_ledger",
        dagster_dbt_translator=Translator(LEDGER_JOB),
        pool=WAREHOUSE_POOL,
    )
    def models(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        estate: dg.ResourceParam[Estate],
    ) -> Iterator[Any]:
        as_of = estate.settings.decided_day()
        line.export_ledger(estate, as_of)
        variables = line.dbt_vars(estate, estate.cutoff(as_of), date.min, as_of, None)
        target = estate.layout.root / "dbt" / "ledger"
        arguments = line.dbt_arguments("ledger", variables, target)
        build = dbt.cli(arguments, context=context, target_path=target)
        yield from described(context, build, estate.layout.warehouse)

    return models


def _ledger_tables(manifest: Path) -> list[dg.AssetSpec]:
    """What the ledger holds, as Parquet: written by its models' own job, never materialised."""
    sources = json.loads(manifest.read_text(encoding="utf-8"))["sources"].values()
    return [
        dg.AssetSpec(
            asset_key(source),
            description=source["description"],
            group_name="ledger",
            kinds={"parquet"},
            owners=OWNERS,
        )
        for source in sources
        if source["source_name"] == "ledger"
    ]


def mart_keys(manifest: Path) -> dict[str, list[dg.AssetKey]]:
    """Clock -> asset keys of its marts."""
    return {clock.name: clock_marts(manifest, clock) for clock in CLOCK_JOBS.values()}


def clock_marts(manifest: Path, clock: line.Clock) -> list[dg.AssetKey]:
    """Asset keys of a clock's marts."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    return [
        asset_key(node)
        for node in nodes
        if node["resource_type"] == "model" and node["name"] in clock.marts
    ]
