"""One model's page: gate, drift, fairness and quality, readable without a network.

Words and layout of results made elsewhere; Evidently's own report is linked beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.drift.picture import pictures_of
from finops_dagster.responsible_ai.drift.results import DriftReport
from finops_dagster.responsible_ai.energy.results import ModelEnergy
from finops_dagster.responsible_ai.html import write_page
from finops_dagster.responsible_ai.performance.picture import estimate_picture
from finops_dagster.responsible_ai.performance.results import (
    EstimatedQuality,
    EstimateRecord,
    SegmentQuality,
)
from finops_dagster.responsible_ai.results import FairnessResult, PerformanceResult
from finops_dagster.responsible_ai.versions import VersionJudgement


def write_model_page(
    path: Path,
    model: str,
    gate: GateResult,
    *,
    drift: DriftReport | Abstained | None = None,
    fairness: FairnessResult | Abstained | None = None,
    performance: PerformanceResult | Abstained | None = None,
    estimated: EstimatedQuality | Abstained | None = None,
    segments: SegmentQuality | Abstained | None = None,
    energy: ModelEnergy | Abstained | None = None,
    versions: Sequence[VersionJudgement] = (),
    evidently: str | None = None,
    windows: str = "",
    register: str = "",
) -> Path:
    """Write the page; returns `path`.

    `evidently` is the relative link to its report, `register` to the register; empty is none.
    """
    return write_page(
        path,
        "model.html",
        model=model,
        gate=gate,
        drift=drift,
        drift_pictures=pictures_of(drift) if isinstance(drift, DriftReport) else (),
        fairness=fairness,
        performance=performance,
        estimated=estimated,
        segments=segments,
        energy=energy,
        versions=versions,
        evidently=evidently,
        windows=windows,
        register=register,
        estimate_picture=estimate_picture(estimated.record)
        if isinstance(estimated, EstimatedQuality) and isinstance(estimated.record, EstimateRecord)
        else None,
    )
