"""Energy and traffic of resources hour by hour, from what was measured and a day's energy.

What the energy emits, here or elsewhere, is worked out by those who ask.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

ENERGY_COLUMNS = ("resource", "hour", "first", "kwh", "low_kwh", "high_kwh")
_ENERGIES = {"energy_kwh": "kwh", "energy_low_kwh": "low_kwh", "energy_high_kwh": "high_kwh"}


def hourly_energy(
    measurements: pd.DataFrame, energy: pd.DataFrame, as_of: date, days: int
) -> pd.DataFrame:
    """ENERGY_COLUMNS of the last `days` days up to `as_of`, sorted by resource and hour.

    `measurements`: columns of `fct_workload_measurements`; `energy`: of
    `fct_workload_carbon_daily`. The energy of a day falls on its hours as the CPU used does.
    `first` is the first time in the hour at which CPU was used. Days without a known energy, and
    hours without CPU, are not in it.
    """
    rows = _window(measurements, as_of, days)
    used = rows["cpu_cores"].astype(float) * rows["interval_seconds"].astype(float) / 3600
    rows = rows.assign(core_hours=used.where(np.isfinite(used) & (used > 0)))
    rows = rows.dropna(subset=["core_hours"])
    rows = rows.assign(hour=rows["time"].dt.floor("h"), day=rows["time"].dt.floor("D"))
    hours = rows.groupby(["resource", "day", "hour"], as_index=False).agg(
        core_hours=("core_hours", "sum"), first=("time", "min")
    )
    share = hours["core_hours"] / hours.groupby(["resource", "day"])["core_hours"].transform("sum")
    known = energy.assign(day=pd.to_datetime(energy["day"], utc=True))
    known = known.groupby(["resource", "day"], as_index=False)[list(_ENERGIES)].sum(min_count=1)
    joined = hours.assign(share=share).merge(known, on=["resource", "day"])
    for column, name in _ENERGIES.items():
        joined[name] = joined[column].astype(float) * joined["share"]
    joined = joined.loc[np.isfinite(joined["kwh"]) & (joined["kwh"] > 0)]
    joined = joined.sort_values(["resource", "hour"]).reset_index(drop=True)
    hourly: pd.DataFrame = joined.loc[:, list(ENERGY_COLUMNS)]
    return hourly


def daily_traffic(measurements: pd.DataFrame, as_of: date, days: int) -> pd.DataFrame:
    """resource, day, gigabytes (1e9 bytes) sent and received a day, where it was measured."""
    rows = _window(measurements, as_of, days)
    rate = rows["network_receive_bytes_per_second"].astype(float)
    rate = rate + rows["network_transmit_bytes_per_second"].astype(float)
    moved = rate * rows["interval_seconds"].astype(float) / 1e9
    rows = rows.assign(gigabytes=moved.where(np.isfinite(moved) & (moved >= 0)))
    rows = rows.assign(day=rows["time"].dt.floor("D"))
    rows = rows.dropna(subset=["gigabytes"])
    return rows.groupby(["resource", "day"], as_index=False)[["gigabytes"]].sum()


def _window(measurements: pd.DataFrame, as_of: date, days: int) -> pd.DataFrame:
    """The rows of the window, each once."""
    end = pd.Timestamp(as_of, tz="UTC") + timedelta(days=1)
    time = pd.to_datetime(measurements["time"], utc=True)
    rows = measurements.assign(time=time)
    rows = rows.loc[(time < end) & (time >= end - timedelta(days=days))]
    once: pd.DataFrame = rows.drop_duplicates(
        ["resource", "cluster", "container", "time"], keep="last"
    )
    return once
