"""What declared autoscalers and schedules say of the workloads that they scale.

Whether they say the right thing is judged elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from finops_dagster.domain.decisions import DeclaredResource, ValueLocation

HPA, SCALED_OBJECT = "HorizontalPodAutoscaler", "ScaledObject"
DEFAULT_CPU_TARGET = 0.8
"""Of an autoscaler that names no metric (Kubernetes API reference, autoscaling/v2)."""
_KEDA_MAXIMUM = 100
"""KEDA's default of `maxReplicaCount`; that of `minReplicaCount` is 0."""


@dataclass(frozen=True)
class Text:
    """A declared value that one edit can change: where it is written, and what."""

    field: str
    text: str


@dataclass(frozen=True)
class Cron:
    """A cron trigger, as it is written."""

    start: str
    end: str
    zone: str


@dataclass(frozen=True)
class Scaler:
    """One autoscaler of one workload."""

    resource: str
    """KIND/NAMESPACE/NAME of the autoscaler itself."""
    minimum: int
    maximum: int
    cpu_target: float | None
    """CPU use, as a share of what is requested, that it keeps to; None where it does not look."""
    crons: tuple[Cron, ...] = ()
    others: tuple[str, ...] = ()
    """Metrics and triggers that are neither."""
    declared_minimum: Text | None = None
    """None where none is written: then it is the default."""

    @property
    def kind(self) -> str:
        """HorizontalPodAutoscaler or ScaledObject."""
        return self.resource.split("/", 1)[0]


@dataclass(frozen=True)
class Scaling:
    """What is declared about when and how far workloads scale, by KIND/NAMESPACE/NAME."""

    scalers: Mapping[str, Scaler] = field(default_factory=dict)
    """By the workload that is scaled; one that two of them scale has none here."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Time zone by workload, where its containers are told one (environment variable TZ)."""


def declared_scaling(
    resources: Mapping[str, DeclaredResource], locations: Iterable[ValueLocation]
) -> Scaling:
    """Autoscalers and time zones of a desired-state index."""
    texts: dict[tuple[str, str], Text] = {}
    for location in locations:
        if location.field in ("spec.minReplicas", "spec.minReplicaCount"):
            texts[location.resource, location.field] = Text(location.field, location.value)
    scalers: dict[str, list[Scaler]] = {}
    zones = {}
    for name, declared in resources.items():
        kind = name.split("/", 1)[0]
        if kind in (HPA, SCALED_OBJECT):
            manifest = json.loads(declared.manifest)
            target, read = scale_target(manifest), _SCALERS[kind](name, manifest, texts)
            if target is not None and read is not None:
                scalers.setdefault(target, []).append(read)
        elif '"TZ"' in declared.manifest:
            zone = _zone(json.loads(declared.manifest))
            if zone:
                zones[name] = zone
    return Scaling(
        scalers={target: found[0] for target, found in scalers.items() if len(found) == 1},
        zones=zones,
    )


def scale_target(manifest: Any) -> str | None:
    """KIND/NAMESPACE/NAME that an autoscaler's manifest sets the scale of, None for nothing."""
    spec = _mapping(_mapping(manifest).get("spec"))
    if _mapping(spec.get("updatePolicy")).get("updateMode") == "Off":
        return None  # a VerticalPodAutoscaler that only recommends
    target = _mapping(spec.get("scaleTargetRef") or spec.get("targetRef"))
    namespace = _mapping(_mapping(manifest).get("metadata")).get("namespace", "")
    if "name" not in target:
        return None
    return f"{target.get('kind', 'Deployment')}/{namespace}/{target['name']}"


def _hpa(name: str, manifest: Any, texts: Mapping[tuple[str, str], Text]) -> Scaler | None:
    spec = _mapping(_mapping(manifest).get("spec"))
    minimum, maximum = _count(spec.get("minReplicas", 1)), _count(spec.get("maxReplicas"))
    if minimum is None or maximum is None:
        return None
    target, others = None, []
    old = spec.get("targetCPUUtilizationPercentage")
    if old is not None:
        target = _percent(old)
    metrics = spec.get("metrics")
    for metric in metrics if isinstance(metrics, list) else []:
        resource = _mapping(_mapping(metric).get("resource"))
        wanted = _mapping(resource.get("target"))
        used = _percent(wanted.get("averageUtilization"))
        if resource.get("name") == "cpu" and used is not None:
            target = used
        else:
            others.append(str(resource.get("name") or _mapping(metric).get("type")))
    if target is None and not others:
        target = DEFAULT_CPU_TARGET
    text = texts.get((name, "spec.minReplicas"))
    return Scaler(name, minimum, maximum, target, (), tuple(others), text)


def _scaled_object(
    name: str, manifest: Any, texts: Mapping[tuple[str, str], Text]
) -> Scaler | None:
    spec = _mapping(_mapping(manifest).get("spec"))
    minimum = _count(spec.get("minReplicaCount", 0))
    maximum = _count(spec.get("maxReplicaCount", _KEDA_MAXIMUM))
    if minimum is None or maximum is None:
        return None
    target: float | None = None
    crons, others = [], []
    triggers = spec.get("triggers")
    for trigger in triggers if isinstance(triggers, list) else []:
        one = _mapping(trigger)
        metadata = _mapping(one.get("metadata"))
        how = one.get("metricType") or metadata.get("type")
        used = _percent(metadata.get("value"))
        if one.get("type") == "cron":
            words = [str(metadata.get(key, "")) for key in ("start", "end", "timezone")]
            crons.append(Cron(*words))
        elif one.get("type") == "cpu" and how == "Utilization" and used is not None:
            target = used
        else:
            others.append(str(one.get("type")))
    text = texts.get((name, "spec.minReplicaCount"))
    return Scaler(name, minimum, maximum, target, tuple(crons), tuple(others), text)


_SCALERS = {HPA: _hpa, SCALED_OBJECT: _scaled_object}


def _zone(manifest: Any) -> str:
    """The one IANA zone that the containers of a manifest are told; empty where none or several."""
    named = {value for value in _values_of_tz(manifest) if isinstance(value, str)}
    if len(named) != 1:
        return ""
    return zone_of(named.pop())


def zone_of(name: str) -> str:
    """An IANA time zone's own name, empty where there is none of this name."""
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        return ""


def _values_of_tz(node: Any) -> list[Any]:
    if isinstance(node, list):
        return [value for item in node for value in _values_of_tz(item)]
    if not isinstance(node, dict):
        return []
    own = [node.get("value")] if node.get("name") == "TZ" else []
    return own + [value for item in node.values() for value in _values_of_tz(item)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if number >= 0 else None


def _percent(value: Any) -> float | None:
    number = _count(value)
    return number / 100 if number else None
