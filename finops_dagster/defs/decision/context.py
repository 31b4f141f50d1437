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

Outlook = Mapping[tuple[str, str, str], dict[str, str]]
"""(team, environment, currency) -> its spend of the month, so far and as expected, as text."""


def spend_outlook(
    month_to_date: pd.DataFrame | None, forecasts: pd.DataFrame | None, as_of: date
) -> Outlook:
    """Month to date of a team in an environment, and what its month will come to.

    The forecast is of the team: an environment gets the share of it that it had this month.
    Without a forecast of the team there is none of the environment either.
    """
    if month_to_date is None or month_to_date.empty:
        return {}
    spent = month_to_date.assign(cost=month_to_date["cost"].astype(float))
    whole = spent.groupby(["team", "currency"])["cost"].sum().to_dict()
    rest: dict[str, float] = {}
    if forecasts is not None and not forecasts.empty:
        end = pd.Timestamp(next_month(month_start(as_of)))
        ahead = forecasts.loc[pd.to_datetime(forecasts["ds"]) < end]
        summed = ahead.groupby("unique_id")["mean"].sum()
        rest = {str(name): float(value) for name, value in summed.items()}
    outlook: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in spent.to_dict("records"):
        team, currency, cost = row["team"], row["currency"], row["cost"]
        told = {"currency": currency, "team_month_to_date": f"{cost:.2f}"}
        total = whole[(team, currency)]
        ahead_of_team = rest.get(f"team|{currency}|{team}")
        if ahead_of_team is not None and total > 0:
            told["team_forecast"] = f"{cost + ahead_of_team * cost / total:.2f}"
        outlook[(team, row["environment"], currency)] = told
    return outlook


def policy_context(
    proposal: Proposal,
    declared: Mapping[str, DeclaredResource],
    outlook: Outlook,
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
        "spend": outlook.get(
            (proposal.owner, proposal.environment, proposal.saving_per_month.currency), {}
        ),
    }
