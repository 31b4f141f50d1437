"""Everything judged of one monitored model, in one call: windows, checks, gate and pages.

The order of things only; each judgement is made in its own module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.domain.models import Breach, Check
from finops_dagster.responsible_ai.drift.breaches import breaches_of as drift_breaches
from finops_dagster.responsible_ai.drift.reference import reference_choice
from finops_dagster.responsible_ai.drift.report import judge_model_drift
from finops_dagster.responsible_ai.drift.results import DriftReport, Stake
from finops_dagster.responsible_ai.energy.breaches import breaches_of as energy_breaches
from finops_dagster.responsible_ai.energy.results import ModelEnergy
from finops_dagster.responsible_ai.fairness.mitigation import with_mitigations
from finops_dagster.responsible_ai.gate import GateLimits, Said, gate, not_judged
from finops_dagster.responsible_ai.logs import judge_log
from finops_dagster.responsible_ai.outcomes import Outcomes, judge_outcomes
from finops_dagster.responsible_ai.page import write_model_page
from finops_dagster.responsible_ai.performance.breaches import breaches_of as quality_breaches
from finops_dagster.responsible_ai.performance.late import estimate_quality
from finops_dagster.responsible_ai.performance.results import EstimatedQuality, SegmentQuality
from finops_dagster.responsible_ai.performance.segments import judge_segments
from finops_dagster.responsible_ai.results import (
    DriftOptions,
    DriftResult,
    FairnessResult,
    PerformanceResult,
)
from finops_dagster.responsible_ai.spec import ModelSpec, Pair, labelled_windows, windows_of
from finops_dagster.responsible_ai.versions import VersionJudgement, judge_versions
from finops_dagster.responsible_ai.windows import joinable_labels


@dataclass(frozen=True)
class ModelJudgement:
    """One model judged for one day. A part that could not be judged says why."""

    model: str
    as_of: date
    gate: GateResult
    drift: DriftReport | Abstained
    fairness: FairnessResult | Abstained
    performance: PerformanceResult | Abstained
    estimated: EstimatedQuality | Abstained | None
    """Quality of answers whose labels are not here; None where they are."""
    segments: SegmentQuality | Abstained | None
    """Quality by segment; None where its owner names none."""
    energy: ModelEnergy | Abstained | None
    versions: tuple[VersionJudgement, ...]
    page: Path
    """The page for people; it links Evidently's report where there is one."""
    evidently: Path | None

    @property
    def judged(self) -> tuple[Check, ...]:
        """Checks that could be made, in breach or not."""
        drift = self.drift
        kinds = drift.kinds if isinstance(drift, DriftReport) else (drift, drift, drift, drift)
        made = (
            (Check.DATA_DRIFT, kinds[0]),
            (Check.PREDICTION_DRIFT, kinds[1]),
            (Check.CONCEPT_DRIFT, kinds[3]),
            (Check.FAIRNESS, self.fairness),
            (Check.QUALITY, self.performance),
            (Check.ESTIMATED_QUALITY, self.estimated),
            (Check.ENERGY, self.energy),
        )
        known = (check for check, part in made if not isinstance(part, Abstained | None))
        return (*known, Check.LOGGING)

    @property
    def abstained(self) -> tuple[Abstained, ...]:
        """Everything that could not be judged, and why."""
        parts = (
            self.drift, self.fairness, self.performance, self.estimated, self.segments, self.energy,
        )  # fmt: skip
        whole = [one for one in parts if isinstance(one, Abstained)]
        if isinstance(self.drift, DriftReport):
            whole += [one for one in self.drift.kinds if isinstance(one, Abstained)]
        for part in parts:
            if isinstance(part, DriftReport | FairnessResult | SegmentQuality | ModelEnergy):
                whole += part.abstained
        return tuple(dict.fromkeys(whole))


def judge_model(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    spec: ModelSpec,
    *,
    as_of: date,
    seed: int,
    folder: Path,
    options: DriftOptions | None = None,
    limits: GateLimits | None = None,
    stake: Stake | None = None,
    energy: ModelEnergy | Abstained | None = None,
    register: str = "",
) -> ModelJudgement:
    """Judge `spec` for `as_of` and write `model.html` and `drift.html` into `folder`.

    Frames are rows of fct_model_predictions and fct_model_labels, of any models and of the days of
    `spec.spans`, so that labels which arrive late can be waited for. Drift and quality compare the
    analysis window with the reference window. Where labels arrive late, quality and error rates
    are of the newest window that has them, and quality until then is estimated. `energy` is what
    was told of the model's energy, by those who know its machines; `register` is the link from
    its page to the register.
    """
    options, limits = options or DriftOptions(), limits or GateLimits()
    logged = judge_log(
        predictions,
        labels,
        model=spec.name,
        as_of=as_of,
        analysis_days=spec.analysis_days,
        looked_at=spec.days,
    )
    labels, told = joinable_labels(predictions, labels, spec.name)
    versions = judge_versions(
        predictions,
        labels,
        spec,
        as_of=as_of,
        seed=seed,
        limits=limits,
        smallest_group=options.smallest_group,
    )
    used = energy_breaches(energy)
    windows = windows_of(predictions, labels, spec, as_of)
    if isinstance(windows, Abstained):
        judged = gate(spec.name, windows, limits=limits, others=(*logged, *used))
        page = write_model_page(
            folder / "model.html",
            spec.name,
            judged,
            drift=windows,
            fairness=windows,
            performance=windows,
            energy=energy,
            versions=versions,
            register=register,
        )
        return ModelJudgement(
            spec.name, as_of, judged, windows, windows, windows, None, None, energy, versions,
            page, None,
        )  # fmt: skip
    labelled = labelled_windows(predictions, labels, spec, as_of)
    report = folder / "drift.html"
    reference, analysis = windows
    drift = judge_model_drift(
        reference,
        analysis,
        labelled,
        task=spec.task,
        chosen=reference_choice(
            reference,
            asked_days=spec.reference_days,
            fixed=None if spec.reference is None else spec.reference.reason,
        ),
        segments=spec.segments,
        seed=seed,
        options=options,
        html=report,
    )
    outcomes = judge_outcomes(
        spec, windows, labelled, seed=seed, smallest_group=options.smallest_group
    )
    outcomes = replace(
        outcomes,
        fairness=with_mitigations(
            outcomes.fairness,
            labelled,
            limits,
            seed=seed,
            smallest_group=options.smallest_group,
            error_cost=_error_cost(stake),
        ),
    )
    estimated = estimate_quality(
        predictions,
        labels,
        model=spec.name,
        task=spec.task,
        features=spec.features,
        as_of=as_of,
        reference_days=spec.reference_days,
        analysis_days=spec.analysis_days,
        seed=seed,
        concept_drift=_concept_drift(drift),
    )
    segments = _segments(spec, labelled, options.smallest_group)
    judged = gate(
        spec.name,
        fairness=outcomes.fairness,
        performance=outcomes.performance,
        limits=limits,
        others=(
            *_drifted(drift, stake, outcomes),
            *_quality(estimated, segments, limits, outcomes),
            *used,
            *logged,
        ),
        answers=outcomes.answers,
        labelled=outcomes.labelled,
    )
    evidently = report if isinstance(drift, DriftReport) else None
    page = write_model_page(
        folder / "model.html",
        spec.name,
        judged,
        drift=drift,
        fairness=outcomes.fairness,
        performance=outcomes.performance,
        estimated=estimated,
        segments=segments,
        energy=energy,
        versions=versions,
        evidently=None if evidently is None else evidently.name,
        register=register,
        windows="; ".join((*_described(windows, labelled), *told)),
    )
    return ModelJudgement(
        spec.name, as_of, judged, drift, outcomes.fairness, outcomes.performance, estimated,
        segments, energy, versions, page, evidently,
    )  # fmt: skip


def _error_cost(stake: Stake | None) -> tuple[Decimal, str] | None:
    return None if stake is None or stake.amount is None else (stake.amount, stake.currency)


def _drifted(
    drift: DriftReport | Abstained, stake: Stake | None, outcomes: Outcomes
) -> Iterator[Said]:
    if isinstance(drift, Abstained):
        yield not_judged("drift", drift)
        return
    yield from drift_breaches(drift, stake=stake, version=outcomes.answers.version)
    for part in (drift.data, drift.prediction):
        if isinstance(part, Abstained):
            yield not_judged("drift", part)
    for refused in drift.abstained:
        yield not_judged(f"drift of {refused.subject}", refused)


def _concept_drift(drift: DriftReport | Abstained) -> str:
    """What was found of concept drift, in words; empty where none was."""
    if isinstance(drift, DriftReport) and isinstance(drift.concept, DriftResult):
        return "; ".join(drift.concept.reasons)
    return ""


def _segments(
    spec: ModelSpec, labelled: Pair | Abstained, smallest_group: int
) -> SegmentQuality | Abstained | None:
    if not spec.segments:
        return None
    if isinstance(labelled, Abstained):
        return labelled
    return judge_segments(
        spec.name,
        *labelled,
        segments=spec.segments,
        task=spec.task,
        smallest_group=smallest_group,
    )


def _quality(
    estimated: EstimatedQuality | Abstained | None,
    segments: SegmentQuality | Abstained | None,
    limits: GateLimits,
    outcomes: Outcomes,
) -> list[Breach]:
    return quality_breaches(
        None,
        estimated,
        segments,
        accuracy_drop=limits.accuracy_drop,
        error_growth=limits.error_growth,
        version=outcomes.answers.version,
        since=outcomes.labelled.since,
    )


def _described(windows: Pair, labelled: Pair | Abstained) -> tuple[str, ...]:
    """Which days are compared with which, as clauses."""
    told = [_span(windows)]
    if not isinstance(labelled, Abstained) and labelled[1].last != windows[1].last:
        told.append(f"errors, as labels arrive late: {_span(labelled)}")
    return tuple(told)


def _span(pair: Pair) -> str:
    reference, analysis = pair
    return (
        f"{analysis.first} to {analysis.last} ({analysis.rows:,} answers) against "
        f"{reference.first} to {reference.last} ({reference.rows:,} answers)"
    )
