"""One asset per landed table, with its gate as a blocking check.

How each source is read lives in sources; what is expected of it in quality.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import dagster as dg

from finops_dagster.defs import keeping, line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import BILLING_JOB, CLOCK_TAG, SIGNALS_JOB
from finops_dagster.defs.landing import freshness
from finops_dagster.defs.metadata import (
    audit_metadata,
    each_partition,
    landing_metadata,
    link,
    table_schema_metadata,
    versioned,
)
from finops_dagster.defs.shared import OWNERS, RETRY, SINGLE_RUN, Clocks, window
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.schemas import LANDING_TABLES

GATE = "landing_gate"

_DESCRIPTIONS = {
    "charges": "FOCUS charge rows of every billing export, as delivered.",
    "measurements": "What resources did: CPU, memory, GPU, storage, network.",
    "intensities": "Hourly carbon intensity of the grids.",
    "predictions": "What monitored AI models were given and said.",
    "labels": "What turned out to be true.",
    "runs": "Training and pipeline runs, as known when each day ended.",
    "model_versions": "Versions of registered models, when they were made or changed.",
    "token_usage": "Tokens that services asked of language models.",
    "business_metrics": "How much of each metric of the business a day had: orders, users.",
}


def build_landing(clocks: Clocks, timed: Collection[str] = ()) -> list[dg.AssetsDefinition]:
    """`landing/<table>` for every table; `timed`: those with a source that may be late."""
    return [
        _landing_asset(
            table,
            clocks.months if table in line.BILLING.tables else clocks.days,
            timed=table in timed,
        )
        for table in LANDING_TABLES
    ]


def _landing_asset(
    table: str,
    partitions: dg.MonthlyPartitionsDefinition | dg.DailyPartitionsDefinition,
    *,
    timed: bool,
) -> dg.AssetsDefinition:
    clock = line.BILLING if table in line.BILLING.tables else line.SIGNALS
    key = dg.AssetKey(["landing", table])
    fresh = dg.AssetCheckSpec(
        freshness.CHECK,
        asset=key,
        description="No source is late by the `max_age_hours` of its settings.",
    )

    @dg.asset(
        key=key,
        description=_DESCRIPTIONS[table],
        group_name="landing",
        owners=OWNERS,
        kinds={"parquet"},
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        retry_policy=RETRY,
        tags={CLOCK_TAG: BILLING_JOB if clock is line.BILLING else SIGNALS_JOB},
        metadata=table_schema_metadata(LANDING_TABLES[table]),
        check_specs=[
            dg.AssetCheckSpec(
                GATE,
                asset=key,
                blocking=True,
                partitions_def=partitions,
                description="Great Expectations and the delivery's own control totals.",
            ),
            *([fresh] if timed else []),
        ],
    )
    def landed(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        first, last = window(context)
        cutoff = estate.cutoff(estate.settings.decided_day())
        superseded = (
            keeping.land_superseded(estate, table, first, last, cutoff)
            if clock is line.BILLING
            else []
        )
        estate.ask(table, first, last)
        results = line.land_window(estate, table, first, last, cutoff)
        audit = line.judge_landed(estate, table, results)
        as_of = estate.settings.decided_day()
        page = audit.write_html(estate.layout.reports(as_of) / "audit" / f"landing-{table}.html")
        line.keep_gates(estate, "landing", [audit])
        shown = {"report": link(estate.layout.root, page)}
        if superseded:
            shown["superseded"] = landing_metadata(superseded)["by_delivery"]
        yield from versioned(
            context,
            dg.MaterializeResult(metadata={**landing_metadata(results), **shown}),
            line.inputs_by_partition(one.delivery for one in results),
        )
        metadata = audit_metadata([audit], shown, line.refusals(estate, results))
        result = dg.AssetCheckResult(
            asset_key=key,
            check_name=GATE,
            passed=audit.success,
            metadata=metadata,
            description=metadata["summary"],
        )
        yield from each_partition(context, result)
        if timed:
            late = freshness.late(estate, table)
            estate.day(as_of).write_items(f"{table}_late", late)
            yield from each_partition(context, _fresh(key, late))

    return landed


def _fresh(key: dg.AssetKey, late: Sequence[Abstained]) -> dg.AssetCheckResult:
    summary = "; ".join(f"{one.subject} is {one.reason}" for one in late)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=freshness.CHECK,
        passed=not late,
        # what came is good all the same
        severity=dg.AssetCheckSeverity.WARN,
        description=summary or "Every source delivered in time.",
        metadata={"summary": summary} if late else {},
    )
