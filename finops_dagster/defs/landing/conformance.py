"""One asset beside the landed charges: how each FOCUS delivery keeps the specification's rules.

It stops nothing: a bill that breaks a rule of form may still be right to the cent.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import BILLING_JOB, CLOCK_TAG
from finops_dagster.defs.landing.conforming import FORMAT, judge_delivery
from finops_dagster.defs.metadata import each_partition, link, records_table
from finops_dagster.defs.shared import OWNERS, RETRY, SINGLE_RUN, Clocks, window
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Unavailable
from finops_dagster.quality.conformance import WHERE_TO_GET, Report, load_model
from finops_dagster.storage.files import atomically, write_json
from finops_dagster.storage.lake import in_force

KEY = dg.AssetKey(["landing", "focus_conformance"])
CHECK = "conforms_to_focus"
CHARGES = dg.AssetKey(["landing", "charges"])

_NO_MODEL = (
    f"No rule model is named. {WHERE_TO_GET}; name the file as focus_rules in finops.yaml, then "
    "materialise this asset."
)


def build_conformance(clocks: Clocks, *, judged: bool) -> dg.AssetsDefinition:
    """`landing/focus_conformance`; its check is there where a rule model is (`judged`)."""
    spec = dg.AssetCheckSpec(
        CHECK,
        asset=KEY,
        partitions_def=clocks.months,
        description="No MUST of the FOCUS rule model fails, but such as the settings allow.",
    )

    @dg.asset(
        key=KEY,
        deps=[CHARGES],
        description="FOCUS rules kept and broken by each delivery, on the values as delivered.",
        group_name="landing",
        owners=OWNERS,
        kinds={"duckdb"},
        partitions_def=clocks.months,
        backfill_policy=SINGLE_RUN,
        retry_policy=RETRY,
        tags={CLOCK_TAG: BILLING_JOB},
        check_specs=[spec] if judged else [],
    )
    def focus_conformance(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        if estate.settings.focus_rules is None:
            reason = Abstained(subject="focus_conformance", reason=_NO_MODEL)
            yield dg.MaterializeResult(metadata={"not_judged": records_table([vars(reason)])})
            return
        first, last = window(context)
        reports, abstained = _judged(estate, first, last)
        pages = {one.subject: page for one, page in reports}
        yield dg.MaterializeResult(metadata=_metadata(estate, reports, abstained))
        if not judged:
            return
        failing = [one for one, _ in reports if not one.conforms]
        result = dg.AssetCheckResult(
            asset_key=KEY,
            check_name=CHECK,
            passed=not failing,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={one.subject: link(estate.layout.root, pages[one.subject]) for one in failing},
            description="; ".join(
                f"{one.subject}: {one.counts['fail']} rules fail" for one in failing
            )
            or f"{len(reports)} deliveries judged, {len(abstained)} not",
        )
        yield from each_partition(context, result)

    return focus_conformance


def _judged(
    estate: Estate, first: date, last: date
) -> tuple[list[tuple[Report, Path]], list[Abstained]]:
    """Reports of the deliveries in force, each with its page, and what was not judged."""
    assert estate.settings.focus_rules is not None
    model = load_model(estate.settings.focus_rules)
    cutoff = estate.cutoff(estate.settings.decided_day())
    formats = {one.name: one.format for one in estate.settings.billing}
    reports, abstained = [], []
    for source in estate.sources("charges"):
        if formats[source.name] != FORMAT:
            reason = f"its format is {formats[source.name]}, the rules are of {FORMAT}"
            abstained.append(Abstained(subject=source.name, reason=reason))
            continue
        for delivery in in_force(source.deliveries(), cutoff):
            if not first <= delivery.partition <= last:
                continue
            try:
                report, _ = judge_delivery(estate, source, delivery, model)
            except Unavailable as error:
                abstained.append(Abstained(subject=delivery.delivery_id, reason=error.message))
                continue
            reports.append((report, _kept(estate, delivery, report)))
    return reports, abstained


def _kept(estate: Estate, delivery: Delivery, report: Report) -> Path:
    """Keep the report beside the state: the page, and the same as JSON."""
    name = f"{delivery.source}.{delivery.partition.isoformat()}.{delivery.delivery_id}"
    page = estate.layout.root / "conformance" / f"{name}.html"
    text = report.html()

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8")

    atomically(page, write)
    write_json(page.with_suffix(".json"), [one.item() for one in report.verdicts])
    return page


def _metadata(
    estate: Estate, reports: list[tuple[Report, Path]], abstained: list[Abstained]
) -> dict[str, Any]:
    counts = [
        {
            "delivery": one.subject,
            "model": one.model,
            "rows": one.rows,
            "conforms": "yes" if one.conforms else "no",
            **one.counts,
        }
        for one, _ in reports
    ]
    return {
        "deliveries": records_table(counts),
        "rows": sum(one.rows for one, _ in reports),
        "rules_failed": sum(one.counts["fail"] for one, _ in reports),
        "not_judged": records_table([vars(one) for one in abstained]),
        **{one.subject: link(estate.layout.root, page) for one, page in reports},
    }
