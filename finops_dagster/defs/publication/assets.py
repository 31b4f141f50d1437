"""Write, audit, publish: candidates with a blocking check, then one atomic replacement.

What is expected of a mart lives in quality; how versions are kept in storage.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from finops_dagster.defs import keeping, line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_JOBS, CLOCK_TAG, LEDGER_JOB
from finops_dagster.defs.metadata import audit_metadata, each_partition, link, records_table
from finops_dagster.defs.shared import OWNERS, SINGLE_RUN, WAREHOUSE_POOL, Clocks, window
from finops_dagster.storage.publication import Version

AUDIT = "audit"


def build_publication(
    clocks: Clocks, marts: dict[str, list[dg.AssetKey]]
) -> list[dg.AssetsDefinition]:
    """`publication/<clock>_candidates` and `publication/<clock>` for each clock.

    `marts`: the dbt assets that each clock's candidates are exported from.
    """
    return [
        asset
        for job, clock in CLOCK_JOBS.items()
        for asset in _clock_assets(clock, job, clocks.of(clock.monthly), marts[clock.name])
    ]


def build_recorded(marts: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """`publication/ledger`: what the ledger tells people, audited, in a publication of its own."""
    key = dg.AssetKey(["publication", line.LEDGER.name])

    @dg.asset(
        key=key,
        description="What the ledger tells people, audited and published apart from what decides.",
        group_name="ledger",
        owners=OWNERS,
        kinds={"parquet", "greatexpectations"},
        deps=marts,
        pool=WAREHOUSE_POOL,
        tags={CLOCK_TAG: LEDGER_JOB},
        check_specs=[
            dg.AssetCheckSpec(
                AUDIT,
                asset=key,
                blocking=True,
                description="Great Expectations over its marts; red keeps the last in force.",
            )
        ],
    )
    def recorded(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        as_of = estate.settings.decided_day()
        store, cutoff = estate.recorded, estate.cutoff(as_of)
        versions = line.export_candidates(
            store, estate.layout.warehouse, line.LEDGER, {as_of: []}, cutoff
        )
        audits = line.judge_exported(estate, store, line.LEDGER, versions, as_of)
        passed = all(audit.success for audit in audits)
        if passed:
            store.publish(versions, datetime.now(UTC), whole=True)
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(v.rows for v in versions),
                "versions": records_table([_row(v) for v in versions]),
            }
        )
        metadata = audit_metadata(audits, {})
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=AUDIT,
            passed=passed,
            metadata=metadata,
            description=metadata["summary"],
        )

    return recorded


def _clock_assets(
    clock: line.Clock,
    job: str,
    partitions: dg.MonthlyPartitionsDefinition | dg.DailyPartitionsDefinition,
    marts: list[dg.AssetKey],
) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition]:
    tags = {CLOCK_TAG: job}
    # what is joined of publications comes after them
    group = "allocation" if clock is line.ALLOCATION else "publication"
    candidates_key = dg.AssetKey(["publication", f"{clock.name}_candidates"])

    @dg.asset(
        key=candidates_key,
        description="Candidate marts as immutable Parquet, judged by Great Expectations.",
        group_name=group,
        owners=OWNERS,
        kinds={"parquet", "greatexpectations"},
        deps=marts,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        tags=tags,
        check_specs=[
            dg.AssetCheckSpec(
                AUDIT,
                asset=candidates_key,
                blocking=True,
                partitions_def=partitions,
                description="Great Expectations over every candidate; red keeps the last "
                "publication in force.",
            )
        ],
    )
    def candidates(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        as_of = estate.settings.decided_day()
        cutoff = estate.cutoff(as_of)
        inputs = line.built_inputs(estate, clock, *window(context), cutoff)
        versions = line.export_candidates(
            estate.publications, estate.layout.warehouse, clock, inputs, cutoff
        )
        versions = line.with_recipes(estate, clock, versions)
        audits = line.judge_exported(estate, estate.publications, clock, versions, as_of)
        folder = estate.layout.reports(as_of) / "audit"
        pages = {
            f"report_{audit.table}": link(
                estate.layout.root, audit.write_html(folder / f"{audit.table}.html")
            )
            for audit in audits
        }
        line.keep_gates(estate, "audit", audits)
        estate.publications.keep_candidates(clock.name, versions)
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(v.rows for v in versions),
                "candidates": records_table([_row(v) for v in versions]),
                **pages,
            },
        )
        metadata = audit_metadata(audits, pages)
        result = dg.AssetCheckResult(
            asset_key=candidates_key,
            check_name=AUDIT,
            passed=all(audit.success for audit in audits),
            metadata=metadata,
            description=metadata["summary"],
        )
        yield from each_partition(context, result)

    @dg.asset(
        key=["publication", clock.name],
        description="The versions in force: what every later step reads.",
        group_name=group,
        owners=OWNERS,
        kinds={"parquet"},
        deps=[candidates_key],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        tags=tags,
    )
    def published(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        versions = estate.publications.candidates(clock.name)
        if not versions and estate.publications.current() is None:
            raise line.nothing_known(estate, clock)
        manifest = estate.publications.publish(versions, datetime.now(UTC))
        pruned = keeping.prune(estate, clock, estate.cutoff(estate.settings.decided_day()))
        context.log.info(
            f"Rows of {len(pruned.deliveries)} deliveries removed: {pruned.freed_bytes} bytes."
        )
        return dg.MaterializeResult(
            metadata={
                "publication_id": manifest.id,
                "sequence": manifest.sequence,
                "known_at": manifest.known_at.isoformat(),
                "dagster/row_count": sum(v.rows for v in versions),
                "versions": records_table([_row(v) for v in versions]),
                "deliveries_pruned": len(pruned.deliveries),
                "bytes_freed": pruned.freed_bytes,
                "pruned": records_table(
                    [
                        {
                            "source": one.source,
                            "partition": one.partition.isoformat(),
                            "known_at": one.known_at.isoformat(),
                            "delivery_id": one.delivery_id,
                        }
                        for one in pruned.deliveries
                    ]
                ),
            }
        )

    return candidates, published


def _row(version: Version) -> dict[str, str]:
    return {
        "mart": version.mart,
        "partition": version.partition.isoformat(),
        "rows": str(version.rows),
        "sha256": version.sha256[:12],
    }
