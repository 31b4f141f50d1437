"""What declared autoscalers say, read from a desired-state index."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finops_dagster.domain.decisions import DeclaredResource, ValueLocation
from finops_dagster.engines.optimisation import declared_scaling, relations
from finops_dagster.engines.optimisation.scalers import Cron, Scaler, Text

TARGET = "Deployment/shop/web"
CRON = Cron("0 6 * * *", "0 20 * * *", "UTC")


def resource(name: str, manifest: Any) -> DeclaredResource:
    """One declared resource of this manifest."""
    return DeclaredResource(
        resource=name, api_version="v1", labels={}, annotations={}, file="a.yaml", document=0,
        manifest=json.dumps(manifest),
    )  # fmt: skip


def location(name: str, field: str, value: str) -> ValueLocation:
    """Where one value is written."""
    return ValueLocation(
        resource=name, field=field, value=value, file="a.yaml", document=0, start_byte=0,
        end_byte=len(value), editable=True, reason="",
    )  # fmt: skip


def scaler(kind: str, spec: dict[str, Any], *locations: ValueLocation) -> Scaler | None:
    """What is read of one autoscaler of the target."""
    name = f"{kind}/shop/own"
    manifest = {
        "kind": kind,
        "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, **spec},
    }
    found = declared_scaling({name: resource(name, manifest)}, locations)
    return found.scalers.get(TARGET)


def cpu(target: dict[str, Any]) -> dict[str, Any]:
    """A resource metric on CPU."""
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


UTILISATION = cpu({"type": "Utilization", "averageUtilization": 65})
HPA = "HorizontalPodAutoscaler"


def test_an_autoscaler_on_cpu_with_the_place_of_its_minimum() -> None:
    """A minimum without its place cannot be edited; one with another's breaks that one."""
    found = scaler(
        HPA,
        {"minReplicas": 3, "maxReplicas": 9, "metrics": [UTILISATION]},
        location(f"{HPA}/shop/own", "spec.minReplicas", "3"),
        location(f"{HPA}/shop/other", "spec.minReplicas", "7"),
    )
    assert found == Scaler(
        f"{HPA}/shop/own", 3, 9, 0.65, declared_minimum=Text("spec.minReplicas", "3")
    )


@pytest.mark.parametrize(
    ("spec", "target", "others"),
    [
        ({"maxReplicas": 4}, 0.8, ()),
        ({"maxReplicas": 4, "targetCPUUtilizationPercentage": 50}, 0.5, ()),
        ({"maxReplicas": 4, "metrics": [UTILISATION, {"type": "Pods"}]}, 0.65, ("Pods",)),
        ({"maxReplicas": 4, "metrics": [cpu({"averageValue": "500m"})]}, None, ("cpu",)),
    ],
)
def test_metrics_of_an_autoscaler(
    spec: dict[str, Any], target: float | None, others: tuple[str, ...]
) -> None:
    """One that follows a queue is not told by CPU: its minimum would be set by the wrong thing."""
    found = scaler(HPA, spec)
    assert found is not None
    assert (found.minimum, found.cpu_target, found.others) == (1, target, others)


def test_triggers_of_a_scaled_object() -> None:
    """A schedule that is there already must not be proposed again."""
    cron = {
        "type": "cron",
        "metadata": {"start": "0 6 * * *", "end": "0 20 * * *", "timezone": "UTC"},
    }
    by_cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}
    found = scaler("ScaledObject", {"triggers": [cron, by_cpu, {"type": "kafka"}]})
    assert found == Scaler("ScaledObject/shop/own", 0, 100, 0.6, (CRON,), ("kafka",))


@pytest.mark.parametrize("spec", [{}, {"maxReplicas": "many"}, {"maxReplicas": -1}])
def test_an_autoscaler_that_cannot_be_read_is_none(spec: dict[str, Any]) -> None:
    """Half a manifest is no ground for a change."""
    assert scaler(HPA, spec) is None


def test_two_scalers_of_one_workload_are_not_judged() -> None:
    """Which of two wins is not known: a change of one may do nothing, or everything."""
    one = {
        "kind": HPA,
        "metadata": {"namespace": "shop"},
        "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    names = (f"{HPA}/shop/a", f"{HPA}/shop/b")
    assert declared_scaling({name: resource(name, one) for name in names}, []).scalers == {}


def test_time_zones_of_workloads() -> None:
    """A zone that does not exist stops the scaler, and two zones are none."""
    env = [{"name": "TZ", "value": "Europe/Berlin"}]
    shown = {"spec": {"containers": [{"env": env}]}}
    both = {"spec": {"containers": [{"env": env}, {"env": [{"name": "TZ", "value": "UTC"}]}]}}
    strange = {"spec": {"containers": [{"env": [{"name": "TZ", "value": "../../etc/passwd"}]}]}}
    found = declared_scaling(
        {
            TARGET: resource(TARGET, shown),
            "Deployment/shop/both": resource("Deployment/shop/both", both),
            "Deployment/shop/strange": resource("Deployment/shop/strange", strange),
        },
        [],
    )
    assert found.zones == {TARGET: "Europe/Berlin"}


def test_a_change_of_an_autoscaler_is_paid_of_what_it_scales() -> None:
    """Counted on the autoscaler alone, its saving would be added to the workload's own."""
    name = f"{HPA}/shop/own"
    manifest = {
        "kind": HPA,
        "metadata": {"namespace": "shop"},
        "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    assert relations({name: resource(name, manifest)}).within(name) == {name, TARGET}
