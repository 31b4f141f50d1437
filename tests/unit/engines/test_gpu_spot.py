"""Training on spot machines: at prices of the same bill, and never of what serves."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from finops_dagster.domain.decisions import DeclaredResource, FindingKind
from finops_dagster.engines.optimisation import FindResult, SizingConfig, unit_prices
from finops_dagster.engines.optimisation.checkpoints import Checkpoints, checkpoints
from finops_dagster.engines.optimisation.gpu_spot import (
    gpu_meter,
    gpu_spot,
    spot_prices,
    with_meters,
)
from finops_dagster.engines.optimisation.ground import ground_of
from finops_dagster.engines.optimisation.prices import PRICE_COLUMNS
from tests.unit.engines.estates import AS_OF, context, measurements
from tests.unit.engines.test_underused_gpus import PAIR

TRAINER = "PyTorchJob/ml/trainer"
HOURLY = {TRAINER: Checkpoints(2.0, "its checkpoint-interval")}


def charges(
    resource: str | None = TRAINER,
    price: float = 3.0,
    days: int = 14,
    what: str = "Nvidia Tesla A100 GPU running in Iowa",
    **more: Any,
) -> pd.DataFrame:
    """10 GPU-hours on each of the last days at this price, with what the SKU is."""
    return pd.DataFrame(
        [
            {
                "charge_date": AS_OF - timedelta(days=offset), "charge_category": "Usage",
                "resource": resource, "billing_currency": "USD", "sku_meter": "GPU",
                "charge_description": what, "consumed_unit": "Hours", "region_id": "us-central1",
                "instance_type": None, "gpu_count": None, "consumed_quantity": 10.0,
                "effective_cost": 10 * price,
            }
            | more
            for offset in range(days)
        ]
    )  # fmt: skip


SPOT = charges(None, 1.2, what="Spot Preemptible Nvidia Tesla A100 GPU running in Iowa")


def judged(
    own: pd.DataFrame,
    bill: pd.DataFrame = SPOT,
    kept: dict[str, Checkpoints] | None = None,
    provider: str = "Google Cloud",
) -> FindResult:
    """What is found of training charged like this beside the rest of the bill."""
    ground = ground_of(
        measurements(PAIR),
        pd.DataFrame(columns=list(PRICE_COLUMNS)),
        context(PAIR),
        AS_OF,
        SizingConfig(),
    )
    told = with_meters(own)
    return gpu_spot(
        ground,
        unit_prices(told.loc[~told["spot"].astype(bool)], AS_OF, 14, gpu_meter),
        HOURLY if kept is None else kept,
        spot_prices(with_meters(pd.concat([own, bill], ignore_index=True)), AS_OF),
        {TRAINER: provider},
    )


def test_training_with_checkpoints_is_told_what_spot_saves_in_this_bill() -> None:
    """A list price of spot promises what this region and account never paid."""
    (finding,) = judged(charges()).findings
    assert finding.kind is FindingKind.GPU_SPOT
    # an interruption loses an hour; 15 % a day is a hazard of .0067716 an hour
    lost = -math.log(0.85) / 24 * 1
    # 10 GPU-hours a day at 3 USD, 365 / 12 days; spot at 1.2 and paid again for what is lost
    cost = 10 * 3 * 365 / 12
    assert float(finding.saving_per_month.mid) == pytest.approx(cost * (1 - 0.4 * (1 + lost)))
    assert finding.saving_per_month.low < finding.saving_per_month.mid
    assert finding.evidence.figures["spot_price_of_on_demand"] == pytest.approx(0.4)
    assert finding.evidence.figures["work_lost_share"] == pytest.approx(0.00677164, rel=1e-4)
    assert finding.field == finding.proposed == ""
    assert yaml.safe_load(finding.suggestion) == {
        "nodeSelector": {"cloud.google.com/gke-spot": "true"}
    }
    assert "last checkpoint" in finding.wrong_if


def test_machines_are_compared_with_machines_of_their_type() -> None:
    """The spot price of a smaller machine is none of this one's."""
    machine: dict[str, Any] = {"instance_type": "p3.2xlarge", "gpu_count": 1.0}
    own = charges(what="USD 3.06 per On Demand Linux", sku_meter="BoxUsage:p3.2xlarge", **machine)
    spot = charges(None, 1.0, sku_meter="SpotUsage:p3.2xlarge", what="", **machine)
    (finding,) = judged(own, spot, provider="AWS").findings
    assert finding.evidence.figures["spot_price_of_on_demand"] == pytest.approx(1 / 3, rel=1e-5)
    assert "eks.amazonaws.com/capacityType" in finding.suggestion
    other = spot.assign(instance_type="p3.8xlarge")
    assert "no spot price of p3.2xlarge" in judged(own, other).abstained[0].reason
    elsewhere = spot.assign(region_id="eu-west-1")
    assert "no spot price" in judged(own, elsewhere).abstained[0].reason
    euros = spot.assign(billing_currency="EUR")
    assert "no spot price" in judged(own, euros).abstained[0].reason


def test_what_serves_is_never_told_to_be_interrupted() -> None:
    """A spot machine that goes takes the service with it."""
    for kind in ("Deployment", "StatefulSet", "InferenceService"):
        name = f"{kind}/ml/trainer"
        result = judged(charges(name), kept={name: Checkpoints(1.0, "x")})
        assert result == FindResult([], [])


def test_what_is_not_known_is_said_once() -> None:
    """Training without checkpoints starts again from nothing."""
    (one,) = judged(charges(), kept={}).abstained
    assert "1 workloads train" in one.reason
    (one,) = judged(charges(), kept={TRAINER: Checkpoints(None, "its runs")}).abstained
    assert "how often is not known" in one.reason
    (one,) = judged(charges(), charges("Job/ml/other")).abstained
    assert one.reason == "no spot price of a100 hours us-central1 is seen in the bill"


def test_spot_already_dearer_or_seldom_is_silent() -> None:
    """What is on spot, or ran once, has nothing left to save."""
    own = charges(what="Spot Preemptible Nvidia Tesla A100 GPU running in Iowa")
    assert judged(own) == FindResult([], [])
    assert judged(charges(price=1.0)) == FindResult([], [])
    assert judged(charges(days=5)) == FindResult([], [])
    assert judged(charges().iloc[:0]) == FindResult([], [])


def test_half_the_days_cost_half_a_month() -> None:
    """A job of some days a fortnight does not cost a month of such days."""
    whole = judged(charges()).findings[0].saving_per_month.mid
    half = judged(charges(days=7)).findings[0].saving_per_month.mid
    assert float(half) == pytest.approx(float(whole) / 2)


def test_later_and_impossible_rows_change_nothing() -> None:
    """A past day decided again must not know what followed; a refund is no price."""
    later = charges().assign(charge_date=AS_OF + timedelta(days=1), effective_cost=900.0)
    refund = SPOT.head(1).assign(effective_cost=np.nan, consumed_quantity=-5.0, charge_date=AS_OF)
    mixed = pd.concat([later, charges()], ignore_index=True).sample(frac=1, random_state=2)
    bill = pd.concat([SPOT.iloc[1:], refund, later.assign(resource=None)])
    (found,) = judged(mixed, bill).findings
    assert found.saving_per_month.mid == judged(charges()).findings[0].saving_per_month.mid


def declared(name: str, annotations: dict[str, str], pod: dict[str, str]) -> DeclaredResource:
    """A declared workload with annotations of its own and of its pods."""
    content = {"spec": {"replicas": [{"template": {"metadata": {"annotations": pod}}}]}}
    return DeclaredResource(
        resource=name, api_version="v1", labels={}, annotations=annotations, file="a.yaml",
        document=0, manifest=json.dumps(content),
    )  # fmt: skip


def test_checkpoints_are_declared_or_shown_by_runs() -> None:
    """A trainer taken for one that keeps checkpoints loses days of work."""
    resources = {
        "Job/ml/a": declared("Job/ml/a", {"example.com/checkpoint-interval": "30m"}, {}),
        "Job/ml/b": declared("Job/ml/b", {}, {"ml/checkpoint-interval": "2h"}),
        "Job/ml/c": declared("Job/ml/c", {"checkpoint-interval": "soon"}, {}),
        "Deployment/ml/d": declared("Deployment/ml/d", {"checkpoint-interval": "1h"}, {}),
    }
    runs = pd.DataFrame(
        [
            ("Job/ml/e", "steps", "500", None, 0.5, None),
            ("Job/ml/e", "IntervalStrategy.STEPS", "1000", None, 0.5, None),
            ("Job/ml/f", "epoch", None, "3", None, 5400.0),
            ("Job/ml/g", "no", "500", "3", 0.5, 10.0),
            ("Job/ml/h", "steps", "500", None, float("nan"), None),
            ("Job/ml/i", "steps", "0.1", None, 0.5, 36000.0),
            ("Deployment/ml/j", "steps", "500", None, 0.5, None),
        ],
        columns=["resource", "save_strategy", "save_steps", "num_train_epochs",
                 "train_steps_per_second", "train_runtime"],
    )  # fmt: skip
    found = {name: one.hours for name, one in checkpoints(resources, runs).items()}
    assert found == {
        "Job/ml/a": 0.5,
        "Job/ml/b": 2.0,
        "Job/ml/e": pytest.approx(1000 / 0.5 / 3600),
        "Job/ml/f": 0.5,
        "Job/ml/h": None,
        "Job/ml/i": 1.0,
    }
    assert checkpoints({}, pd.DataFrame(columns=runs.columns)) == {}
