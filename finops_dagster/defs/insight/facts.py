"""The frames that engines are given, read from one publication.

Selections and names only: what is made of the numbers lives in the engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from finops_dagster.domain.dated import DIMENSIONS, Conditions, fits
from finops_dagster.engines.forecasting.events import RECENT_DAYS, Makeup, records
from finops_dagster.storage.publication import PublishedReader

UNTAGGED = "(untagged)"


def cost_history(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """Daily effective cost of usage by account, service, team and meter, up to `as_of`.

    Columns account, service, team, currency, meter (empty where none is named), unit, ds, cost
    (Decimal), quantity. One-off charges (purchases, taxes, credits, refunds) are no usage and are
    left out: they are not forecast.
    """
    return reader.frame(
        "fct_costs_daily",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account,
            coalesce(service_name, '(none)') as service,
            coalesce(team, '{UNTAGGED}') as team,
            billing_currency as currency,
            coalesce(sku_meter, '') as meter,
            coalesce(consumed_unit, '') as unit,
            charge_date as ds,
            sum(effective_cost) as cost,
            case
                when count(consumed_quantity) = count(*) then sum(consumed_quantity)::double
            end as quantity
        from mart
        where charge_category = 'Usage' and charge_date <= date '{as_of.isoformat()}'
        group by all
        order by all
        """,
    )


def billed_until(reader: PublishedReader, as_of: date) -> dict[str, date]:
    """Account -> newest day of which any source that bills it has usage.

    A day after it is one that nothing is known of; one before it without a charge of the account
    is one that cost nothing.
    """
    rows = reader.records(
        "fct_costs_daily",
        f"""
        with usage as (
            select
                source,
                coalesce(sub_account_id, billing_account_id) as account,
                max(charge_date) as newest
            from mart
            where charge_category = 'Usage' and charge_date <= date '{as_of.isoformat()}'
            group by all
        ),
        sources as (select source, max(newest) as newest from usage group by source)
        select usage.account, max(sources.newest) as newest
        from usage inner join sources on usage.source = sources.source
        group by all order by all
        """,
    )
    return {row["account"]: row["newest"] for row in rows}


def billed_in_full(history: pd.DataFrame, until: Mapping[str, date], oldest: date) -> pd.DataFrame:
    """Cost history up to the day that every source has billed.

    One that has billed nothing since `oldest` is not waited for: it may have ended.
    """
    newest = min((day for day in until.values() if day >= oldest), default=None)
    return history if newest is None else history[history["ds"] <= newest]


_SCOPES = (("total", None), ("team", "team"), ("service", "service"))


def series(
    history: pd.DataFrame, scopes: Sequence[tuple[str, str | None]] = _SCOPES
) -> pd.DataFrame:
    """Cost history as forecast series, each in its currency: of each scope and its column.

    Columns scope, name, currency, unique_id, ds, y. A day without a charge between the first and
    the last of its series is a day that cost nothing.
    """
    frame = history.assign(y=history["cost"].astype(float), ds=pd.to_datetime(history["ds"]))
    last = frame["ds"].max()
    parts = []
    for scope, column in scopes:
        named = frame.assign(name=frame[column] if column else "all", scope=scope)
        grouped = named.groupby(["scope", "name", "currency", "ds"], as_index=False)["y"].sum()
        for (name, currency), one in grouped.groupby(["name", "currency"]):
            days = pd.date_range(one["ds"].min(), last, freq="D")
            filled = one.set_index("ds")["y"].reindex(days, fill_value=0.0)
            parts.append(
                pd.DataFrame(
                    {
                        "scope": scope,
                        "name": name,
                        "currency": currency,
                        "unique_id": f"{scope}|{currency}|{name}",
                        "ds": days,
                        "y": filled.to_numpy(),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def large_series(history: pd.DataFrame | None, count: int) -> pd.DataFrame:
    """Those of totals, and of the teams with most of one: as budgets are, each of many costs."""
    if history is None or history.empty or count < 1:
        return pd.DataFrame({"unique_id": [], "ds": pd.to_datetime([]), "y": []})
    found = series(history, _SCOPES[:2])
    spent = found.groupby(["currency", "scope", "unique_id"])["y"].sum()
    share = spent / spent.xs("total", level="scope").groupby("currency").sum()
    ranked = share.reset_index().sort_values(["y", "unique_id"], ascending=[False, True])
    return found[found["unique_id"].isin(ranked["unique_id"].head(count))]


def makeup(history: pd.DataFrame, newest: date) -> Makeup:
    """What the series of a cost history are made of in the weeks up to `newest`."""
    days = pd.to_datetime(history["ds"])
    recent = history[days > pd.Timestamp(newest) - pd.Timedelta(days=RECENT_DAYS)]
    costs = (
        recent.assign(cost=recent["cost"].astype(float).abs())
        .groupby(["team", "service", "account", "currency"], as_index=False, dropna=False)["cost"]
        .sum()
    )
    members = [
        pd.DataFrame(
            {
                "part": range(len(costs)),
                "unique_id": f"{scope}|"
                + costs["currency"]
                + "|"
                + (costs[column] if column else "all"),
            }
        )
        for scope, column in _SCOPES
    ]
    named = costs.assign(team=costs["team"].where(costs["team"] != UNTAGGED, None))
    return Makeup(named, pd.concat(members, ignore_index=True))


@dataclass(frozen=True)
class BudgetSeries:
    """What budgets have used by day, as forecast series."""

    series: pd.DataFrame
    """Columns as of `series`, scope budget: up to the last day that is billed of all of them."""
    billed_until: dict[str, date]
    """By unique_id, the last day that is billed of it."""
    end: date
    """Last day of the longest of their periods."""


def budget_series(reader: PublishedReader, as_of: date) -> BudgetSeries | None:
    """What budgets of the month have used by day.

    None where no budget has days left that a bill is to come of. Allocated cost, of usage alone:
    what budgets count less what is not forecast.
    """
    month = as_of.replace(day=1)
    going_on = reader.frame(
        "fct_budgets_monthly",
        """
        select budget, billing_currency, billed_until, period_end from mart
        where planned is not null and billed_until < period_end
        """,
        first=month,
        last=month,
    )
    if going_on is None or going_on.empty:
        return None
    until = going_on["billed_until"].min()
    spent = reader.frame(
        "fct_budget_costs_daily",
        f"""
        select budget, billing_currency as currency, day as ds, usage_cost as cost
        from mart where day <= date '{until.isoformat()}'
        """,
    )
    if spent is None or spent.empty:
        return None
    wanted = "budget|" + going_on["billing_currency"] + "|" + going_on["budget"]
    used = series(spent, (("budget", "budget"),))
    used = used[used["unique_id"].isin(wanted)]
    if used.empty:
        return None
    billed = dict(zip(wanted, going_on["billed_until"], strict=True))
    return BudgetSeries(used, billed, going_on["period_end"].max())


def budget_makeup(
    reader: PublishedReader, budgets: Mapping[str, Conditions], newest: date
) -> Makeup:
    """What allocated costs budgets (name -> whose costs) are made of in the weeks up to `newest`.

    An event's team is the one that costs are allocated to.
    """
    first = newest - timedelta(days=RECENT_DAYS - 1)
    columns = [*DIMENSIONS, "service", "account", "currency", "cost"]
    found = reader.frame(
        "fct_allocated_costs_daily",
        f"""
        select
            {", ".join(DIMENSIONS)}, service_name as service,
            coalesce(sub_account_id, billing_account_id) as account,
            billing_currency as currency, sum(abs(effective_cost))::double as cost
        from mart
        where charge_category = 'Usage'
          and charge_date between date '{first.isoformat()}' and date '{newest.isoformat()}'
        group by all order by all
        """,
        first=first.replace(day=1),
    )
    costs = found if found is not None else pd.DataFrame(columns=columns)
    members = [
        (part, f"budget|{row['currency']}|{name}")
        for part, row in enumerate(records(costs))
        for name, of in budgets.items()
        if fits(of, row)
    ]
    return Makeup(costs, pd.DataFrame(members, columns=["part", "unique_id"]))


def month_to_date(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """team, environment, currency, cost (Decimal): usage of the month that `as_of` is in."""
    month = as_of.replace(day=1)
    return reader.frame(
        "fct_costs_daily",
        f"""
        select
            coalesce(team, '{UNTAGGED}') as team,
            coalesce(environment, '') as environment,
            billing_currency as currency,
            sum(effective_cost) as cost
        from mart
        where charge_category = 'Usage'
          and charge_date between date '{month.isoformat()}' and date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=month,
    )


def predictions(
    reader: PublishedReader, model: str, first: date, last: date
) -> pd.DataFrame | None:
    """fct_model_predictions of one model in [first, last]; None where none is published at all."""
    return _of_model(reader, "fct_model_predictions", model, first, last)


def labels(reader: PublishedReader, model: str, first: date, last: date) -> pd.DataFrame | None:
    """fct_model_labels of one model that arrived in [first, last]."""
    return _of_model(reader, "fct_model_labels", model, first, last)


def _of_model(
    reader: PublishedReader, mart: str, model: str, first: date, last: date
) -> pd.DataFrame | None:
    return reader.frame(
        mart,
        "select * from mart where model = $model",
        first=first,
        last=last,
        given={"model": model},
    )


def version_days(
    reader: PublishedReader, model: str, first: date, last: date
) -> list[dict[str, Any]]:
    """version, day, answers of a model in [first, last], by day."""
    rows = reader.records(
        "fct_model_metrics_daily",
        """
        select model, model_version as version, day, cast(sum(predictions) as bigint) as answers
        from mart group by all order by all
        """,
        first=first,
        last=last,
    )
    return [row for row in rows if row["model"] == model]


def spend(
    reader: PublishedReader, as_of: date, *, by_billing_period: bool = False
) -> pd.DataFrame | None:
    """charge_date, billing_currency, team, service_name, effective_cost: every charge's cost.

    By billing period a charge of another month is dated on the nearest day of the one billing it.
    """
    billed = "least(greatest(charge_date, billing_period), last_day(billing_period))"
    dated = billed if by_billing_period else "charge_date"
    return reader.frame(
        "fct_costs_daily",
        f"""
        select
            {dated} as charge_date, billing_currency, team, service_name,
            sum(effective_cost) as effective_cost
        from mart where charge_date <= date '{as_of.isoformat()}'
        group by all order by all
        """,
    )


def restatements(reader: PublishedReader, since: datetime) -> pd.DataFrame | None:
    """fct_restatements of periods that had ended, by deliveries known since then."""
    return reader.frame(
        "fct_restatements",
        f"""
        select * from mart
        where after_period_end and known_at >= timestamptz '{since.isoformat()}'
        order by all
        """,
    )


def tag_coverage(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """fct_tag_coverage_daily of the month that `as_of` is in and the one before."""
    return reader.frame(
        "fct_tag_coverage_daily",
        first=(as_of.replace(day=1) - timedelta(days=1)).replace(day=1),
        last=as_of,
    )
