"""Emissions of capacity that is given up: energy coefficients times grid intensity.

Embodied emissions and market-based accounting are not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from finops_dagster.domain.money import NO_CARBON, Range
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.inputs import Context, EnergyCoefficients
from finops_dagster.engines.optimisation.prices import half_width


class CarbonBook:
    """Grid intensity by resource; a resource without one has no carbon figure."""

    def __init__(self, context: Context) -> None:
        self._intensity: Mapping[str, float] = {
            str(resource): float(value)
            for resource, value in zip(
                context.intensity["resource"], context.intensity["gco2e_per_kwh"], strict=True
            )
            if np.isfinite(value)
        }
        self._energy: EnergyCoefficients = context.energy

    def known(self, resource: str) -> bool:
        """Whether the resource has an intensity."""
        return resource in self._intensity

    def reserved(self, resource: str, cores: float, memory_bytes: float) -> Range:
        """kgCO2e a month of `cores` and `memory_bytes` no longer reserved.

        Low: nothing, where the freed room stays switched on. Mid: its power at rest. High: its
        power in full use. All times the facility's overhead. Negative amounts turn it around.
        """
        if resource not in self._intensity:
            return NO_CARBON
        e = self._energy
        memory_watts = memory_bytes / 1e9 * e.memory_watts_per_gb
        mid = self._kg(resource, cores * e.cpu_idle_watts_per_core + memory_watts)
        full = self._kg(resource, cores * e.cpu_full_watts_per_core + memory_watts)
        ends = sorted((0.0, full))
        return Range(low=ends[0], mid=mid, high=ends[1])

    def measured(self, resource: str, watts_by_day: np.ndarray) -> Range:
        """kgCO2e a month of measured watts (one mean a day), with their day-to-day spread."""
        watts = watts_by_day[np.isfinite(watts_by_day)]
        if resource not in self._intensity or watts.size < 2:
            return NO_CARBON
        mean, half = float(watts.mean()), half_width(watts)
        return Range(
            low=self._kg(resource, max(0.0, mean - half)),
            mid=self._kg(resource, mean),
            high=self._kg(resource, mean + half),
        )

    def _kg(self, resource: str, watts: float) -> float:
        kwh = watts * self._energy.pue * HOURS_PER_MONTH / 1000
        return kwh * self._intensity[resource] / 1000


def add(first: Range, second: Range) -> Range:
    """End by end, as if both were always high together: the wider, careful side."""
    return Range(
        low=first.low + second.low, mid=first.mid + second.mid, high=first.high + second.high
    )
