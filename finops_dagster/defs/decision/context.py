"""What policy is told beside a proposal: the declared resource, and where spend is going.

The rules themselves are Rego, in policies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource, Proposal
from finops_dagster.domain.periods import month_start, next_month


def spend_outlook(
    series: pd.DataFrame | None, forecasts: pd.DataFrame | None, as_of: date
) -> dict[tuple[str, str], dict[str, str]]:
    """(team, currency) -> month to date, and forecast of the rest of the month, as text."""
    if series is None or series.empty:
        return {}
    start = pd.Timestamp(month_start(as_of))
    end = pd.Timestamp(next_month(month_start(as_of)))
    teams = series.loc[(series["scope"] == "team") & (series["ds"] >= start)]
    spent = teams.groupby(["name", "currency", "unique_id"], as_index=False)["y"].sum()
    rest: dict[str, float] = {}
    if forecasts is not None and not forecasts.empty:
        ahead = forecasts.loc[pd.to_datetime(forecasts["ds"]) < end]
        rest = ahead.groupby("unique_id")["mean"].sum().to_dict()
    return {
        (row.name_, row.currency): {
            "currency": row.currency,
            "team_month_to_date": f"{row.y:.2f}",
            **(
                {"team_forecast": f"{row.y + rest[row.unique_id]:.2f}"}
                if row.unique_id in rest
                else {}
            ),
        }
        for row in spent.rename(columns={"name": "name_"}).itertuples(index=False)
    }


def policy_context(
    proposal: Proposal,
    declared: Mapping[str, DeclaredResource],
    outlook: Mapping[tuple[str, str], dict[str, str]],
) -> dict[str, Any]:
    """The context document of one proposal; see policies/README.md for its form."""
    kind, namespace, name = proposal.resource.split("/", 2)
    resource = declared.get(proposal.resource)
    return {
        "resource": {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "labels": resource.labels if resource else {},
            "annotations": resource.annotations if resource else {},
            "manifest": json.loads(resource.manifest) if resource else {},
        },
        "environment": proposal.environment,
        "team": proposal.owner,
        "spend": outlook.get((proposal.owner, proposal.saving_per_month.currency), {}),
    }
