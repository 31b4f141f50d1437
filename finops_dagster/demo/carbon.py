"""Hourly grid carbon intensity of the estate's regions, by location and by market.

A smooth model, not a record: mean levels are cited, the shape of a day and the wind are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import chosen, signal_known_at, times, write
from finops_dagster.demo.noise import Floats, Ints, smooth, stream
from finops_dagster.demo.seasons import DAY_MINUTES, HOUR_MINUTES, minutes_of


@dataclass(frozen=True)
class Grid:
    """Mean gCO2e/kWh by location, the share of it that contracts take off, and how it swings."""

    mean: float
    contracted_share: float
    solar: float
    wind: float
    noon_utc: float


GRIDS: dict[str, Grid] = {
    # Ireland 316 g/kWh: European Environment Agency, as in Cloud Carbon Footprint's factors.
    "eu-west-1": Grid(316.0, 0.70, 0.05, 0.24, 12.5),
    # Northern Virginia 323, Eemshaven 209, Iowa 413 g/kWh and their carbon-free shares 0.62,
    # 0.83, 0.87: Google Cloud, carbon data across regions, 2024. West Europe is the Dutch grid.
    "us-east-1": Grid(323.0, 0.62, 0.10, 0.05, 17.0),
    "westeurope": Grid(209.0, 0.83, 0.22, 0.18, 11.7),
    "europe-west4": Grid(209.0, 0.83, 0.22, 0.18, 11.7),
    "us-central1": Grid(413.0, 0.87, 0.08, 0.20, 18.2),
}


def intensity(seed: int, region: str, minutes: Ints) -> Floats:
    """Location-based gCO2e/kWh at each hour; never below a fifth of the mean."""
    grid = GRIDS[region]
    key = stream(seed, f"carbon/{region}")
    hour = (minutes % DAY_MINUTES) / 60.0
    sun = np.maximum(np.cos(2.0 * np.pi * (hour - grid.noon_utc) / 24.0), 0.0)
    evening = np.exp(-0.5 * (((hour - grid.noon_utc - 6.5 + 12.0) % 24.0 - 12.0) / 2.0) ** 2)
    wind = 0.8 * smooth(key, minutes, 2 * DAY_MINUTES) + 0.4 * smooth(key + 1, minutes, 360)
    level = 1.0 + grid.solar * (0.32 - sun) + 0.10 * (evening - 0.2) - grid.wind * wind
    result: Floats = grid.mean * np.maximum(level, 0.2)
    return result


def write_carbon(out: Path, seed: int, first: date, last: date) -> int:
    """Write one delivery a day; returns the rows written."""
    minutes = minutes_of(first, last, HOUR_MINUTES)
    regions = list(GRIDS)
    location = np.stack([intensity(seed, region, minutes) for region in regions])
    shares = np.array([1.0 - GRIDS[region].contracted_share for region in regions])
    both = np.round(np.stack([location, location * shares[:, None]]), 3)
    region_of = np.tile(np.repeat(np.arange(len(regions)), 24), 2)
    accounting_of = np.repeat(np.arange(2), 24 * len(regions))
    rows = 0
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        window = slice(offset * 24, (offset + 1) * 24)
        table = pa.table(
            {
                "time": times(np.tile(minutes[window], 2 * len(regions))),
                "region": chosen(regions, region_of),
                "accounting": chosen(["location", "market"], accounting_of),
                "gco2e_per_kwh": pa.array(both[:, :, window].ravel()),
            }
        )
        write(out / "carbon" / f"day={day.isoformat()}", table, signal_known_at(day))
        rows += table.num_rows
    return rows
