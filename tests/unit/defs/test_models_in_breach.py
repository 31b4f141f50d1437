"""What is read of a day's gates: a model that cannot be judged leaves its pull requests alone."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

from finops_dagster.defs.insight.waste.models import models
from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.settings.models import DeclaredValue, ModelSettings, RemedySettings, Task

MODEL = ModelSettings(
    name="credit",
    task=Task.CLASSIFICATION,
    owner="fraud",
    features=("a",),
    workload="Deployment/fraud/scorer",
    remedies=RemedySettings(
        retrain=DeclaredValue(resource="ConfigMap/fraud/training", field="data.until")
    ),
)


def found(*gates: GateResult) -> Any:
    day = SimpleNamespace(items=lambda name, of: list(gates))
    estate = SimpleNamespace(
        day=lambda as_of: day, index=lambda as_of: None, settings=SimpleNamespace(models=[MODEL])
    )
    return models(cast(Any, estate), cast(Any, None), date(2026, 10, 22))


def test_one_that_cannot_be_judged_is_told_of_each_resource() -> None:
    """Harm: a log that is a day late closes the pull request that mends the model."""
    late = GateResult(gate="credit", result="warn", reasons=("no prediction log is published",))
    why = "credit could not be judged: no prediction log is published"
    assert found(late).abstained == [
        Abstained(subject="Deployment/fraud/scorer", reason=why),
        Abstained(subject="ConfigMap/fraud/training", reason=why),
    ]
    assert found().abstained[0].reason == "credit could not be judged: it has no gate"


def test_one_that_passes_is_silent() -> None:
    """Harm: a healthy model gets a finding, or a reason, every day."""
    told = found(GateResult(gate="credit", result="pass", reasons=()))
    assert (told.findings, told.abstained) == ([], [])
