"""Finding waste: the judges in turn, each on what the one before left over.

The rules themselves live in the modules that this one calls.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.engines.optimisation.fleet import School
from finops_dagster.engines.optimisation.ground import Declared, Ground, ground_of
from finops_dagster.engines.optimisation.history import busiest, older_peaks
from finops_dagster.engines.optimisation.idle import Activity, activities, idle
from finops_dagster.engines.optimisation.inputs import Context, FindResult, SizingConfig, take
from finops_dagster.engines.optimisation.off_hours import off_hours
from finops_dagster.engines.optimisation.parts import Measured, whole
from finops_dagster.engines.optimisation.prices import PRICE_COLUMNS, PriceBook
from finops_dagster.engines.optimisation.risk import MAX_WORKLOADS, FleetModel, digest
from finops_dagster.engines.optimisation.scaling import scheduled_scaling
from finops_dagster.engines.optimisation.sizing import Sizeable, sizeable
from finops_dagster.engines.optimisation.undeclared import undeclared, unmeasured
from finops_dagster.engines.optimisation.unfit import unfit
from finops_dagster.engines.optimisation.volumes import Volumes, together, unused_volumes
from finops_dagster.engines.optimisation.window import NO_ROWS, evidence

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
    """`find_in_parts` of an estate whose rows are all in memory.

    `measurements`: columns of `fct_workload_measurements`. `prices`: what `unit_prices` returns.
    """
    return find_in_parts(whole(measurements, prices), context, as_of, config, daily)


def find_in_parts(
    measured: Measured,
    context: Context,
    as_of: date,
    config: SizingConfig | None = None,
    daily: pd.DataFrame | None = None,
) -> FindResult:
    """Findings and abstentions for `as_of`, from what was measured up to and including it.

    Rows after `as_of` are not looked at. A workload that is right as it is yields neither a
    finding nor an abstention. `daily`: rows of `fct_workload_utilisation_daily` of the two months
    before the window, if there are any; a peak there (month's end) forbids a cut below it. Every
    saving is at the net unit price really paid in the window. One part is in memory at a time,
    and what is found does not depend on how the estate is cut. The fleet is learnt from
    MAX_WORKLOADS declared workloads at most, the same ones on every day; of an estate in several
    parts these are read first, by themselves.
    """
    estate = _Estate(measured, context, as_of, config or SizingConfig(), daily)
    parts = measured.parts(measured.rows)
    only = estate.looked_at(parts[0]) if len(parts) == 1 else None
    model = estate.learnt(only)
    judged = [estate.judged(only or estate.looked_at(names), model) for names in parts]

    ground = estate.ground
    findings = [one for part in judged for one in part.findings]
    abstained = [one for part in judged for one in part.abstained]
    volumes, unjudged = together([part.volumes for part in judged])
    findings += volumes
    abstained += unjudged
    abstained += unmeasured(ground, frozenset().union(*(part.measured for part in judged)))
    scaled = {scaler.resource: name for name, scaler in ground.scaling.scalers.items()}
    for resource in {scaled.get(f.resource, f.resource) for f in findings if f.kind in _COUNTED}:
        abstained += ground.no_carbon(resource)
    findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    abstained.sort(key=lambda a: (a.subject, a.reason))
    return FindResult(findings=findings, abstained=abstained)


@dataclass(frozen=True)
class _Looked:
    """A part of an estate before its sizes are known."""

    ground: Ground
    used: list[Activity]
    findings: list[Finding]
    abstained: list[Abstained]
    left: frozenset[str]
    """Resources that nothing more is said of."""
    measured: Set[str]
    sizeable: Sizeable


@dataclass(frozen=True)
class _Judged:
    """What was found in a part of an estate."""

    findings: list[Finding]
    abstained: list[Abstained]
    volumes: Volumes
    measured: Set[str]


class _Estate:
    """The judges in turn, on one part at a time; only what a whole estate needs is kept."""

    def __init__(
        self,
        measured: Measured,
        context: Context,
        as_of: date,
        config: SizingConfig,
        daily: pd.DataFrame | None,
    ) -> None:
        self._measured = measured
        unpriced = pd.DataFrame(columns=list(PRICE_COLUMNS))
        self.ground = ground_of(NO_ROWS, unpriced, context, as_of, config)
        self._declared: dict[str, dict[tuple[str, str, str], Declared]] = {}
        for key, value in self.ground.declared.items():
            self._declared.setdefault(key[0], {})[key] = value
        self._peaks = older_peaks(daily, self.ground.window)
        self._busiest = busiest(self._peaks)

    def looked_at(self, names: Sequence[str]) -> _Looked:
        """Judge whether these run for nothing, and see what of the rest can be sized."""
        part = self._measured.read(names)
        ground = self.ground
        until = pd.to_datetime(part.prices["day"]) <= pd.Timestamp(ground.as_of)
        ground = replace(
            ground,
            window=evidence(part.measurements, ground.as_of, ground.config.history_days),
            prices=PriceBook(part.prices.loc[until]),
            declared={
                key: value for name in names for key, value in self._declared.get(name, {}).items()
            },
        )
        findings: list[Finding] = []
        abstained: list[Abstained] = []
        measured = activities(ground)
        untold = unfit(ground, measured)
        abstained += [
            Abstained(subject=resource, reason=why)
            for resource, why in untold.items()
            if resource in ground.resources
        ]
        used = [use for use in measured if use.resource not in untold]
        for use in used:
            take(idle(ground, use, self._busiest.get(use.resource)), findings, abstained)
            take(undeclared(ground, use), findings, abstained)
        # one that only looks idle is not sized either: its use tells nothing yet
        left = frozenset(f.resource for f in findings) | {a.subject for a in abstained}
        left |= untold.keys()
        rows = ground.window.rows
        with_memory = rows["resource"].loc[rows["memory_working_set_bytes"].notna()].unique()
        seen = {use.resource for use in measured} | ground.window.clustered.keys()
        return _Looked(
            ground,
            used,
            findings,
            abstained,
            left,
            seen.union(with_memory.astype(str)),
            sizeable(ground, left),
        )

    def learnt(self, only: _Looked | None) -> FleetModel | Abstained:
        """What the fleet teaches: `only`, where that is all of it."""
        measured = self._measured
        names = sorted(measured.rows.keys() & self._declared.keys(), key=digest)[:MAX_WORKLOADS]
        school = School(self.ground.window, frozenset(names))
        if only is not None:
            school.show(only.sizeable.demands)
        else:
            for part in measured.parts(names):
                school.show(self.looked_at(part).sizeable.demands)
        return school.learnt()

    def judged(self, looked: _Looked, model: FleetModel | Abstained) -> _Judged:
        """Judge all that is left of a part."""
        ground, used = looked.ground, looked.used
        sized, unsized = looked.sizeable.sized(model, self._peaks)
        findings = looked.findings + sized
        abstained = looked.abstained + unsized
        resized = frozenset(f.resource for f in sized if f.kind in _OF_CPU)
        for use in used:
            if use.resource in looked.left:
                continue
            saved = _saved(sized, use.resource)
            asleep = off_hours(ground, use, saved)
            take(asleep, findings, abstained)
            # one schedule at a time, and none by a request that is about to change
            if asleep is None and use.resource not in resized:
                take(scheduled_scaling(ground, use, saved), findings, abstained)
        clustered = ground.window.clustered
        abstained += [
            Abstained(
                subject=resource,
                reason=f"measured in clusters {names} under one name: which is declared is "
                "not known",
            )
            for resource, names in clustered.items()
        ]
        return _Judged(
            findings,
            abstained,
            unused_volumes(ground),
            looked.measured,
        )


_COUNTED = frozenset(FindingKind) - {FindingKind.UNUSED_VOLUME, FindingKind.UNDECLARED_WORKLOAD}
"""Kinds whose carbon is counted where a grid intensity is known."""


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
