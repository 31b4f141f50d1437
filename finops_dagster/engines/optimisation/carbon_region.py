"""Movable work that would be better off in another region, by cost, carbon and risk together.

A move is never one edit: what is told is the front of regions, and the one that the weights choose.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.engines.optimisation.movable import Movable
from finops_dagster.engines.optimisation.placement_inputs import (
    UNKNOWN,
    WINDOW_DAYS,
    Place,
    PlacementConfig,
    Seen,
    finding,
    with_energy,
)
from finops_dagster.engines.optimisation.prices import (
    DAYS_PER_MONTH,
    half_width,
    money_range,
)
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.region_front import (
    Option,
    allowed_regions,
    front,
    score,
)
from finops_dagster.engines.optimisation.region_prices import RegionPrices, present_costs

MIN_DAYS = 14
"""Days on which cost, carbon and traffic must all be known: two weeks have every weekday twice."""
DRIFT = 2.9
"""By what the spread from day to day of what another grid emits less is widened. Learnt on the
twenty pairs of five grids in 2020 (95 % of the next 28 days within 2.88 times the interval, 2.44 in
2021)."""
_KEY = "topology.kubernetes.io/region"
"""Well-known label of a node's region (Kubernetes documentation: well-known labels)."""

Grids = Mapping[str, "pd.Series[float]"]
"""Region -> gCO2e/kWh by hour."""


@dataclass(frozen=True)
class _Now:
    """The days of which all is known where it runs now."""

    costs: dict[pd.Timestamp, Decimal]
    kg: dict[pd.Timestamp, float]
    transfer: dict[pd.Timestamp, Decimal]
    currency: str
    kwh: tuple[float, float, float]


def carbon_region(
    resource: str,
    work: Movable,
    place: Place,
    seen: Seen,
    grids: Grids,
    prices: RegionPrices,
    as_of: date,
    config: PlacementConfig,
) -> tuple[Finding | None, list[Abstained]]:
    """CARBON_REGION where the weights choose another allowed region, and why others are out.

    `grids`: what `by_hour` gives. Each hour's energy is counted at that hour's intensity
    there, what it consumed at the on-demand price there, and all that it sent and received as
    transfer between the two regions. A region that is surely better in
    neither cost nor carbon (95 %) is no option. None where it is best where it is.
    """
    allowed, who = allowed_regions(place.owner, place.environment, config.regions)
    why = _unfit(place, allowed, who)
    now = why or _now(place, seen, grids, as_of, config)
    if isinstance(now, str):
        return None, [Abstained(subject=f"{resource} region", reason=now)]
    days = sorted(now.kg)
    cost = float(sum(now.costs.values(), Decimal(0))) / len(days) * float(DAYS_PER_MONTH)
    kg = sum(now.kg.values()) / len(days) * float(DAYS_PER_MONTH)
    if cost <= 0 or kg <= 0:
        reason = "its net cost or its emissions are not above zero, so there is nothing to lessen"
        return None, [Abstained(subject=f"{resource} region", reason=reason)]
    none = MoneyRange(low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency=now.currency)
    stay = Option(str(place.region), cost, kg, 0.0, none, Range(low=0, mid=0, high=0), 0.0)
    options, out = [stay], []
    for region in sorted((allowed or frozenset()) - {stay.region}):
        there = _there(region, work, place, seen, grids, prices, as_of, config, now)
        if isinstance(there, str):
            out.append(Abstained(subject=f"{resource} in {region}", reason=there))
        elif there.saving.low > 0 or there.carbon.low > 0:
            options.append(there)
    best = front(options)
    chosen = min(
        best, key=lambda one: (score(one, stay, config.weights), one is not stay, one.region)
    )
    if chosen is stay:
        return None, out
    return _told(resource, place, stay, chosen, best, len(days), as_of, config, who), out


def _unfit(place: Place, allowed: frozenset[str] | None, who: str) -> str:
    if place.region is None:
        return "the one region that it runs in is not known"
    if allowed is None:
        return "no setting says in which regions its data may be (placement.regions)"
    if not allowed - {place.region}:
        return f"by the regions allowed for {who} there is no other that it may be in"
    return ""


def _now(
    place: Place,
    seen: Seen,
    grids: Grids,
    as_of: date,
    config: PlacementConfig,
) -> _Now | str:
    """What it costs, emits and sends a day where it is; or what is not known of it."""
    present = present_costs(seen.costs, seen.net, as_of)
    if isinstance(present, str):
        return present
    by_day, currency = present
    kg = _emitted(seen.energy, grids, str(place.region))
    moved = {
        pd.Timestamp(day).tz_convert(None): float(gigabytes)
        for day, gigabytes in zip(seen.traffic["day"], seen.traffic["gigabytes"], strict=True)
    }
    if not moved:
        return "its traffic is not measured, so what it would send between regions is not known"
    price = config.transfer_prices_per_gb.get(currency, Decimal(0))
    if currency not in config.transfer_prices_per_gb and any(moved.values()):
        return f"no price in {currency} of a GB between regions (placement.transfer_prices_per_gb)"
    days = sorted(set(map(_day, by_day)) & set(kg) & set(moved))
    if len(days) < MIN_DAYS:
        return (
            f"cost, hourly intensity and traffic are known together on {len(days)} days, "
            f"{MIN_DAYS} are needed"
        )
    day_of = seen.energy["hour"].dt.tz_convert(None).dt.floor("D")
    whole = seen.energy.loc[day_of.isin(days)]
    low, mid, high = (float(whole[c].sum(skipna=False)) for c in ("low_kwh", "kwh", "high_kwh"))
    cost = {_day(day): amount for day, amount in by_day.items()}
    return _Now(
        costs={day: cost[day] for day in days},
        kg={day: kg[day] for day in days},
        transfer={day: price * Decimal(repr(round(moved[day], 9))) for day in days},
        currency=currency,
        kwh=(mid, low, high),
    )


def _there(
    region: str,
    work: Movable,
    place: Place,
    seen: Seen,
    grids: Grids,
    prices: RegionPrices,
    as_of: date,
    config: PlacementConfig,
    now: _Now,
) -> Option | str:
    """The same days in another region; or why it is no option."""
    if work.max_latency_ms is not None:
        away = _latency(str(place.region), region, config)
        if away is None:
            return "how far away it is is not known (placement.latencies_ms)"
        if away > work.max_latency_ms:
            return f"{away:g} ms away, its label allows {work.max_latency_ms:g}"
    priced = prices.by_day(seen.costs, region, as_of)
    if isinstance(priced, str):
        return priced
    kg = _emitted(seen.energy, grids, region)
    days = [day for day in now.kg if day in kg]
    if len(days) < max(MIN_DAYS, len(now.kg) * 0.8):
        return (
            f"the intensity of its grid is known by the hour on {len(days)} of {len(now.kg)} days"
        )
    cost = {_day(day): amount for day, amount in priced.items()}
    # the bill of a day tells the same usage here and there, so both have every day
    saved = [now.costs[day] - cost[day] - now.transfer[day] for day in now.costs]
    mid = sum(saved, Decimal(0)) / len(saved) * DAYS_PER_MONTH
    daily = np.array([float(one * DAYS_PER_MONTH) for one in saved])
    less = np.array([(now.kg[day] - kg[day]) * float(DAYS_PER_MONTH) for day in days])
    mean, half = float(less.mean()), DRIFT * half_width(less)
    before = sum(now.costs.values(), Decimal(0)) / len(saved) * DAYS_PER_MONTH
    transfer = sum(now.transfer.values(), Decimal(0)) / len(saved) * DAYS_PER_MONTH
    return Option(
        region=region,
        cost=float(before - mid),
        kg=float(np.mean([kg[day] for day in days])) * float(DAYS_PER_MONTH),
        risk=wilson_upper(float((less < 0).mean()), len(less)),
        saving=money_range(mid, daily, now.currency),
        carbon=with_energy(Range(low=mean - half, mid=mean, high=mean + half), *now.kwh),
        transfer=float(transfer),
    )


def _emitted(energy: pd.DataFrame, grids: Grids, region: str) -> dict[pd.Timestamp, float]:
    """kgCO2e by day in a region; a day with an hour of unknown intensity is left out."""
    hours = pd.DatetimeIndex(energy["hour"])
    of_hour = grids.get(region, UNKNOWN).reindex(hours)
    kg = pd.DataFrame({"kg": energy["kwh"].to_numpy() * of_hour.to_numpy() / 1000})
    found: dict[pd.Timestamp, float] = {}
    for day, one in kg.groupby(hours.tz_localize(None).floor("D")):
        if one["kg"].notna().all():
            found[_day(day)] = float(one["kg"].sum())
    return found


def _latency(here: str, there: str, config: PlacementConfig) -> float | None:
    table = config.latencies_ms
    return table.get(here, {}).get(there, table.get(there, {}).get(here))


def _day(day: Hashable) -> pd.Timestamp:
    return pd.Timestamp(day)  # type: ignore[arg-type]


def _told(
    resource: str,
    place: Place,
    stay: Option,
    chosen: Option,
    best: Sequence[Option],
    days: int,
    as_of: date,
    config: PlacementConfig,
    who: str,
) -> Finding:
    money, w = chosen.saving.currency, config.weights
    cheapest = min(best, key=lambda one: (one.cost, one.region))
    cleanest = min(best, key=lambda one: (one.kg, one.region))
    figures: dict[str, float] = {
        "regions_on_the_front": len(best),
        "transfer_per_month": chosen.transfer,
    }
    for one in dict.fromkeys(("now", "chosen", "cheapest", "cleanest")):
        option = {"now": stay, "chosen": chosen, "cheapest": cheapest, "cleanest": cleanest}[one]
        figures |= {
            f"{one}_cost_per_month": option.cost,
            f"{one}_kg_per_month": option.kg,
            f"{one}_risk": option.risk,
            f"{one}_score": score(option, stay, w),
        }
    return finding(
        FindingKind.CARBON_REGION,
        resource,
        place,
        as_of,
        saving=chosen.saving,
        carbon=chosen.carbon,
        risk=chosen.risk,
        confidence=days / WINDOW_DAYS,
        samples=days,
        figures=figures,
        reason=f"Labelled movable: in {chosen.region} in place of {stay.region} it would cost "
        f"{chosen.cost:.2f} in place of {stay.cost:.2f} {money} a month, transfer counted, and "
        f"emit {chosen.kg:.3g} in place of {stay.kg:.3g} kg; by the weights cost {w.cost:g}, "
        f"carbon {w.carbon:g} and risk {w.risk:g} it is best of {len(best)} on the front, where "
        f"{cheapest.region} is cheapest ({cheapest.cost:.2f}) and {cleanest.region} cleanest "
        f"({cleanest.kg:.3g} kg); only regions allowed for {who} were looked at.",
        suggestion=_pinned(place.declared.manifest, chosen.region),
        wrong_if="data that it reads or keeps must move too (a first copy is not counted), what "
        "it sends stays in the region (then transfer costs less), or one kWh more is made "
        "otherwise than the average kWh there (marginal intensity)",
    )


def _pinned(manifest: str, region: str) -> str:
    """A merge patch (JSON, which YAML tools read too) where a node selector names the region."""
    whole = json.loads(manifest) if manifest else {}
    for path in (
        ("spec", "template", "spec"),
        ("spec", "jobTemplate", "spec", "template", "spec"),
    ):
        node: Any = whole
        for step in (*path, "nodeSelector"):
            node = node.get(step) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and _KEY in node:
            patch: dict[str, Any] = {"nodeSelector": {_KEY: region}}
            for step in reversed(path):
                patch = {step: patch}
            named = {key: whole.get(key) for key in ("apiVersion", "kind")}
            meta = whole.get("metadata") or {}
            name = {key: meta[key] for key in ("name", "namespace") if key in meta}
            return json.dumps({**named, "metadata": name, **patch}, indent=2, ensure_ascii=True)
    return ""
