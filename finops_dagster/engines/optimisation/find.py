"""Finding waste: the judges in turn, each on what the one before left over.

The rules themselves live in the modules that this one calls.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.ground import ground_of
from finops_dagster.engines.optimisation.history import busiest, older_peaks
from finops_dagster.engines.optimisation.idle import activities, idle
from finops_dagster.engines.optimisation.inputs import Context, FindResult, SizingConfig
from finops_dagster.engines.optimisation.off_hours import off_hours
from finops_dagster.engines.optimisation.sizing import size
from finops_dagster.engines.optimisation.undeclared import undeclared, unmeasured
from finops_dagster.engines.optimisation.volumes import unused_volumes

_CUTS = (FindingKind.RIGHTSIZE_CPU, FindingKind.RIGHTSIZE_MEMORY)


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
    ground = ground_of(measurements, prices, context, as_of, config)
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
    for use in used:
        if use.resource not in stopped | unsure:
            _take(off_hours(ground, use, _saved(sized, use.resource)), findings, abstained)

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
    for resource in sorted({f.resource for f in findings if f.kind in _COUNTED}):
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
