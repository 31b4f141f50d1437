"""One model's page: gate, drift, fairness and quality, readable without a network.

Words and layout of results made elsewhere; Evidently's own report is linked beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.drift.results import DriftReport
from finops_dagster.responsible_ai.energy.results import ModelEnergy
from finops_dagster.responsible_ai.html import write_page
from finops_dagster.responsible_ai.performance.picture import estimate_picture
from finops_dagster.responsible_ai.performance.results import (
    EstimatedQuality,
    EstimateRecord,
    SegmentQuality,
)
from finops_dagster.responsible_ai.results import (
    FairnessResult,
    Interval,
    PerformanceResult,
)
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
) -> Path:
    """Write the page; `evidently` is the relative link to its report. Returns `path`."""
    return write_page(
        path,
        "model.html",
        model=model,
        gate=gate,
        drift=drift,
        fairness=fairness,
        performance=performance,
        estimated=estimated,
        segments=segments,
        energy=energy,
        versions=versions,
        evidently=evidently,
        windows=windows,
        comparisons=_comparisons(fairness),
        estimate_picture=estimate_picture(estimated.record)
        if isinstance(estimated, EstimatedQuality) and isinstance(estimated.record, EstimateRecord)
        else None,
    )


def _comparisons(
    fairness: FairnessResult | Abstained | None,
) -> dict[str, list[tuple[str, Interval | None]]]:
    if not isinstance(fairness, FairnessResult):
        return {}
    if fairness.task == "regression":
        return {one.attribute: [("highest error over lowest", one.error_ratio)]
                for one in fairness.attributes}  # fmt: skip
    return {
        one.attribute: [
            ("lowest selected over highest", one.demographic_parity_ratio),
            ("selected differs by", one.demographic_parity_difference),
            ("true positives by", one.true_positive_rate_difference),
            ("false positives by", one.false_positive_rate_difference),
            ("accuracy by", one.accuracy_difference),
        ]
        for one in fairness.attributes
    }
