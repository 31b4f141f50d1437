"""What breaks policy as it is, every day: the asset.

What is looked at is gathered in `violating`; what breaks a rule is policy's to say.
"""

from typing import Any

import dagster as dg

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.metadata import day_page, picture, records_table
from finops_dagster.defs.shared import window

VIOLATIONS = dg.AssetKey(["insight", "policy_violations"])
ITEMS = "policy_violations"
"""What a day keeps them under."""


def build_violations(
    upstream: list[dg.AssetKey], common: dict[str, Any]
) -> list[dg.AssetsDefinition]:
    """The asset, on the clock of stage insight."""

    @dg.asset(
        key=VIOLATIONS,
        description="What breaks policy as it is: every declared, billed and measured resource by "
        "rule, with its age and what it costs; and what could not be judged.",
        deps=upstream,
        kinds={"rego"},
        **common,
    )
    def policy_violations(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight import violating
        from finops_dagster.report import render_plot_counts

        as_of, _ = window(context)
        day = estate.day(as_of)
        looked = violating.look(estate, as_of)
        judged = violating.judge(estate, looked)
        standing, turned = violating.stand(estate, as_of, looked, judged)
        day.write_items(ITEMS, standing)
        day.write_items(f"{ITEMS}_abstained", judged.abstained)
        estate.record(as_of, violating.KIND, turned)
        rules = violating.counts(judged.violations)
        plot = render_plot_counts(
            [(row["rule"], row["resources"]) for row in rules], "Resources that break a rule"
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(standing),
                "resources": len(looked.subjects),
                "bundle": estate.judge.bundle,
                **violating.turned_counts(turned),
                "report": day_page(estate, as_of),
                "rules": records_table(rules),
                "plot": picture(plot),
                "violations": records_table(
                    [
                        {
                            "resource": one.violation.resource,
                            "rule": one.violation.title,
                            "decision": one.violation.decision.value,
                            "actual": one.violation.actual,
                            "limit": one.violation.limit,
                            "owner": one.violation.owner,
                            "days": one.age_days,
                            "cost a month": ", ".join(
                                f"{cost.amount:.2f} {cost.currency}" for cost in one.cost_per_month
                            ),
                        }
                        for one in standing
                    ]
                ),
                "abstained": records_table([one.model_dump() for one in judged.abstained]),
            }
        )

    return [policy_violations]
