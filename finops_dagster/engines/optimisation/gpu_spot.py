"""Training that keeps checkpoints and pays for machines on demand, at spot prices seen in the bill.

Never of what serves. No list price: where the bill has no spot price of the same machine or GPU in
the same region, nothing is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, MoneyRange
from finops_dagster.engines.optimisation.checkpoints import TRAINING_KINDS, Checkpoints
from finops_dagster.engines.optimisation.gpu_types import model_word
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.inputs import FindResult, take
from finops_dagster.engines.optimisation.prices import PriceBook, times

INTERRUPTIONS_PER_DAY = 0.15
"""Chance that a spot machine is taken back within a day: the upper end of what Google's pages on
preemptible machines named as a project's average of a week (5 to 15 % a day). The worst class of
AWS's Spot Instance Advisor, over 20 % a month, is far below."""
MIN_PRICE_DAYS = 3
_PREFIX = "gpu "
_SPOT = re.compile(r"(?<![a-z])(spot|preemptible|low priority)(?![a-z])|spotusage", re.IGNORECASE)
_SELECTORS = (
    ("google", {"cloud.google.com/gke-spot": "true"}),
    ("gcp", {"cloud.google.com/gke-spot": "true"}),
    ("amazon", {"eks.amazonaws.com/capacityType": "SPOT"}),
    ("aws", {"eks.amazonaws.com/capacityType": "SPOT"}),
    ("microsoft", {"kubernetes.azure.com/scalesetpriority": "spot"}),
    ("azure", {"kubernetes.azure.com/scalesetpriority": "spot"}),
)
"""Word of a provider's name -> the node label that its managed clusters give spot machines."""


@dataclass(frozen=True)
class SpotPrices:
    """Daily net unit prices of spot capacity, by meter (of `with_meters`) and currency."""

    by_meter: Mapping[tuple[str, str], np.ndarray]


def gpu_meter(sku_meter: str | None, consumed_unit: str | None = None) -> str | None:
    """The meters of `with_meters`, for `unit_prices`; None for any other."""
    return sku_meter if sku_meter and sku_meter.startswith(_PREFIX) else None


def with_meters(costs: pd.DataFrame) -> pd.DataFrame:
    """`costs` with `sku_meter` renamed where it is of a GPU, and `spot`.

    `costs`: columns of `fct_costs_daily` with charge_description, instance_type and gpu_count of
    `dim_skus`. A meter names the machine with GPUs, else the GPU's model, its unit and its region:
    within one of them a price on demand and one on spot are of the same thing.
    """
    keys = ["sku_meter", "charge_description", "instance_type", "gpu_count", "consumed_unit",
            "region_id"]  # fmt: skip
    given = costs.reindex(columns=keys).astype(object)
    given = given.mask(given.isna(), other=None)
    names = [_meter(*row) for row in given.itertuples(index=False, name=None)]
    texts = given["sku_meter"].fillna("") + " " + given["charge_description"].fillna("")
    return costs.assign(
        sku_meter=[new or old for new, old in zip(names, given["sku_meter"], strict=True)],
        spot=[bool(_SPOT.search(str(text))) for text in texts],
    )


def _meter(
    sku_meter: str | None,
    description: str | None,
    instance_type: str | None,
    gpus: float | None,
    unit: str | None,
    region: str | None,
) -> str | None:
    what = ""
    if instance_type and gpus and gpus > 0:
        what = instance_type
    elif re.search(r"gpu|nvidia|accelerator", f"{sku_meter} {description}", re.IGNORECASE):
        what = model_word(f"{sku_meter or ''} {description or ''}")
    return f"{_PREFIX}{what} {unit or ''} {region or ''}".lower() if what and unit else None


def spot_prices(costs: pd.DataFrame, as_of: date) -> SpotPrices:
    """Prices of the spot rows of usage up to `as_of` in `with_meters`' `costs`, whoever paid."""
    rows = costs.loc[
        costs["spot"].astype(bool)
        & (pd.to_datetime(costs["charge_date"]) <= pd.Timestamp(as_of))
        & (costs["charge_category"] == "Usage")
        & costs["sku_meter"].astype(str).str.startswith(_PREFIX)
    ]
    out = {}
    for key, group in rows.groupby(["sku_meter", "billing_currency"]):
        sums = group.groupby("charge_date")[["effective_cost", "consumed_quantity"]].sum(
            min_count=1
        )
        sums = sums.astype(float)
        sums = sums.loc[(sums["consumed_quantity"] > 0) & (sums["effective_cost"] > 0)]
        if len(sums) >= MIN_PRICE_DAYS:
            found = (sums["effective_cost"] / sums["consumed_quantity"]).to_numpy()
            out[str(key[0]), str(key[1])] = found
    return SpotPrices(out)


def gpu_spot(
    ground: Ground,
    prices: pd.DataFrame,
    kept: Mapping[str, Checkpoints],
    spots: SpotPrices,
    providers: Mapping[str, str],
    interruptions_per_day: float = INTERRUPTIONS_PER_DAY,
) -> FindResult:
    """GPU_SPOT of training workloads that ran on GPUs on demand on a week's days.

    `prices`: `unit_prices` of charges that are not spot, by `gpu_meter`. `providers`: who bills a
    resource. Work that an interruption loses is half an interval between checkpoints, paid
    again at the spot price.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    untold = []
    known = prices.loc[pd.to_datetime(prices["day"]) <= pd.Timestamp(ground.as_of)]
    ground = replace(ground, prices=PriceBook(known))
    priced = {str(resource) for resource in known["resource"]}
    for resource in sorted(r for r in priced if r.partition("/")[0] in TRAINING_KINDS):
        meters = [
            m
            for m in ground.prices.meters(resource)
            if ground.prices.days(resource, m) >= ground.config.min_history_days
        ]
        if not meters:
            continue
        one = kept.get(resource)
        if one is None:
            untold.append(resource)
            continue
        judged = _judged(ground, resource, meters, one, spots, providers, interruptions_per_day)
        take(judged, findings, abstained)
    if untold:
        reason = (
            f"{len(untold)} workloads train on GPUs on demand, and neither they nor their runs say "
            f"whether they keep checkpoints: {', '.join(untold[:3])}"
        )
        abstained.append(Abstained(subject="training on spot machines", reason=reason))
    return FindResult(findings=findings, abstained=abstained)


def _judged(
    ground: Ground,
    resource: str,
    meters: list[str],
    kept: Checkpoints,
    spots: SpotPrices,
    providers: Mapping[str, str],
    per_day: float,
) -> Finding | Abstained | None:
    if kept.hours is None:
        reason = "keeps checkpoints, but how often is not known, so neither is what is lost"
        return Abstained(subject=resource, reason=reason)
    why = next((w for m in meters if (w := ground.prices.why_not(resource, m))), "")
    if why:
        return Abstained(subject=resource, reason=why)
    lost = -math.log1p(-per_day) / 24 * kept.hours / 2
    parts, ratios = [], []
    for meter in meters:
        zero = pd.Series([0.0], index=pd.DatetimeIndex([pd.Timestamp(ground.as_of)]))
        price = ground.prices.saving(resource, meter, zero)[1]
        cost = ground.prices.cost_per_month(resource, (meter,))
        assert cost is not None, "why_not was asked"
        seen = spots.by_meter.get((meter, cost.currency))
        if seen is None:
            reason = f"no spot price of {meter.removeprefix(_PREFIX)} is seen in the bill"
            return Abstained(subject=resource, reason=reason)
        if price <= 0:
            return None
        share = ground.prices.days(resource, meter) / ground.window.days
        against = seen * (1 + lost) / float(price)
        parts.append((times(cost, min(1.0, share)), against))
        ratios.append(float(seen.mean()) / float(price))
    if len({cost.currency for cost, _ in parts}) > 1:
        return Abstained(subject=resource, reason="its GPUs are billed in more than one currency")
    saving = _saving(parts)
    if saving.mid <= 0:
        return None
    return _finding(ground, resource, saving, kept, lost, max(ratios), meters, providers)


def _saving(parts: list[tuple[MoneyRange, np.ndarray]]) -> MoneyRange:
    """At the mean spot price seen; from the dearest day's to the cheapest day's."""
    whole = []
    for cost, ratios in parts:
        mid = times(cost, 1 - float(ratios.mean()))
        low = times(cost, 1 - float(ratios.max()))
        high = times(cost, 1 - float(ratios.min()))
        whole.append((min(low.low, mid.low), mid.mid, max(high.high, mid.high)))
    low_, mid_, high_ = (sum(ends, Decimal(0)) for ends in zip(*whole, strict=True))
    return MoneyRange(low=low_, mid=mid_, high=high_, currency=parts[0][0].currency)


def _finding(
    ground: Ground,
    resource: str,
    saving: MoneyRange,
    kept: Checkpoints,
    lost: float,
    ratio: float,
    meters: list[str],
    providers: Mapping[str, str],
) -> Finding:
    assert kept.hours is not None, "asked before"
    days = max(ground.prices.days(resource, m) for m in meters)
    finding = ground.finding(
        FindingKind.GPU_SPOT,
        resource,
        value=None,
        proposed="",
        saving=saving,
        carbon=NO_CARBON,
        risk=min(1.0, lost),
        confidence=days / ground.window.days,
        samples=days,
        figures={
            "spot_price_of_on_demand": ratio,
            "checkpoint_hours": kept.hours,
            "work_lost_share": lost,
            "days_billed": float(days),
        },
        reason=f"It trains on GPUs on demand and keeps a checkpoint every {kept.hours:.2g} hours "
        f"({kept.told_by}); spot machines of its kind cost {ratio:.0%} of that in this bill, and "
        f"interruptions lose {lost:.1%} of the work.",
        rule="spot rule",
    )
    name = providers.get(resource, "").lower()
    label = next((labels for word, labels in _SELECTORS if word in name), None)
    text = "" if label is None else str(yaml.safe_dump({"nodeSelector": label}, sort_keys=False))
    wrong_if = "it must end at a set time, or does not start again from its last checkpoint"
    return finding.model_copy(update={"suggestion": text, "wrong_if": wrong_if})
