"""What declared workloads ask for, in numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from finops_dagster.engines.optimisation.capacity import asked_for, summed


def workload(spec: dict[str, Any], *containers: dict[str, Any]) -> dict[str, Any]:
    pods = {"containers": [{"resources": one} for one in containers]}
    return {"kind": "Deployment", "spec": spec | {"template": {"spec": pods}}}


HALF = {"requests": {"cpu": "500m", "memory": "512Mi"}}
PREDICTOR = {"spec": {"predictor": {"minReplicas": 2, "model": {"resources": HALF}}}}
INIT = {"spec": {"template": {"spec": {"initContainers": [{"resources": HALF}]}}}}


@pytest.mark.parametrize(
    ("manifest", "cores", "gib", "gpus"),
    [
        (workload({"replicas": 3}, HALF, HALF), "3", "3", "0"),
        (workload({}, HALF), "0.5", "0.5", "0"),
        (workload({"replicas": 0}, HALF), "0", "0", "0"),
        (workload({"replicas": "many"}, HALF), "0.5", "0.5", "0"),
        (workload({}, {"limits": {"cpu": 2, "nvidia.com/gpu": "1"}}), "2", "0", "1"),
        (workload({}, {"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}), "1", "0", "0"),
        (workload({}, {"requests": {"cpu": "lots", "memory": None}}), "0", "0", "0"),
        (workload({}, {"requests": {"cpu": "-1"}}), "0", "0", "0"),
        (PREDICTOR, "1", "1", "0"),
        (INIT, "0", "0", "0"),
        ({"kind": "ConfigMap", "data": {"resources": "text"}}, "0", "0", "0"),
        (None, "0", "0", "0"),
    ],
)
def test_asked_for(manifest: Any, cores: str, gib: str, gpus: str) -> None:
    """Harm: half of a team is cut at once, and policy is told that it is little."""
    expected = {"cores": Decimal(cores), "GiB": Decimal(gib), "GPUs": Decimal(gpus)}
    assert asked_for(manifest) == expected


def test_summed() -> None:
    """Harm: what a team has is what its last workload has."""
    both = [asked_for(workload({"replicas": count}, HALF)) for count in (1, 2)]
    expected = {"cores": Decimal("1.5"), "GiB": Decimal("1.5"), "GPUs": Decimal(0)}
    assert summed(iter(both)) == expected
    assert summed(iter(())) == {"cores": 0, "GiB": 0, "GPUs": 0}
