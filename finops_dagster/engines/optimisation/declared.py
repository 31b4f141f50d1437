"""From a desired-state index to the values that sizing may name, and who else sets them.

Reading Git and YAML is not done here: the index comes in as domain types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource, ValueLocation
from finops_dagster.engines.optimisation.scalers import scale_target

VALUE_COLUMNS = ("resource", "field", "container", "current")
REPLICA_FIELDS = ("spec.replicas", "spec.predictor.minReplicas")
"""Deployment, StatefulSet and the like; KServe InferenceService (0 = scale to zero)."""

_RESOURCE = re.compile(
    r"^(?P<owner>.*?)(?:\[(?:name=(?P<name>[^\]]+)|(?P<position>\d+))\])?"
    r"\.resources\.(?:requests|limits)\.(?:cpu|memory)$"
)
_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler")


def declared_values(
    resources: Mapping[str, DeclaredResource], locations: Iterable[ValueLocation]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """VALUE_COLUMNS of every request, limit and replica count, and the resources scaled by others.

    `container` is empty for replica counts. The second value maps a resource to the autoscaler that
    names it as its target.
    """
    manifests = {name: json.loads(item.manifest) for name, item in resources.items()}
    rows = []
    for location in locations:
        if location.field in REPLICA_FIELDS:
            rows.append((location.resource, location.field, "", location.value))
            continue
        match = _RESOURCE.match(location.field)
        if match is None or ".initContainers" in location.field:
            continue
        name = match["name"]
        if name is None:
            name = _name_at(manifests.get(location.resource), match["owner"], match["position"])
        rows.append((location.resource, location.field, name, location.value))
    managed = {}
    for name, manifest in manifests.items():
        if isinstance(manifest, dict) and manifest.get("kind") in _SCALERS:
            target = scale_target(manifest)
            if target is not None:
                managed[target] = name
    return pd.DataFrame(rows, columns=list(VALUE_COLUMNS)), managed


def _name_at(manifest: Any, owner: str, position: str | None) -> str:
    """Name of the container at a dotted path, or the path's last word where it has none."""
    node = manifest
    for part in owner.split("."):
        if not isinstance(node, dict):
            break
        node = node.get(part)
    if position is not None and isinstance(node, list) and int(position) < len(node):
        node = node[int(position)]
    if isinstance(node, dict) and isinstance(node.get("name"), str):
        return str(node["name"])
    return owner.rsplit(".", 1)[-1]
