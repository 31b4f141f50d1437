"""What placing movable work is given, as frozen types, and what its two judges share.

How hours and regions are chosen lives elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import NO_CURRENCY, MoneyRange, Range
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.inputs import ENGINE

WINDOW_DAYS = 28
"""Evidence window, and what intensity is expected to be: the same hours of four weeks. A place or a
start is held for weeks, further than weather is known. Of 7, 14, 28 and 56 days this lost least
against hindsight's best: five real grids, two years, starts up to 12 hours later, summed."""


@dataclass(frozen=True)
class Weights:
    """What one percent of each is worth beside one percent of the others."""

    cost: float = 1.0
    carbon: float = 1.0
    risk: float = 1.0


@dataclass(frozen=True)
class PlacementConfig:
    """Weights and bounds of placing work."""

    weights: Weights = Weights()
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Team, environment or `*` -> regions that its work may be in."""
    latencies_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Region -> another -> milliseconds there and back."""
    transfer_prices_per_gb: Mapping[str, Decimal] = field(default_factory=dict)
    """Currency -> price of 1e9 bytes between regions."""


@dataclass(frozen=True)
class Declared:
    """How the desired state declares a piece of work; all empty where it does not."""

    schedule: str = ""
    """Text of spec.schedule; empty where there is none."""
    time_zone: str = ""
    """spec.timeZone; empty means UTC, which what ran must agree with."""
    manifest: str = ""
    """The rendered manifest as JSON text."""


@dataclass(frozen=True)
class Place:
    """What is known of one piece of work beside its labels."""

    region: str | None
    """Where it runs now; None where that is not known or it runs in several."""
    owner: str = ""
    environment: str = "unknown"
    currency: str = NO_CURRENCY
    """That it is billed in; NO_CURRENCY where nothing bills it."""
    declared: Declared = Declared()


@dataclass(frozen=True)
class Marts:
    """What was measured and billed, as frames with the columns of their marts."""

    measurements: pd.DataFrame
    """Rows of `fct_workload_measurements`, of the work."""
    energy: pd.DataFrame
    """Rows of `fct_workload_carbon_daily`, of the work."""
    intensity: pd.DataFrame
    """region, hour, gco2e_per_kwh: location-based averages of single hours, no yearly means."""
    costs: pd.DataFrame
    """Rows of `fct_costs_daily`, of all workloads: one may use what another frees."""
    priced: pd.DataFrame
    """PRICED_COLUMNS of the window: what the whole estate was charged on demand, by region."""
    skus: pd.DataFrame
    """sku_id, instance_type of dim_skus."""


@dataclass(frozen=True)
class Seen:
    """What was measured and billed of one piece of work."""

    energy: pd.DataFrame
    """Its rows of `hourly_energy`."""
    traffic: pd.DataFrame
    """Its rows of `daily_traffic`."""
    costs: pd.DataFrame
    """Its rows of fct_costs_daily."""
    net: pd.DataFrame
    """Its rows of `unit_prices`."""


PRICED_COLUMNS = (
    "provider_name", "service_name", "region_id", "sku_id", "sku_meter", "consumed_unit",
    "billing_currency", "quantity", "cost",
)  # fmt: skip
"""Columns of `Marts.priced`: quantity and contracted (else list) cost of usage, as Decimal."""


def window(as_of: date) -> tuple[datetime, datetime]:
    """Start and end of the evidence window, half open."""
    end = day_start(as_of + timedelta(days=1))
    return end - timedelta(days=WINDOW_DAYS), end


def by_hour(intensity: pd.DataFrame, as_of: date) -> dict[str, pd.Series[float]]:
    """gCO2e/kWh by hour of the window, up to and including `as_of`, by region; each hour once."""
    start, end = window(as_of)
    hour = pd.to_datetime(intensity["hour"], utc=True)
    value = intensity["gco2e_per_kwh"].astype(float)
    rows = intensity.assign(hour=hour, value=value)
    rows = rows.loc[(hour >= start) & (hour < end) & np.isfinite(value) & (value >= 0)]
    rows = rows.drop_duplicates(["region", "hour"], keep="last").sort_values("hour")
    return {
        str(region): pd.Series(one["value"].to_numpy(), index=pd.DatetimeIndex(one["hour"]))
        for region, one in rows.groupby("region")
    }


UNKNOWN: pd.Series[float] = pd.Series(np.empty(0), index=pd.DatetimeIndex([], tz="UTC"))
"""Of a region of which no hour is known."""


def scaled(kg: Range, factor: float) -> Range:
    """`kg` times a positive factor."""
    return Range(low=kg.low * factor, mid=kg.mid * factor, high=kg.high * factor)


def with_energy(kg: Range, kwh: float, low_kwh: float, high_kwh: float) -> Range:
    """`kg` with the energy's own uncertainty: each end at the energy that is worse for it."""
    low_share = low_kwh / kwh if np.isfinite(low_kwh) else 1.0
    high_share = high_kwh / kwh if np.isfinite(high_kwh) else 1.0
    return Range(
        low=kg.low * (low_share if kg.low > 0 else high_share),
        mid=kg.mid,
        high=kg.high * (high_share if kg.high > 0 else low_share),
    )


def finding(
    kind: FindingKind,
    resource: str,
    place: Place,
    as_of: date,
    *,
    saving: MoneyRange,
    carbon: Range,
    risk: float,
    confidence: float,
    samples: int,
    figures: Mapping[str, float],
    reason: str,
    wrong_if: str,
    suggestion: str = "",
    edit: tuple[str, str, str] = ("", "", ""),
) -> Finding:
    """A finding on movable work; `edit` is field, current and proposed."""
    start, end = window(as_of)
    return Finding(
        kind=kind,
        resource=resource,
        field=edit[0],
        current=edit[1],
        proposed=edit[2],
        owner=place.owner,
        environment=place.environment,
        saving_per_month=saving,
        carbon_kg_per_month=carbon,
        risk=round(risk, 6),
        confidence=round(min(1.0, confidence), 6),
        evidence=Evidence(
            window_start=start,
            window_end=end,
            samples=samples,
            figures={name: float(f"{value:.6g}") for name, value in figures.items()},
        ),
        reason=reason,
        engine=f"{ENGINE} (same hours of {WINDOW_DAYS} days)",
        as_of=as_of,
        suggestion=suggestion,
        wrong_if=wrong_if,
    )
