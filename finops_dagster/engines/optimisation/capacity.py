"""What declared workloads ask for: cores, memory and GPUs of all their replicas, as numbers.

What they use, and what is right, is judged elsewhere; what autoscalers add is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation.gpu_declared import GPU_RESOURCE
from finops_dagster.engines.optimisation.quantities import GIB

MEASURES: Mapping[str, tuple[str, int]] = {
    "cores": ("cpu", 1),
    "GiB": ("memory", GIB),
    "GPUs": (GPU_RESOURCE, 1),
}
"""Name -> key of requests and limits, and what one of it is there."""
_NOTHING = {measure: Decimal(0) for measure in MEASURES}


def asked_for(manifest: Any) -> dict[str, Decimal]:
    """Cores, GiB and GPUs that a manifest's containers ask for, times its replicas.

    A limit stands in for a request that is missing, as in Kubernetes. Where the replicas are not
    declared there is one; what is no quantity counts as nothing.
    """
    replicas = _replicas(manifest)
    total = dict(_NOTHING)
    for resources in _resources(manifest):
        for measure, (key, unit) in MEASURES.items():
            total[measure] += replicas * _amount(resources, key) / unit
    return total


def summed(amounts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Several amounts as one."""
    total = dict(_NOTHING)
    for one in amounts:
        for measure in MEASURES:
            total[measure] += one[measure]
    return total


def _replicas(manifest: Any) -> Decimal:
    spec = _mapping(_mapping(manifest).get("spec"))
    declared = spec.get("replicas", _mapping(spec.get("predictor")).get("minReplicas", 1))
    whole = isinstance(declared, int) and not isinstance(declared, bool) and declared >= 0
    return Decimal(declared) if whole else Decimal(1)


def _resources(node: Any) -> Iterator[Mapping[str, Any]]:
    """Requests and limits of every container, wherever the kind keeps it, but of no init one."""
    if isinstance(node, dict):
        if isinstance(node.get("resources"), dict):
            yield node["resources"]
        for key, value in node.items():
            if key not in ("resources", "initContainers"):
                yield from _resources(value)
    elif isinstance(node, list):
        for value in node:
            yield from _resources(value)


def _amount(resources: Mapping[str, Any], key: str) -> Decimal:
    for kind in ("requests", "limits"):
        text = _mapping(resources.get(kind)).get(key)
        if text is not None:
            try:
                return max(parse_quantity(str(text)), Decimal(0))
            except ValueError:
                return Decimal(0)
    return Decimal(0)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
