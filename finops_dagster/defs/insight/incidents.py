"""Incidents of a day: found, held against what was known, told or held, each with its page.

The body reads one publication, calls the engine, writes what it said and shows it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import alerting, facts
from finops_dagster.defs.insight.declared import changes_around
from finops_dagster.defs.insight.watched import watched
from finops_dagster.defs.metadata import day_page, each_partition, link, picture, records_table
from finops_dagster.defs.shared import Clocks, window
from finops_dagster.domain.alerts import Alert
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.incidents import Incident
from finops_dagster.report import render_plot_course
from finops_dagster.report.incidents import Course, IncidentPage, write_incident

INCIDENTS = dg.AssetKey(["insight", "incidents"])
ALERTS = "alerts"
_DRAWN = 5
"""Incidents whose course the asset's page draws; the others have pages of their own."""


def build_incidents(clocks: Clocks, common: dict[str, Any]) -> list[dg.AssetsDefinition]:
    """The asset of incidents and the check that tells people of them."""

    @dg.asset(
        key=INCIDENTS,
        description="Unexpected cost, merged to incidents by cause, with its money, and who is "
        "told of it.",
        kinds={"python"},
        check_specs=[
            dg.AssetCheckSpec(
                ALERTS,
                asset=INCIDENTS,
                partitions_def=clocks.days,
                description="Nobody has to be told of an incident. One to tell stops no line.",
            )
        ],
        **common,
    )
    def incidents(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        from finops_dagster.engines.anomalies import explain
        from finops_dagster.responsible_ai.explanations.incidents import unexplained

        as_of, _ = window(context)
        day = estate.day(as_of)
        reader = rebuild.reader(estate, as_of)
        history = facts.cost_history(reader, as_of)
        if history is None or history.empty:
            abstained = [Abstained(subject="daily cost", reason="no usage charges are published")]
            found: list[Incident] = []
            courses: dict[str, list[Course]] = {}
        else:
            result = watched(
                history,
                facts.billed_until(reader, as_of),
                as_of,
                estate.settings.limits.publication_age_days,
                alerting.answers(estate),
            )
            day.write_frame("anomalies", result.anomalies)
            changes, unknown = changes_around(estate, reader, result.incidents, as_of)
            unsummed = unexplained(result.incidents, result.anomalies)
            abstained = [*result.abstained, *unknown, *unsummed]
            found = explain(result.incidents, estate.settings.known_events, changes, as_of)
            courses = {one.id: _courses(one, result.courses) for one in found}
        made = alerting.alerts(estate, found, as_of)
        listed, explained = partition(found)
        shown = [*listed, *explained]
        day.write_items("incidents", listed)
        day.write_items(alerting.EXPLAINED, explained)
        day.write_items("incidents_abstained", abstained)
        day.write_items("alerts", made)
        by_incident = {one.incident: one for one in made}
        pages = {
            one.id: write_incident(
                IncidentPage(
                    estate.settings.estate, one, by_incident[one.id], courses.get(one.id, [])
                ),
                estate.report_folder(as_of),
            )
            for one in found
        }
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(listed),
                "rows_in": 0 if history is None else len(history),
                "report": day_page(estate, as_of),
                "incidents": records_table([_row(one, by_incident[one.id]) for one in listed]),
                "explained": records_table([_row(one, by_incident[one.id]) for one in explained]),
                **{
                    f"page_{number}": link(estate.layout.root, pages[one.id])
                    for number, one in enumerate(shown, start=1)
                },
                **{
                    f"plot_{number}": picture(render_plot_course(courses[one.id][0], one))
                    for number, one in enumerate(shown[:_DRAWN], start=1)
                    if courses.get(one.id)
                },
                "abstained": records_table([one.model_dump() for one in abstained]),
            }
        )
        told = [one for one in found if by_incident[one.id].held is None]
        check = dg.AssetCheckResult(
            asset_key=INCIDENTS,
            check_name=ALERTS,
            passed=not told,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(one.cause for one in told) or "nobody has to be told",
            metadata={"told": records_table([_row(one, by_incident[one.id]) for one in told])},
        )
        yield from each_partition(context, check)

    return [incidents]


def partition(found: Sequence[Incident]) -> tuple[list[Incident], list[Incident]]:
    """Those that nobody had said would come, and those that are explained; in their order."""
    return (
        [one for one in found if one.explained is None],
        [one for one in found if one.explained is not None],
    )


def _row(one: Incident, alert: Alert) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "resource": one.resource,
        "owner": one.owner,
        "since": one.since.isoformat(),
        "money": f"{one.money.amount:.2f} {one.currency}",
        "cause": one.cause,
        "explained": one.explained.because if one.explained else "",
        "alert": alert.because or "told",
    }


def _courses(one: Incident, frame: pd.DataFrame) -> list[Course]:
    """Of each part of an incident, in the incident's order."""
    mine = frame.loc[frame["incident"] == one.id].sort_values("ds")
    by_part = dict(list(mine.groupby(["account", "service", "team"], sort=False)))
    return [
        Course(
            part=part,
            days=tuple(pd.to_datetime(rows["ds"]).dt.date),
            cost=tuple(rows["cost"].astype(float)),
            usual=tuple(None if pd.isna(value) else float(value) for value in rows["usual"]),
        )
        for part in one.dimensions
        if (rows := by_part.get((part.account, part.service, part.team))) is not None
    ]
