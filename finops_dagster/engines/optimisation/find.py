"""Finding waste: the judges in turn, each on what the one before left over.

The rules themselves live in the modules that this one calls.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.carbon import CarbonBook
from finops_dagster.engines.optimisation.ground import Ground, declared_amounts
from finops_dagster.engines.optimisation.history import busiest, older_peaks
from finops_dagster.engines.optimisation.idle import activities, idle
from finops_dagster.engines.optimisation.inputs import Context, FindResult, SizingConfig
from finops_dagster.engines.optimisation.off_hours import off_hours
from finops_dagster.engines.optimisation.prices import PriceBook
from finops_dagster.engines.optimisation.profiles import evidence
from finops_dagster.engines.optimisation.scaling import scheduled_scaling
from finops_dagster.engines.optimisation.sizing import size
from finops_dagster.engines.optimisation.undeclared import undeclared, unmeasured
from finops_dagster.engines.optimisation.volumes import unused_volumes

_CUTS = (FindingKind.RIGHTSIZE_CPU, FindingKind.RIGHTSIZE_MEMORY)
_OF_CPU = (FindingKind.RIGHTSIZE_CPU, FindingKind.UNDERPROVISIONED_CPU)


def find(
    measurements: pd.DataFrame,
    prices: pd.DataFrame,
    context: Context,
    as_of: date,
    config: SizingConfig | None = None,
    daily: pd.DataFrame | None = None,
) -> FindResult:
    """Findings and abstentions for `as_of`, from what was measured up to and including it.

    `measurements`: columns of `fct_workload_measurements`. `prices`: what `unit_prices` returns.
    Rows after `as_of` are not looked at. A workload that is right as it is yields neither a
    finding nor an abstention. `daily`: rows of `fct_workload_utilisation_daily` of the two months
    before the window, if there are any; a peak there (month's end) forbids a cut below it. Every
    saving is at the net unit price really paid in the window.
    """
    config = config or SizingConfig()
    owners = context.owners[["resource", "owner", "environment"]]
    ground = Ground(
        as_of=as_of,
        config=config,
        window=evidence(measurements, as_of, config.history_days),
        prices=PriceBook(prices.loc[pd.to_datetime(prices["day"]) <= pd.Timestamp(as_of)]),
        carbon=CarbonBook(context),
        owners={
            str(resource): (_word(owner), _word(environment) or "unknown")
            for resource, owner, environment in owners.itertuples(index=False, name=None)
        },
        declared=declared_amounts(context),
        resources=context.resources,
        managed=context.managed,
        undeclared=context.undeclared,
        unsure=context.unsure,
        scaling=context.scaling,
    )
    findings: list[Finding] = []
    abstained: list[Abstained] = []

    peaks = older_peaks(daily, ground.window)
    used = activities(ground)
    for use in used:
        _take(idle(ground, use, busiest(peaks, use.resource)), findings, abstained)
        _take(undeclared(ground, use), findings, abstained)
    stopped = frozenset(f.resource for f in findings)
    # one that only looks idle is not sized either: its use tells nothing yet
    unsure = frozenset(a.subject for a in abstained)

    sized, unsized = size(ground, stopped | unsure, peaks)
    findings += sized
    abstained += unsized
    resized = frozenset(f.resource for f in sized if f.kind in _OF_CPU)
    for use in used:
        if use.resource in stopped | unsure:
            continue
        saved = _saved(sized, use.resource)
        asleep = off_hours(ground, use, saved)
        _take(asleep, findings, abstained)
        # one schedule at a time, and none by a request that is about to change
        if asleep is None and use.resource not in resized:
            _take(scheduled_scaling(ground, use, saved), findings, abstained)

    volumes, unjudged = unused_volumes(ground)
    findings += volumes
    abstained += unjudged
    clustered = ground.window.clustered
    abstained += [
        Abstained(
            subject=resource,
            reason=f"measured in clusters {names} under one name: which is declared is not known",
        )
        for resource, names in clustered.items()
    ]
    abstained += unmeasured(ground, frozenset(u.resource for u in used) | set(clustered))
    scaled = {scaler.resource: name for name, scaler in ground.scaling.scalers.items()}
    counted = {scaled.get(f.resource, f.resource) for f in findings if f.kind in _COUNTED}
    for resource in sorted(counted):
        abstained += ground.no_carbon(resource)
    findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    return FindResult(findings=findings, abstained=abstained)


_COUNTED = frozenset(FindingKind) - {FindingKind.UNUSED_VOLUME, FindingKind.UNDECLARED_WORKLOAD}
"""Kinds whose carbon is counted where a grid intensity is known."""


def _take(
    judged: Finding | Abstained | None, findings: list[Finding], abstained: list[Abstained]
) -> None:
    if isinstance(judged, Finding):
        findings.append(judged)
    elif judged is not None:
        abstained.append(judged)


def _saved(sized: list[Finding], resource: str) -> MoneyRange | None:
    """What cuts of the resource's requests already save, in one currency."""
    savings = [f.saving_per_month for f in sized if f.resource == resource and f.kind in _CUTS]
    if not savings or len({s.currency for s in savings}) > 1:
        return None
    return MoneyRange(
        low=sum((s.low for s in savings[1:]), savings[0].low),
        mid=sum((s.mid for s in savings[1:]), savings[0].mid),
        high=sum((s.high for s in savings[1:]), savings[0].high),
        currency=savings[0].currency,
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
