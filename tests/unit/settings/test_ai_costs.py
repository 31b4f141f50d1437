"""What serves a model and what its tokens are billed by, in finops.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, load

MINIMAL = "estate: acme\nbilling: [{name: cloud, path: bill.csv}]\n"
MODEL = "models: [{name: m, task: regression, owner: t, features: [x], workload: Job/ml/m}]\n"


def loaded(folder: Path, text: str) -> Settings:
    (folder / "bill.csv").write_text("BilledCost\n")
    path = folder / "finops.yaml"
    path.write_text(MINIMAL + text)
    return load(path)


def test_meters_and_workloads_are_told(tmp_path: Path) -> None:
    """A model whose meter is lost would be paid by nobody."""
    settings = loaded(
        tmp_path,
        MODEL + "language_models:\n"
        "  - {provider: p, model: a, meters: [{tokens: output, service: S, meter: '*out*'}]}\n"
        "  - {provider: p, model: b, workload: Deployment/ml/b}\n",
    )
    assert settings.models[0].workload == "Job/ml/m"
    (meter,) = settings.language_models[0].meters
    assert (meter.tokens, meter.service, meter.meter) == ("output", "S", "*out*")
    assert settings.language_models[1].workload == "Deployment/ml/b"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("language_models: [{provider: p, model: a, workload: Job/ml/m}]\n", "cannot share one"),
        (
            "language_models: [{provider: p, model: a, workload: Job/ml/n,"
            " meters: [{tokens: input, service: s, meter: m}]}]\n",
            "billed or on which",
        ),
        ("language_models: [{provider: p, model: a}, {provider: P, model: A}]\n", "must differ"),
        ("language_models: [{provider: p, model: a, workload: scorer}]\n", "pattern"),
        (
            "language_models: [{provider: p, model: a,"
            " meters: [{tokens: prompt, service: s, meter: m}]}]\n",
            "cached_input",
        ),
    ],
)
def test_a_cost_that_would_be_shared_twice_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Predictions and tokens have no common measure: one cost cannot be parted by both."""
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, MODEL + text)
    said = " ".join(str(fault) for fault in refused.value.faults)
    assert told in said, said
