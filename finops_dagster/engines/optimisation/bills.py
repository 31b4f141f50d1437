"""What resources were billed for, day by day, as those who judge by the bill alone see it.

No judgement is made here: quantities, prices and days are looked up, and findings put together.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Evidence, Finding, FindingKind
from finops_dagster.domain.money import MONEY_PRECISION, NO_CARBON, MoneyRange
from finops_dagster.domain.periods import HOURS_PER_MONTH, day_start
from finops_dagster.engines.optimisation.inputs import ENGINE
from finops_dagster.engines.optimisation.prices import PriceBook, unit_prices
from finops_dagster.engines.optimisation.profiles import wilson_upper

WINDOW_DAYS = 45
"""Days of the bill that are looked at: 30, which most rules ask for, and a fortnight that a bill
may be late."""
STILL_DAYS = 2
"""Not billed on the last so many days that a source has billed, a resource is gone; the newest day
alone is often not complete."""
LEAST_COST = Decimal("0.01")
"""A month: a hundredth is the smallest coin of most currencies."""
OTHER = "other"
"""Meter of usage whose kind is not known."""
_COLUMNS = (
    "source", "account", "provider_name", "region_id", "resource", "resource_id", "resource_name",
    "usage_kind", "sku_meter", "consumed_unit", "charge_category", "charge_date",
    "consumed_quantity", "commitment_discount_status", "billing_currency", "team", "environment",
)  # fmt: skip


class Whose(NamedTuple):
    """What every charge of a resource says alike, by its newest one."""

    source: str
    account: str
    provider: str
    region: str
    resource_id: str
    name: str
    owner: str
    environment: str


class Bill:
    """Usage of named resources in the window, by resource, usage kind and day."""

    def __init__(self, billed: pd.DataFrame, days: pd.DataFrame, as_of: date) -> None:
        """`billed`: rows of fct_costs_daily that name a resource, `resource` being the name that
        findings use, with `account` and `usage_kind` (of `dim_skus`). `days`: source, day (each
        day that a source has billed anything). Rows after `as_of` are not looked at.
        """
        self.as_of = as_of
        first = pd.Timestamp(as_of - timedelta(days=WINDOW_DAYS - 1))
        self.covered = _covered(days, as_of)
        day = pd.to_datetime(billed["charge_date"])
        inside = (day >= first) & (day <= pd.Timestamp(as_of)) & billed["resource"].notna()
        rows = billed.loc[inside].assign(charge_date=day[inside])
        amounts = pd.to_numeric(rows["consumed_quantity"], errors="coerce").astype(float)
        finite = np.isfinite(amounts)
        rows["consumed_quantity"] = rows["consumed_quantity"].where(finite)
        known = rows["usage_kind"].notna()
        # a credit without a SKU is of all that its resource is billed for
        told = known | rows["sku_meter"].notna() | rows["sku_id"].notna()
        meters = rows["usage_kind"].where(known, OTHER).where(told)
        priced = unit_prices(
            rows.assign(sku_meter=meters), as_of, WINDOW_DAYS, meter_of=lambda meter, _: meter
        )
        self.prices = PriceBook(priced)
        self._paid = _totals(priced)
        usage = rows.loc[rows["charge_category"].eq("Usage")].reindex(columns=list(_COLUMNS))
        usage = usage.loc[usage["commitment_discount_status"].ne("Unused")]
        self.rows = usage.assign(
            usage_kind=usage["usage_kind"].where(usage["usage_kind"].notna(), OTHER),
            consumed_quantity=amounts.where(finite).loc[usage.index],
        )
        self.whose = _whose(self.rows)
        self._days, self._amounts, self._spans = _by_day(self.rows)
        units = self.rows.groupby(["resource", "usage_kind"])["consumed_unit"]
        one = units.first()[units.nunique().eq(1)].reset_index()
        self._units = {
            (str(resource), str(kind)): str(unit)
            for resource, kind, unit in one.itertuples(index=False, name=None)
        }

    def resources(self, kind: str) -> list[str]:
        """Resources billed for usage of a kind, sorted."""
        return sorted(r for r, kinds in self._spans.items() if kind in kinds)

    def kinds(self, resource: str) -> frozenset[str]:
        """Usage kinds that a resource is billed for."""
        return frozenset(self._spans.get(resource, ()))

    def quantity(self, resource: str, kind: str) -> pd.Series[float]:
        """Net quantity by day (index) of what is billed of a kind; NaN where it is not told."""
        span = self._spans.get(resource, {}).get(kind, slice(0))
        return pd.Series(self._amounts[span], index=self._days[span])

    def days(self, resource: str, last: int = 0) -> list[pd.Timestamp]:
        """The last so many days, or all, that the source of a resource has billed anything on."""
        return self.covered.get(self.whose[resource].source, [])[-last:]

    def days_since(self, resource: str, first: pd.Timestamp) -> list[pd.Timestamp]:
        """Those of the days that its source has billed that are not before `first`."""
        covered = self.days(resource)
        return covered[bisect_left(covered, first) :]

    def billed_on(self, resource: str, kind: str) -> frozenset[pd.Timestamp]:
        """Days with a positive, or an untold, net quantity of a kind."""
        span = self._spans.get(resource, {}).get(kind, slice(0))
        amounts = self._amounts[span]
        return frozenset(self._days[span][(amounts > 0) | np.isnan(amounts)])

    def still(self, resource: str, kind: str) -> bool:
        """Whether it is billed to the end of what its source has billed."""
        return bool(self.billed_on(resource, kind) & set(self.days(resource, STILL_DAYS)))

    def used(self, resource: str, kinds: Iterable[str], days: Iterable[pd.Timestamp]) -> float:
        """Sum of the net quantities of kinds on days; NaN where one is not told."""
        wanted = list(days)
        parts = [self.quantity(resource, kind) for kind in kinds]
        return float(sum(part[part.index.isin(wanted)].sum(skipna=False) for part in parts))

    def unit(self, resource: str, kind: str) -> str:
        """The unit of a kind's quantities; empty where there is none or several."""
        return self._units.get((resource, kind), "")

    def cost(self, resource: str, kinds: Sequence[str]) -> MoneyRange | Abstained | None:
        """Its own net cost a month of kinds; None where it costs next to nothing, so nothing is
        saved.
        """
        meters = tuple(k for k in kinds if self.prices.days(resource, k))
        found = self.prices.cost_per_month(resource, meters)
        if found is None:
            reasons = [self.prices.why_not(resource, kind) for kind in meters or kinds]
            told = next((one for one in reasons if one), "it is billed in several currencies")
            return Abstained(subject=resource, reason=f"looks unused, but {told}")
        return found if found.mid >= LEAST_COST else None

    def price(self, resources: Iterable[str], kind: str) -> tuple[Decimal, str] | None:
        """(net price, currency) of a unit of a kind over resources; None where it is not one."""
        found = [paid for one in resources for paid in self._paid.get((one, kind), ())]
        if len({paid.currency for paid in found}) != 1:
            return None
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            cost, quantity = (
                sum(of, Decimal(0)) for of in zip(*(p[:2] for p in found), strict=True)
            )
            return cost / quantity, found[0].currency

    def finding(
        self,
        kind: FindingKind,
        resource: str,
        *,
        saving: MoneyRange,
        days: list[pd.Timestamp],
        samples: int,
        figures: Mapping[str, float],
        reason: str,
        rule: str,
        wrong_if: str,
        suggestion: str = "",
    ) -> Finding:
        """A finding of what was billed on `samples` of `days`."""
        whose = self.whose[resource]
        return Finding(
            kind=kind,
            resource=resource,
            field="",
            current="",
            proposed="",
            owner=whose.owner,
            environment=whose.environment or "unknown",
            saving_per_month=saving,
            carbon_kg_per_month=NO_CARBON,
            risk=round(wilson_upper(0.0, float(samples)), 6),
            confidence=round(min(1.0, samples / len(days)), 6),
            evidence=Evidence(
                window_start=day_start(days[0].date()),
                window_end=day_start(days[-1].date() + timedelta(days=1)),
                samples=samples,
                figures={k: float(f"{v:.6g}") for k, v in figures.items()},
            ),
            reason=reason,
            engine=f"{ENGINE} ({rule})",
            as_of=self.as_of,
            suggestion=suggestion,
            wrong_if=wrong_if,
        )


def _covered(days: pd.DataFrame, as_of: date) -> dict[str, list[pd.Timestamp]]:
    day = pd.to_datetime(days["day"])
    seen = days.assign(day=day).loc[day <= pd.Timestamp(as_of)]
    return {
        str(source): sorted(pd.Timestamp(one) for one in group.unique())
        for source, group in seen.groupby("source")["day"]
    }


def _whose(rows: pd.DataFrame) -> dict[str, Whose]:
    columns = ["source", "account", "provider_name", "region_id", "resource_id", "resource_name"]
    newest = rows.sort_values("charge_date", kind="stable")
    newest = newest.groupby("resource")[[*columns, "team", "environment"]].last()
    return {
        str(row[0]): Whose(*(one if isinstance(one, str) else "" for one in row[1:]))
        for row in newest.itertuples(name=None)
    }


def _by_day(
    rows: pd.DataFrame,
) -> tuple[pd.DatetimeIndex, np.ndarray, dict[str, dict[str, slice]]]:
    """Days and amounts, those of one resource and kind beside each other, and where they are."""
    keys = ["resource", "usage_kind", "charge_date"]
    amounts = rows.groupby(keys, sort=True)["consumed_quantity"]
    # a day with a quantity that is not told has none
    sums = amounts.sum().where(amounts.count().eq(amounts.size())).reset_index()
    ends = sums.groupby(keys[:2], sort=True).size().cumsum()
    spans: dict[str, dict[str, slice]] = {}
    start = 0
    for (resource, kind), end in zip(ends.index, ends.to_numpy(), strict=True):
        spans.setdefault(str(resource), {})[str(kind)] = slice(start, end)
        start = int(end)
    days = pd.DatetimeIndex(pd.to_datetime(sums["charge_date"]))
    return days, sums["consumed_quantity"].to_numpy(float), spans


class _Paid(NamedTuple):
    cost: Decimal
    quantity: Decimal
    currency: str


def _totals(prices: pd.DataFrame) -> dict[tuple[str, str], list[_Paid]]:
    """(resource, meter) -> what was paid for how much, of each day."""
    found: dict[tuple[str, str], list[_Paid]] = {}
    columns = prices[["resource", "meter", "cost", "quantity", "currency"]]
    for resource, meter, *paid in columns.itertuples(index=False, name=None):
        found.setdefault((str(resource), str(meter)), []).append(_Paid(*paid))
    return found


_UNIT = re.compile(r"(\d+)?\W*([a-z]+?)s?(?:\W+(?:per\W+)?([a-z]+?)s?)?", re.IGNORECASE)
_SIZES = {
    "b": 1e-9, "byte": 1e-9, "kb": 1e-6, "mb": 1e-3, "gb": 1.0, "tb": 1e3, "gigabyte": 1.0,
    "kib": 2**10 / 1e9, "mib": 2**20 / 1e9, "gib": 2**30 / 1e9, "gibibyte": 2**30 / 1e9,
    "tib": 2**40 / 1e9,
}  # fmt: skip
_MONTHS = {
    "month": 1.0, "mo": 1.0, "hour": 1 / HOURS_PER_MONTH, "hr": 1 / HOURS_PER_MONTH,
    "day": 24 / HOURS_PER_MONTH, "second": 1 / HOURS_PER_MONTH / 3600,
}  # fmt: skip


def gigabytes(unit: str) -> float | None:
    """GB of one of a FOCUS unit such as GB, GiB or bytes; None for any other."""
    found = _UNIT.fullmatch(unit.strip())
    if not found or found[3]:
        return None
    size = _SIZES.get(found[2].lower())
    return None if size is None else float(found[1] or 1) * size


def gigabyte_months(unit: str) -> float | None:
    """GB-months of one of a FOCUS unit such as GB-Months or byte-seconds; None for any other."""
    found = _UNIT.fullmatch(unit.strip())
    if not found or not found[3]:
        return None
    size, months = _SIZES.get(found[2].lower()), _MONTHS.get(found[3].lower())
    return None if size is None or months is None else float(found[1] or 1) * size * months


def stored(amounts: pd.Series[float], unit: str) -> pd.Series[float] | None:
    """GB held on each day (index) that GB-months of the day were billed for; None of no such unit.

    A day has one GB-month for each GB over the days of its month.
    """
    factor = gigabyte_months(unit)
    if factor is None:
        return None
    lengths = pd.DatetimeIndex(amounts.index).days_in_month
    return amounts * factor * lengths
