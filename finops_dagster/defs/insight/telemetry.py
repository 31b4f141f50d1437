"""What is new or far out of a day in what was measured by the hour: the asset.

Which points are watched and how states are kept is in `fine_series`; what is said is the engine's.
"""

from typing import Any

import dagster as dg
import pandas as pd

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import running
from finops_dagster.defs.metadata import (
    day_page,
    frame_schema,
    frame_table,
    picture,
    records_table,
)
from finops_dagster.defs.shared import window
from finops_dagster.domain.decisions import Abstained

TELEMETRY_ANOMALIES = dg.AssetKey(["insight", "telemetry_anomalies"])
FRAME = "telemetry_anomalies"
RECORD = "telemetry_record"
"""Document of a day: series and points that were judged, and since when they are looked at."""
_POOL = "telemetry_watches"
"""Held by whoever takes up a state and drops older ones."""
_SHOWN = ("class", "series", "owner", "why", "from", "to", "value", "expected", "unit", "z")


def build_telemetry(upstream: dg.AssetKey, common: dict[str, Any]) -> list[dg.AssetsDefinition]:
    """The asset, on the clock of stage insight."""

    @dg.asset(
        key=TELEMETRY_ANOMALIES,
        description="What workloads did by the hour, and grids: which series began to do what they "
        "never did before (a feed), and which are far out (may page). Never mixed.",
        deps=[upstream],
        kinds={"python"},
        pool=_POOL,
        **common,
    )
    def telemetry_anomalies(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight.fine_pictures import fine_plots
        from finops_dagster.defs.insight.fine_series import watch
        from finops_dagster.engines.anomalies.fine import FAR_OUT, FOUND, NOVEL

        as_of, _ = window(context)
        day = estate.day(as_of)
        day.drop_frames(FRAME)
        reader = rebuild.reader(estate, as_of)
        watched = watch(estate, reader, as_of)
        if watched is None:
            reason = f"nothing that was measured on {as_of} is published"
            day.write_items(f"{FRAME}_abstained", [Abstained(subject="telemetry", reason=reason)])
            return dg.MaterializeResult(metadata={"dagster/row_count": 0, "abstained": reason})
        found = _owned(watched.result.found, running.owners(reader, as_of))
        day.write_frame(FRAME, found)
        day.write_items(f"{FRAME}_abstained", watched.result.abstained)
        record = {
            "series": watched.result.series,
            "points": watched.result.points,
            "since": watched.since.isoformat(),
        }
        day.write_document(RECORD, record)
        shown = found[list(_SHOWN)].rename(columns={"from": "since", "to": "until"})
        counts = found["class"].value_counts()
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(found),
                "dagster/column_schema": frame_schema(found, FOUND | {"owner": "Team"}),
                "far_out": int(counts.get(FAR_OUT, 0)),
                "never_seen_before": int(counts.get(NOVEL, 0)),
                "series": watched.result.series,
                "points": watched.result.points,
                "looks_back_to": watched.since.isoformat(),
                "days_watched_again": watched.replayed,
                "report": day_page(estate, as_of),
                "far": frame_table(shown[shown["class"] == FAR_OUT].drop(columns="class")),
                "novel": frame_table(shown[shown["class"] == NOVEL].drop(columns="class")),
                **{
                    f"plot_{number}": picture(png)
                    for number, png in enumerate(fine_plots(found, watched.watches, as_of), 1)
                },
                "abstained": records_table(_by_reason(watched.result.abstained)),
            }
        )

    return [telemetry_anomalies]


def _owned(found: pd.DataFrame, owners: pd.DataFrame | None) -> pd.DataFrame:
    """With the team that pays for the resource; empty where it is not known."""
    known = (
        dict(zip(owners["resource"], owners["owner"], strict=True)) if owners is not None else {}
    )
    return found.assign(owner=[str(known.get(one, "")) for one in found["resource"]])


def _by_reason(abstained: tuple[Abstained, ...]) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = {}
    for one in abstained:
        reasons.setdefault(one.reason, []).append(one.subject)
    return [
        {"reason": reason, "series": len(subjects), "such as": subjects[0]}
        for reason, subjects in reasons.items()
    ]
