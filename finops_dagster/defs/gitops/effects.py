"""What came after merged changes, from what is published: OOM kills and cost, before and after.

What of it stops automation is the breaker's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any, Protocol

import pandas as pd

from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.breaker import Effect

BEFORE_DAYS = 7
"""Whole days before the merge that it is held against: a week has every weekday once."""
LEAST_DAYS = 3
"""Days with data on a side below which nothing is told of it."""

_MATCHES = """
select distinct resource_id, declared_resource as resource from mart
where declared_resource in (select unnest($names))
"""
COSTLY = "coalesce(resource, resource_id)"
"""What a row of fct_costs_daily is of: a workload by its name, all else as the bill calls it."""
_COSTS = f"""
select
    {COSTLY} as resource, charge_date as day,
    billing_currency as currency, sum(effective_cost)::double as amount
from mart where {COSTLY} in (select unnest($names)) group by all
"""
_KILLS = """
select
    resource, time::date as day, sum(oom_kills_per_second * interval_seconds) as amount
from mart where resource in (select unnest($names)) and oom_kills_per_second is not null
group by all
"""


class Published(Protocol):
    """Marts that were known on the day."""

    def frame(
        self,
        mart: str,
        query: str = ...,
        *,
        first: date | None = ...,
        last: date | None = ...,
        given: Mapping[str, Any] | None = ...,
    ) -> pd.DataFrame | None:
        """Rows of `query` over the relation `mart`; None where nothing is published."""
        ...


def effects(
    published: Published, pull_requests: Iterable[PullRequest], as_of: date, window_days: int
) -> tuple[Effect, ...]:
    """What came after each change merged within `window_days`, up to `as_of`.

    Rates are a day, over the days that have data; the day of the merge is on neither side. Cost
    is effective cost of the changed resources in the currency of the promised saving. None with
    fewer than LEAST_DAYS on a side: a bill comes late, and what was removed has none.
    """
    merged = [
        one
        for one in pull_requests
        if one.state is PullRequestState.MERGED
        and one.ended_at is not None
        and one.ended_at.date() >= as_of - timedelta(days=window_days)
    ]
    names = sorted({member.resource for one in merged for member in one.members})
    if not names:
        return ()
    first = as_of - timedelta(days=window_days + BEFORE_DAYS)
    ids = billed_ids(published, names, as_of)
    costs = _by_day(published, "fct_costs_daily", _COSTS, first, as_of, [*names, *ids])
    costs["resource"] = costs["resource"].map(lambda name: ids.get(name, name))
    kills = _by_day(published, "fct_workload_measurements", _KILLS, first, as_of, names)
    return tuple(_effect(one, costs, kills, as_of) for one in merged)


def billed_ids(published: Published, names: Sequence[str], last: date) -> dict[str, str]:
    """What a bill calls declared resources -> which of `names` it is, by the matches up to then."""
    found = published.frame(
        "fct_resource_matches", _MATCHES, last=last, given={"names": list(names)}
    )
    if found is None:
        return {}
    return dict(zip(found["resource_id"], found["resource"], strict=True))


def _by_day(
    published: Published, mart: str, query: str, first: date, last: date, names: Sequence[str]
) -> pd.DataFrame:
    frame = published.frame(mart, query, first=first, last=last, given={"names": sorted(names)})
    if frame is None:
        return pd.DataFrame(columns=["resource", "day", "currency", "amount"])
    return frame[(frame["day"] >= first) & (frame["day"] <= last)]


def _effect(one: PullRequest, costs: pd.DataFrame, kills: pd.DataFrame, as_of: date) -> Effect:
    assert one.ended_at is not None  # else it is not merged
    merged = one.ended_at.astimezone(UTC).date()
    resources = {member.resource for member in one.members}
    currency = one.saving_per_month.currency
    cost = costs[costs["resource"].isin(resources) & (costs["currency"] == currency)]
    killed = kills[kills["resource"].isin(resources)]
    return Effect(
        number=one.number,
        days_after=float(max(0, (as_of - merged).days)),
        oom_kills_before_per_day=_rate(killed, merged - timedelta(days=BEFORE_DAYS), merged),
        oom_kills_after_per_day=_rate(killed, merged + timedelta(days=1), None),
        cost_before_per_day=_rate(cost, merged - timedelta(days=BEFORE_DAYS), merged),
        cost_after_per_day=_rate(cost, merged + timedelta(days=1), None),
        currency=currency,
    )


def _rate(rows: pd.DataFrame, first: date, end: date | None) -> float | None:
    """Amount a day of the days in [first, end) that have any; None with too few."""
    inside = rows[(rows["day"] >= first) & ((rows["day"] < end) if end is not None else True)]
    days = inside["day"].nunique()
    return float(inside["amount"].sum()) / days if days >= LEAST_DAYS else None
