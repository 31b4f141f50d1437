"""Rates between currencies: what one unit of a currency is in another, for a day.

Which file they come from is the settings' business; how costs are converted is dbt's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from finops_dagster.domain.money import Amount
from finops_dagster.domain.periods import next_month


class Rate(BaseModel):
    """One unit of `source` is `rate` units of `target` on `day`, as it was told at `taken_at`."""

    model_config = ConfigDict(frozen=True)

    day: date
    source: str = Field(pattern=r"^[A-Z]{3}$")
    target: str = Field(pattern=r"^[A-Z]{3}$")
    rate: Amount = Field(gt=Decimal(0), max_digits=22, decimal_places=16)
    taken_at: datetime


@dataclass(frozen=True)
class Rates:
    """Rates, none twice."""

    rows: tuple[Rate, ...]

    def of_period(self, period: date, days: int, cutoff: datetime) -> tuple[Rate, ...]:
        """Those that may convert costs of a billing period: of its days and `days` before it.

        Of what was taken by `cutoff`, in one order: the same rates are the same tuple.
        """
        first, end = period - timedelta(days=days), next_month(period)
        found = [r for r in self.rows if first <= r.day < end and r.taken_at <= cutoff]
        return tuple(sorted(found, key=lambda r: (r.day, r.source, r.target, r.taken_at)))
