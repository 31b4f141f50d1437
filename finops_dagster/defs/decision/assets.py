"""Proposals, verdicts and the day's report.

Each body reads what the day has so far, calls one worker and writes what it said.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from finops_dagster.defs import rebuild, showback
from finops_dagster.defs.decision.judging import judged
from finops_dagster.defs.decision.reporting import write_report
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.assets import (
    BUDGET_FORECASTS,
    DESIRED_STATE,
    FINDINGS,
    FORECASTS,
    REPORTED,
)
from finops_dagster.defs.jobs import CLOCK_TAG, DECIDE_JOB
from finops_dagster.defs.metadata import link, records_table
from finops_dagster.defs.shared import OWNERS, Clocks, window
from finops_dagster.domain.decisions import Abstained, Decision, Finding, Proposal, Rung, Waiting
from finops_dagster.domain.periods import month_start

PROPOSALS = dg.AssetKey(["decision", "proposals"])
VERDICTS = dg.AssetKey(["decision", "verdicts"])
PACKS = dg.AssetKey(["decision", "packs"])
REPORT = dg.AssetKey(["decision", "report"])


def build_decision(clocks: Clocks) -> list[dg.AssetsDefinition]:
    """The assets of stage decision, all on the daily clock."""
    common: dict[str, Any] = {
        "group_name": "decision",
        "owners": OWNERS,
        "partitions_def": clocks.days,
        "tags": {CLOCK_TAG: DECIDE_JOB},
    }

    @dg.asset(
        key=PROPOSALS,
        description="The changes that save most together, in the order of doing, each with what it "
        "saves beside the others; and why the rest is not proposed.",
        deps=[FINDINGS],
        kinds={"python"},
        **common,
    )
    def proposals(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.decision.portfolio import count, propose_for, weights

        as_of, _ = window(context)
        day = estate.day(as_of)
        findings = day.items("findings", Finding)
        chosen = rebuild.chosen_for(estate, as_of)
        stale = rebuild.stale(chosen, estate.settings.limits.publication_age_days)
        against = weights(estate, as_of)
        made, left = propose_for(estate, as_of, [] if stale else findings, chosen, against)
        left = [*left, *stale]
        waiting = [one for one in left if isinstance(one, Waiting)]
        day.write_items("findings_counted", count(findings, against))
        day.write_items("proposals", made)
        day.write_items("proposals_waiting", waiting)
        day.write_items(
            "proposals_abstained",
            [Abstained(subject=one.subject, reason=one.reason) for one in left],
        )
        estate.record(as_of, "finding", findings)
        estate.record(as_of, "proposal", made)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(made),
                "rows_in": len(findings),
                "proposals": records_table(
                    [
                        {
                            "kind": one.kind.value,
                            "resource": one.resource,
                            "change": f"{one.current} -> {one.proposed}",
                            "saving": f"{one.saving_per_month.mid:.2f} "
                            f"{one.saving_per_month.currency}",
                            "owner": one.owner,
                            "order": f"{one.order}: {one.order_reason}",
                        }
                        for one in made
                    ]
                ),
                "not_proposed": records_table([one.model_dump() for one in left]),
            }
        )

    @dg.asset(
        key=VERDICTS,
        description="What policy says of each proposal, with the rules that spoke, how far "
        "automation may go with it and who approves it.",
        deps=[PROPOSALS, DESIRED_STATE, FORECASTS, BUDGET_FORECASTS],
        kinds={"rego"},
        **common,
    )
    def verdicts(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        day = estate.day(as_of)
        made = day.items("proposals", Proposal)
        said = judged(estate, as_of, day, made, estate.judge)
        day.write_items("verdicts", said)
        estate.record(as_of, "verdict", said)
        counts = {d.value: sum(v.decision is d for v in said) for d in Decision}
        rungs = {rung.value: sum(v.rung is rung for v in said) for rung in Rung}
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(said),
                "bundle": estate.judge.bundle,
                **counts,
                **rungs,
                "rules": records_table(
                    [
                        {
                            "resource": one.resource,
                            "field": one.field,
                            "decision": rule.decision.value,
                            "rule": rule.title,
                            "actual": rule.actual,
                            "limit": rule.limit,
                        }
                        for one, verdict in zip(made, said, strict=True)
                        for rule in verdict.rules
                    ]
                ),
            }
        )

    @dg.asset(
        key=PACKS,
        description="The last whole month of every team, as pages and tables: spend, budgets, unit "
        "costs, carbon, what it is charged, open decisions.",
        deps=[VERDICTS],
        kinds={"html"},
        **common,
    )
    def packs(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        month = month_start(month_start(as_of) - timedelta(days=1))
        folder = estate.report_folder(as_of) / "packs" / f"{month:%Y-%m}"
        reader = rebuild.reader(estate, as_of)
        page = showback.write_packs(estate, reader, as_of, month, folder)
        if page is None:
            return dg.MaterializeResult(metadata={"reason": f"no costs of {month} are allocated"})
        return dg.MaterializeResult(metadata={"packs": link(estate.layout.root, page)})

    @dg.asset(
        key=REPORT,
        description="One page for people: spend, forecast, gates, anomalies, waste, proposals.",
        deps=[PACKS, *REPORTED],
        kinds={"html"},
        **common,
    )
    def report(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        return dg.MaterializeResult(
            metadata={"report": link(estate.layout.root, write_report(estate, as_of))}
        )

    return [proposals, verdicts, packs, report]
