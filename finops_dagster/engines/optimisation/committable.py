"""Usage that commitments could pay for: what it costs on demand, what is committed to already and
what the day's other findings take away from it.

Which commitment is best, and what is made of it, is decided elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Finding
from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation.offers import DAYS_PER_MONTH, InForce
from finops_dagster.engines.optimisation.terms import LONGEST_MONTHS, Place, Pool

HISTORY_DAYS = 91
"""Thirteen whole weeks: a quarter, with each day of the week alike often."""
RECENT_DAYS = 28
"""Of these, prices really paid and what commitments in force pay for."""
LASTING = timedelta(days=round(LONGEST_MONTHS * DAYS_PER_MONTH))
"""How long one whose end nobody knows is taken to last."""
_ENDED_DAYS = 3
"""A commitment that was neither used nor unused for so long has ended."""
_PLACE = (
    "provider_name", "billing_account_id", "service_category", "service_name", "region_id",
    "instance_family", "billing_currency",
)  # fmt: skip
_DEMAND = ("on_demand", "committed")


@dataclass(frozen=True)
class Committable:
    """What was used of late, by place and by what paid for it."""

    rows: pd.DataFrame
    """place (index of `known`), time (UTC), is_hourly, kind, commitment, effective_cost,
    on_demand_cost (floats)."""
    known: tuple[Place, ...]
    end: pd.Timestamp
    """First instant that is not looked at."""

    @cached_property
    def recent(self) -> Committable:
        """The last `RECENT_DAYS` alone."""
        late = self.rows["time"] >= self.end - pd.Timedelta(days=RECENT_DAYS)
        return Committable(self.rows.loc[late], self.known, self.end)

    @property
    def places(self) -> list[Place]:
        """Where something was used that commitments could pay for, in one order."""
        used = set(self.rows.loc[self.rows["kind"].isin(_DEMAND), "place"])
        return [place for code, place in enumerate(self.known) if code in used]

    def at(self, places: Collection[Place], *kinds: str) -> pd.DataFrame:
        """Rows of some places and kinds."""
        wanted = frozenset(places)
        parts = [rows for code, rows in self._by_place.items() if self.known[code] in wanted]
        found = pd.concat(parts) if parts else self.rows.iloc[:0]
        return found.loc[found["kind"].isin(kinds)]

    def of(self, commitment: str) -> pd.DataFrame:
        """What one commitment paid for, and what of it nobody used."""
        return self._by_commitment.get(commitment, self.rows.iloc[:0])

    @cached_property
    def _by_place(self) -> dict[int, pd.DataFrame]:
        return {int(str(code)): rows for code, rows in self.rows.groupby("place", sort=True)}

    @cached_property
    def _by_commitment(self) -> dict[str, pd.DataFrame]:
        held = self.rows.loc[self.rows["commitment"] != ""]
        return {str(name): rows for name, rows in held.groupby("commitment", sort=True)}


def committable(usage: pd.DataFrame, as_of: date) -> Committable:
    """Of rows of `fct_committable_usage_hourly`, up to and including `as_of`.

    What a commitment paid for at a price on demand that nobody says counts at what was paid. A row
    whose cost is no number is left out.
    """
    time = pd.to_datetime(usage["used_at"], utc=True)
    end = pd.Timestamp(as_of + timedelta(days=1), tz="UTC")
    inside = (time < end) & (time >= end - pd.Timedelta(days=HISTORY_DAYS))
    rows = usage.loc[inside]
    by_place = _texts(rows).groupby(list(_PLACE), sort=True)
    effective = pd.to_numeric(rows["effective_cost"], errors="coerce").astype(float)
    on_demand = pd.to_numeric(rows["on_demand_cost"], errors="coerce").astype(float)
    found = pd.DataFrame(
        {
            "place": by_place.ngroup(),
            "time": time[inside],
            "is_hourly": rows["is_hourly"].astype(bool),
            "kind": rows["kind"].astype(str),
            "commitment": rows["commitment_discount_id"].astype(object).fillna(""),
            "effective_cost": effective,
            "on_demand_cost": on_demand.where(on_demand != 0, effective).fillna(effective),
        }
    )
    finite = np.isfinite(found[["effective_cost", "on_demand_cost"]].to_numpy()).all(axis=1)
    known = tuple(Place(*names) for names in by_place.size().index)
    return Committable(found.loc[finite].reset_index(drop=True), known, end)


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Place`; what is empty is an empty text."""
    columns = frame[list(_PLACE)].astype(object)
    return columns.where(columns.notna(), "")


def demand(used: Committable, pool: Pool, places: Collection[Place], net: Decimal) -> pd.DataFrame:
    """scope, currency, time, cost of a pool: all that offers could pay for, at its net price.

    By hours only where all of it is; else by days. It ends where the newest bill of the account
    does: what was used no more by then is nothing, and what is not billed yet is not known.
    """
    part = used.at(places, *_DEMAND)
    account = [p for p in used.known if (p.provider, p.account) == (pool.provider, pool.account)]
    newest = used.at(account, *_DEMAND)["time"].max()
    by_hours = bool(part["is_hourly"].all())
    times = part["time"] if by_hours else part["time"].dt.floor("D")
    cost = part["on_demand_cost"].groupby(times).sum() * float(net)
    last = newest.floor("h" if by_hours else "D")
    if last not in cost.index:
        cost.loc[last] = 0.0
    # a correction of one hour is not less than nothing used in it
    cost = cost.sort_index().clip(lower=0)
    return pd.DataFrame(
        {
            "scope": pool.resource,
            "currency": pool.currency,
            "time": cost.index,
            "cost": cost.to_numpy(),
        }
    )


def net_share(used: Committable, places: Collection[Place], credited: float) -> Decimal:
    """What usage on demand really costs over its price on demand, in [0, 1].

    Below one by discounts and credits on its own rows, and by `credited`: the share of its account
    that credits of no resource pay for. 1 where nothing was used on demand.
    """
    rows = used.recent.at(places, "on_demand")
    whole = float(rows["on_demand_cost"].sum())
    share = float(rows["effective_cost"].sum()) / whole if whole > 0 else 1.0
    return to_decimal(min(1.0, max(0.0, share)) * (1 - min(1.0, max(0.0, credited))), 6)


def on_demand_per_month(used: Committable, places: Collection[Place]) -> Decimal:
    """What usage on demand of some places costs a month, effective."""
    rows = used.recent.at(places, "on_demand")
    return to_decimal(float(rows["effective_cost"].sum()) / RECENT_DAYS * DAYS_PER_MONTH, 4)


def paid_for(used: Committable) -> pd.DataFrame:
    """place, commitment, effective_cost, on_demand_cost of what commitments paid for lately.

    Without what has no price on demand, or none above what was paid: that tells no rate.
    """
    rows = used.recent.at(used.known, "committed")
    known = rows.loc[
        (rows["commitment"] != "")
        & (rows["effective_cost"] > 0)
        & (rows["on_demand_cost"] > rows["effective_cost"])
    ]
    costs = ["effective_cost", "on_demand_cost"]
    summed = known.groupby(["place", "commitment"], as_index=False, sort=True)[costs].sum()
    return summed.assign(place=[used.known[code] for code in summed["place"]])


def in_force(
    used: Committable,
    pool: Pool,
    places: Collection[Place],
    net: Decimal,
    ends: Mapping[str, date],
    as_of: date,
) -> list[InForce]:
    """Commitments that pay for a pool, each with what all of it would pay for in it.

    What it paid for an hour since it was first seen lately, more by what of it nobody used. One
    whose end nobody knows is taken to last as long as the longest term, `LASTING`.
    """
    recent = used.recent
    covered = recent.at(places, "committed").groupby("commitment")
    found = []
    for name, mine in covered:
        rows = recent.of(str(name))
        newest = rows["time"].max()
        if not name or newest < used.end - pd.Timedelta(days=1 + _ENDED_DAYS):
            continue
        paid = float(rows.loc[rows["kind"] == "committed", "effective_cost"].sum())
        idle = float(rows.loc[rows["kind"] == "unused", "effective_cost"].sum())
        days = (newest.floor("D") - rows["time"].min().floor("D")).days + 1
        whole = 1 + max(0.0, idle) / paid if paid > 0 else 1.0
        covers = float(mine["on_demand_cost"].sum()) * whole / (24 * days) * float(net)
        end = ends.get(str(name))
        if end is None or end <= as_of:
            end = as_of + LASTING
        if covers > 0:
            found.append(InForce(pool.resource, pool.currency, to_decimal(covers, 6), end))
    return found


def unused_share(used: Committable, places: Collection[Place]) -> float:
    """Of what commitments cost that pay for some places, the share that nobody used lately."""
    recent = used.recent
    names = set(recent.at(places, "committed")["commitment"]) - {""}
    idle = paid = 0.0
    for name in sorted(names):
        by_kind = recent.of(name).groupby("kind")["effective_cost"].sum()
        idle += max(0.0, float(by_kind.get("unused", 0.0)))
        paid += float(by_kind.get("committed", 0.0))
    return idle / (idle + paid) if paid > 0 else 0.0


@dataclass(frozen=True)
class Spoken:
    """What resources that other findings speak of take up of the places."""

    rows: pd.DataFrame
    """resource (as findings name it), place, effective_cost, on_demand_cost a month (floats)."""

    @classmethod
    def of(cls, costs: pd.DataFrame, days: int) -> Spoken:
        """From costs of `days` days: resource, the columns of `Place`, and both costs."""
        places = _texts(costs).itertuples(index=False, name=None)
        month = DAYS_PER_MONTH / days
        effective = costs["effective_cost"].astype(float).fillna(0.0) * month
        on_demand = costs["on_demand_cost"].astype(float) * month
        return cls(
            pd.DataFrame(
                {
                    "resource": costs["resource"].astype(str),
                    "place": [Place(*names) for names in places],
                    "effective_cost": effective,
                    "on_demand_cost": on_demand.where(on_demand > 0, effective),
                }
            )
        )

    def within(self, places: Collection[Place]) -> pd.DataFrame:
        """Those in some places."""
        return self.rows.loc[self.rows["place"].isin(places)]


def planned(
    spoken: Spoken, findings: Sequence[Finding], places: Collection[Place], net: Decimal
) -> Decimal:
    """What stops, sizing and schedules will take away a month of a pool, at its net price.

    A finding that saves a share of what its resource costs takes the same share of its usage: all
    findings of one resource together at most the whole. What costs money takes nothing away.
    """
    saved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in findings:
        money = one.saving_per_month
        saved[one.resource, money.currency] += max(Decimal(0), money.mid)
    total = Decimal(0)
    for resource, rows in spoken.rows.groupby("resource", sort=True):
        for currency in sorted({place.currency for place in rows["place"]}):
            here = rows.loc[[place.currency == currency for place in rows["place"]]]
            cost = float(here["effective_cost"].sum())
            gone = float(saved.get((str(resource), currency), Decimal(0)))
            if cost <= 0 or gone <= 0:
                continue
            mine = here.loc[here["place"].isin(places), "on_demand_cost"]
            total += to_decimal(min(1.0, gone / cost) * float(mine.sum())) * net
    return total
