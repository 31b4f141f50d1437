"""What scheduled scaling can judge: a workload's load, its scaler and its prices, and why not.

Which minimum of replicas is better is judged elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd

from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.floors import Floor, Load, Outcome, fixed, followed
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.idle import COMPUTE, Activity
from finops_dagster.engines.optimisation.prices import minus
from finops_dagster.engines.optimisation.rules import Tier, tier_of
from finops_dagster.engines.optimisation.scalers import DEFAULT_CPU_TARGET, Scaler

MIN_DAYS = 13.5
"""Two weekly cycles."""
MAX_STEP_SECONDS = 900.0
"""Coarser measurements do not show how an autoscaler follows."""
MAX_UNLIKE = 0.15
"""Share by which the replicas told by the declared rule may differ from those measured."""
_PRODUCTION_LEAST = 2
"""One replica alone is down whenever it is moved."""


@dataclass(frozen=True)
class Case:
    """One workload, as what can be decided of it needs it."""

    use: Activity
    load: Load
    scaler: Scaler | None
    least: int
    """No fewer at any time: what production keeps, and what may be taken away at once."""
    dial: float
    usual: float
    """Mean replicas today."""
    cost: MoneyRange

    @property
    def critical_ratio(self) -> float:
        """Newsvendor: one replica too many costs 1 / usual of the usual size, one too few costs
        the dial. Arrow, Harris and Marschak, Optimal Inventory Policy (1951).
        """
        return max(0.5, 1 - 1 / (self.dial * max(1.0, self.usual)))

    def today(self, load: Load) -> Outcome:
        """What is done now: followed by the declared autoscaler, or as many as were measured."""
        return followed(load, Floor(self.scaler.minimum)) if self.scaler else fixed(load)

    def cost_of(self, load: Load, floor: Floor | None) -> float:
        """In percent of the usual size; None is what is done today."""
        outcome = followed(load, floor) if floor else self.today(load)
        return outcome.cost(self.usual, self.dial)


def scaling_case(
    ground: Ground, use: Activity, scaler: Scaler | None, sized: MoneyRange | None
) -> Case | str:
    """The case, or why there is none."""
    if scaler is not None and (scaler.others or scaler.cpu_target is None):
        by = ", ".join(scaler.others) or "a schedule alone"
        return f"{scaler.resource} scales it by {by}: what it needs is not told by CPU alone"
    if scaler is not None and scaler.crons:
        return f"{scaler.resource} has a schedule already, which is not judged"
    if use.days < MIN_DAYS:
        return f"measured for {use.days:.1f} days: two weekly cycles are needed"
    if use.seconds > MAX_STEP_SECONDS:
        return f"measured every {use.seconds:.0f} seconds only: too coarse to follow a scaler"
    replicas = use.frame["replicas"]
    if replicas.notna().mean() < 0.5:
        return "how many replicas ran is not measured"
    if scaler is None and replicas.nunique() > 1:
        return "its number of replicas changed, and no autoscaler is declared"
    requests = (use.frame["request"] / replicas).dropna()
    request = float(requests.median()) if len(requests) else 0.0
    if not request > 0:
        return "no CPU request is measured, so there is no utilisation to hold it to"
    cost = ground.prices.cost_per_month(use.resource, COMPUTE)
    if cost is None or cost.mid <= 0:
        return "no charges of its own in one currency price it"
    if sized is not None and sized.currency == cost.currency:
        cost = minus(cost, sized)
    tier = tier_of(ground.environment(use.resource))
    now = scaler.minimum if scaler else int(replicas.median())
    load = _load(ground, use, scaler, request)
    lowest = min(max(1, now), _PRODUCTION_LEAST if tier is Tier.PRODUCTION else 1)
    case = Case(
        use=use,
        load=load,
        scaler=scaler,
        least=max(lowest, ceil(now * (1 - ground.config.max_change_share))),
        dial=ground.config.dials[tier],
        usual=float(np.nanmean(load.replicas)),
        cost=cost,
    )
    told = float(case.today(load).paid.mean())
    if abs(told / case.usual - 1) > MAX_UNLIKE:
        return (
            f"{scaler.resource if scaler else 'its manifest'} would keep {told:.1f} replicas on "
            f"average and {case.usual:.1f} were measured: something else scales it"
        )
    return case


def _load(ground: Ground, use: Activity, scaler: Scaler | None, request: float) -> Load:
    """Its demand on an even grid, in the time zone that is declared of it."""
    grid = use.frame[["cpu", "replicas"]].resample(pd.Timedelta(seconds=use.seconds)).mean()
    zone = ground.scaling.zones.get(use.resource, "UTC")
    replicas = grid["replicas"].to_numpy(dtype=float)
    return Load(
        times=pd.DatetimeIndex(grid.index).tz_convert(zone),
        demand=grid["cpu"].to_numpy(dtype=float),
        replicas=replicas,
        request=request,
        target=(scaler.cpu_target if scaler else None) or DEFAULT_CPU_TARGET,
        maximum=scaler.maximum if scaler else int(np.nanmax(replicas)),
    )
