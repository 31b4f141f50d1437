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
from finops_dagster.defs.metadata import each_partition, link, records_table, told, versioned
from finops_dagster.defs.shared import OWNERS, RETRY, SINGLE_RUN, Clocks, window
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.ids import content_id
from finops_dagster.quality.conformance import WHERE_TO_GET, Report, load_model
from finops_dagster.sources import FileSource
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

    @dg.multi_asset(
        name=KEY.to_python_identifier(),
        specs=[
            dg.AssetSpec(
                KEY,
                deps=[CHARGES],
                description="FOCUS rules kept and broken by each delivery, on what was delivered.",
                group_name="landing",
                owners=OWNERS,
                kinds={"duckdb"},
                partitions_def=clocks.months,
                tags={CLOCK_TAG: BILLING_JOB},
                skippable=True,
            )
        ],
        backfill_policy=SINGLE_RUN,
        retry_policy=RETRY,
        check_specs=[spec] if judged else [],
        can_subset=True,
    )
    def focus_conformance(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        first, last = window(context)
        wanted = _wanted(estate, first, last)
        terms = _terms(estate)
        contents: dict[date, list[str]] = {}
        for _, delivery in wanted:
            contents.setdefault(delivery.partition, [terms]).append(delivery.delivery_id)
        asked = context.run.asset_selection
        if (not asked or CHARGES in asked) and told(context, KEY, contents):
            context.log.info(f"{first} to {last} is judged as it is: nothing to judge.")
            return
        if estate.settings.focus_rules is None:
            reason = Abstained(subject=KEY.to_user_string(), reason=_NO_MODEL)
            metadata = {"not_judged": records_table([vars(reason)])}
            yield from versioned(context, dg.MaterializeResult(KEY, metadata=metadata), contents)
            return
        reports, abstained = _judged(estate, wanted)
        shown = _metadata(estate, reports, abstained)
        yield from versioned(context, dg.MaterializeResult(KEY, metadata=shown), contents)
        failing = [(one, page) for one, page in reports if not one.conforms]
        result = dg.AssetCheckResult(
            asset_key=KEY,
            check_name=CHECK,
            passed=not failing,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={one.subject: link(estate.layout.root, page) for one, page in failing},
            description="; ".join(
                f"{one.subject}: {one.counts['fail']} rules fail" for one, _ in failing
            )
            or f"{len(reports)} deliveries judged, {len(abstained)} not",
        )
        yield from each_partition(context, result)

    return focus_conformance


def _wanted(estate: Estate, first: date, last: date) -> list[tuple[FileSource, Delivery]]:
    """Deliveries in force for the months from `first` to `last`, with their sources."""
    cutoff = estate.cutoff(estate.settings.decided_day())
    return [
        (source, delivery)
        for source in estate.sources("charges")
        if isinstance(source, FileSource)
        for delivery in in_force(source.deliveries(), cutoff)
        if first <= delivery.partition <= last
    ]


def _terms(estate: Estate) -> str:
    """Stands for what deliveries are held against, and what of it is allowed."""
    settings = estate.settings
    model = settings.focus_rules.read_text(encoding="utf-8") if settings.focus_rules else ""
    supports = {one.name: one.supports for one in settings.billing}
    return content_id("terms", [model, settings.focus_allowed, supports])


def _judged(
    estate: Estate, wanted: list[tuple[FileSource, Delivery]]
) -> tuple[list[tuple[Report, Path]], list[Abstained]]:
    """Reports of deliveries, each with its page, and what was not judged."""
    assert estate.settings.focus_rules is not None
    model = load_model(estate.settings.focus_rules)
    formats = {one.name: one.format for one in estate.settings.billing}
    reports, abstained = [], []
    for source, delivery in wanted:
        subject = f"{source.name} {delivery.partition.isoformat()}"
        if formats[source.name] != FORMAT:
            reason = f"its format is {formats[source.name]}, the rules are of {FORMAT}"
            abstained.append(Abstained(subject=subject, reason=reason))
            continue
        try:
            report, _ = judge_delivery(estate, source, delivery, model)
        except Unavailable as error:
            abstained.append(Abstained(subject=subject, reason=error.message))
            continue
        reports.append((report, _kept(estate, delivery, report)))
    return reports, abstained


def _kept(estate: Estate, delivery: Delivery, report: Report) -> Path:
    """Keep the report beside the state: the page, and the same as JSON."""
    name = f"{delivery.source}.{delivery.partition.isoformat()}.{delivery.delivery_id}"
    folder = estate.layout.reports(estate.settings.decided_day()) / "conformance"
    page = folder / f"{name}.html"
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
