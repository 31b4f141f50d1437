"""Minimum replicas by forecast: lower where nobody needs them, up ahead of recurring peaks.

Workloads that sleep for whole nights are judged elsewhere, and so is the size of one replica.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.floors import (
    Floor,
    Load,
    Outcome,
    floor_of,
    followed,
    foreseen,
    growth,
)
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.idle import Activity
from finops_dagster.engines.optimisation.prices import half_width, times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.scaling_case import Case, scaling_case
from finops_dagster.engines.optimisation.schedules import (
    LEAD_MINUTES,
    cpu_trigger,
    cron_triggers,
    scaled_object,
    words,
)
from finops_dagster.engines.optimisation.window import REHEARSAL_SHARE

MIN_GAIN = 5.0
"""Percent of the usual size that another minimum must be worth, shortage counted by the dial; and
that a schedule must be worth more than the best constant one."""
MIN_GAIN_OF_A_SCALER = 20.0
"""The same where there is no autoscaler yet: that is more to keep than a number."""
QUANTILES = (0.5, 0.8, 0.95)
"""Of demand by hour that are tried beside the critical ratio: an autoscaler covers some of it."""


def scheduled_scaling(
    ground: Ground, use: Activity, sized: MoneyRange | None
) -> Finding | Abstained | None:
    """SCHEDULED_SCALING where another minimum of replicas, constant or by hour, is worth it.

    Workloads under an autoscaler on CPU; and Deployments of a fixed number of replicas, which are
    passed over without a word where little is known of them. `sized` is what sizing already
    saves on the workload.
    """
    scaler = ground.scaling.scalers.get(use.resource)
    if use.resource in ground.managed and scaler is None:
        return None
    if scaler is None and not use.resource.startswith(("Deployment/", "Rollout/")):
        return None
    case = scaling_case(ground, use, scaler, sized)
    if isinstance(case, str):
        return Abstained(subject=f"{use.resource} replicas", reason=case) if scaler else None
    chosen = _chosen(case, case.load)
    if chosen is None:
        return None
    why, late = _rehearsed(ground, case)
    if why:
        return Abstained(subject=f"{use.resource} replicas", reason=why)
    return _finding(ground, case, chosen, late)


def _chosen(case: Case, load: Load) -> Floor | None:
    """The floor that costs least over a load, both errors counted; None for what there is."""
    now = case.cost_of(load, None)
    constant = [Floor(replicas) for replicas in _constants(case)]
    plain = _best(case, load, constant)
    by_hour = _best(case, load, _schedules(case, load))
    if by_hour is not None and now - by_hour[0] >= _least_gain(plain, now):
        return by_hour[1]
    if plain is not None and now - plain[0] >= MIN_GAIN:
        return plain[1]
    return None


def _least_gain(plain: tuple[float, Floor] | None, now: float) -> float:
    if plain is None:
        return MIN_GAIN_OF_A_SCALER
    return max(0.0, now - plain[0]) + MIN_GAIN


def _constants(case: Case) -> Sequence[int]:
    if case.scaler is None:
        return ()
    return range(case.least, max(case.least, int(np.nanmax(case.load.needed))) + 1)


def _schedules(case: Case, load: Load) -> list[Floor]:
    found = []
    for quantile in sorted({*QUANTILES, case.critical_ratio}):
        replicas = foreseen(load, quantile)
        if replicas is not None:
            floor = floor_of(replicas, case.least)
            if floor.levels:
                found.append(floor)
    return found


def _best(case: Case, load: Load, floors: Sequence[Floor]) -> tuple[float, Floor] | None:
    costs = [case.cost_of(load, floor) for floor in floors]
    if not costs:
        return None
    place = int(np.argmin(costs))
    return costs[place], floors[place]


def _rehearsed(ground: Ground, case: Case) -> tuple[str, float]:
    """Why what the first two thirds decide does not hold in the last; and the share short there."""
    split = ground.window.start + (ground.window.end - ground.window.start) * REHEARSAL_SHARE
    early = np.asarray(case.load.times < pd.Timestamp(split))
    past, later = case.load.part(early), case.load.part(~early)
    floor = _chosen(case, past)
    if floor is None or len(later.times) < 2 or np.isnan(later.demand).all():
        return "the first two thirds of the window alone do not show the same: its use changes", 1.0
    then, now = followed(later, floor), case.today(later)
    if then.short_share > max(ground.config.max_risk, now.short_share):
        return (
            f"a minimum set by the first two thirds of the window would have been short in "
            f"{then.short_share:.1%} of the last third: its use is changing"
        ), then.short_share
    if then.cost(case.usual, case.dial) >= now.cost(case.usual, case.dial):
        return (
            "a minimum set by the first two thirds of the window would have been worth nothing in "
            "the last third: its use is changing"
        ), then.short_share
    return "", then.short_share


def _finding(ground: Ground, case: Case, floor: Floor, late_short: float) -> Finding:
    use, load, scaler = case.use, case.load, case.scaler
    now, then = case.today(load), followed(load, floor)
    ended = _by_day(load, now.paid - then.paid) / (float(now.paid.mean()) or 1.0)
    share = float((now.paid.mean() - then.paid.mean()) / now.paid.mean())
    value = None
    if scaler is not None and not floor.levels and scaler.declared_minimum is not None:
        text = scaler.declared_minimum
        value = Declared(text.field, text.text, to_decimal(scaler.minimum))
    price = float(case.cost.mid) / (case.usual * HOURS_PER_MONTH)
    late_hours = float(use.times.floor("h").nunique()) * (1 - REHEARSAL_SHARE)
    return ground.finding(
        FindingKind.SCHEDULED_SCALING,
        use.resource,
        value=value,
        proposed=str(floor.base),
        edited=scaler.resource if scaler and value else "",
        saving=_spread(case.cost, share, ended),
        carbon=ground.carbon.reserved(
            use.resource, use.mean("request") * share, use.mean("memory") * share
        ),
        risk=wilson_upper(late_short, late_hours),
        confidence=use.coverage,
        samples=len(use.frame),
        figures={
            "off_share_of_week": max(0.0, share),
            "replicas_mean": case.usual,
            "proposed_replicas_mean": float(then.paid.mean()),
            "short_share": now.short_share,
            "proposed_short_share": then.short_share,
            "last_third_short_share": late_short,
            "price_of_a_replica_hour_too_many": price,
            "price_of_an_hour_too_few": price * case.dial * case.usual,
            "critical_ratio": case.critical_ratio,
            "target_utilisation_percent": 100 * load.target,
            "request_cores": load.request,
            "growth_a_week": growth(load),
            "lead_minutes": float(LEAD_MINUTES),
        },
        reason=_reason(case, floor, now, then),
        rule="minimum by forecast and newsvendor",
        suggestion="" if not floor.levels else _suggested(case, floor),
        wrong_if="replicas are kept for another reason than CPU (a quorum, connections, a queue), "
        "or demand comes at other hours than in the window",
    )


def _by_day(load: Load, replicas: np.ndarray) -> np.ndarray:
    """Mean over each whole day."""
    series = pd.Series(replicas, index=load.times.tz_convert("UTC"))
    return series.resample("D").mean().dropna().to_numpy(dtype=float)


def _spread(cost: MoneyRange, share: float, by_day: np.ndarray) -> MoneyRange:
    """`share` of a cost, with the cost's own spread and that of the share from day to day."""
    part = times(cost, share)
    own = to_decimal(
        float(np.hypot(float(part.high - part.low) / 2, float(cost.mid) * half_width(by_day)))
    )
    return MoneyRange(low=part.mid - own, mid=part.mid, high=part.mid + own, currency=cost.currency)


def _reason(case: Case, floor: Floor, now: Outcome, then: Outcome) -> str:
    zone = str(case.load.times.tz)
    kept = f"{floor.base} at least"
    for replicas, schedule in floor.levels:
        kept += f", {replicas} on {words(schedule, zone)}"
    by = f"{case.scaler.resource} keeps" if case.scaler else "It keeps"
    today = f"{case.scaler.minimum} at least" if case.scaler else f"{case.usual:.3g}"
    return (
        f"{by} {today} and with {kept}, and more as CPU passes {case.load.target:.0%} of what is "
        f"requested, it would run {then.paid.mean():.3g} replicas on average in place of "
        f"{now.paid.mean():.3g}, short in {then.short_share:.2%} of the intervals in place of "
        f"{now.short_share:.2%}."
    )


def _suggested(case: Case, floor: Floor) -> str:
    zone = str(case.load.times.tz)
    triggers = [
        trigger
        for replicas, schedule in floor.levels
        for trigger in cron_triggers(schedule, zone, replicas)
    ]
    scaler = case.scaler.resource if case.scaler else ""
    triggers.append(cpu_trigger(case.load.target))
    return scaled_object(case.use.resource, triggers, floor.base, case.load.maximum, scaler)
