"""The demo's own reader of main: what the files it once wrote declare now.

It knows only those files. The product's index of a repository is elsewhere and unknown here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.folders import (
    KUSTOMIZE,
    base_folder,
    claims_path,
    manifest_path,
    overlay_folder,
    training_path,
)
from finops_dagster.demo.models import MODELS, TRAINING
from finops_dagster.demo.plan import Claim, Container, Plan, Sizing, Workload
from finops_dagster.demo.repository import git

_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][+-]?[0-9]+)?)([numkKMGTPE]?i?)$")
_SUFFIX: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_MIB = Decimal(1024) ** 2


@dataclass(frozen=True)
class Declared:
    """What main declares: sizes by resource, None where it is declared no more."""

    workloads: dict[str, Sizing | None]
    claims: dict[str, int | None]
    """GiB by resource."""
    models: dict[str, str]
    """What is declared of an AI model: its version, or the day of its data."""


def quantity(text: object) -> Decimal:
    """A Kubernetes quantity in base units; raises ValueError on anything else."""
    match = _QUANTITY.match(str(text).strip())
    if match is None or match[2] not in _SUFFIX:
        raise ValueError(f"{text!r} is no Kubernetes quantity")
    return Decimal(match[1]) * _SUFFIX[match[2]]


def read_main(repository: Path, plan: Plan) -> Declared:
    """Read what branch main declares of every workload and claim of the plan."""
    files = _Files(repository)
    return Declared(
        workloads={
            workload.resource: _workload(files, workload)
            for workload in plan.workloads
            if workload.spec.layout is not Layout.UNDECLARED
        },
        claims={claim.resource: _claim(files, claim) for claim in plan.claims},
        models=_models(files, plan),
    )


class _Files:
    """Parsed documents of files on main, each file read once."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        names = git(repository, "ls-tree", "-r", "-z", "--name-only", "refs/heads/main")
        self._paths = set(names.decode().split("\0"))
        self._parsed: dict[str, list[Any]] = {}

    def documents(self, path: str) -> list[Any]:
        """Documents of `path`; empty where there is no such file."""
        if path not in self._parsed:
            self._parsed[path] = []
            if path in self._paths:
                text = git(self._repository, "cat-file", "blob", f"refs/heads/main:{path}")
                self._parsed[path] = [d for d in _parse(text, path) if d is not None]
        return self._parsed[path]

    def document(self, path: str, kind: str, name: str) -> Any | None:
        """The document of that kind and name in `path`."""
        for document in self.documents(path):
            if isinstance(document, Mapping) and document.get("kind") == kind:
                metadata = document.get("metadata") or {}
                if metadata.get("name") == name:
                    return document
        return None


def _parse(text: bytes, path: str) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe").load_all(text)
    except YAMLError as error:
        raise ValueError(f"{path} on main is no YAML: {error}") from error


def _workload(files: _Files, workload: Workload) -> Sizing | None:
    spec = workload.spec
    if spec.layout is Layout.HELM:
        return _helm(files, workload)
    if spec.layout not in KUSTOMIZE:
        document = files.document(manifest_path(workload), spec.kind, spec.name)
        return None if document is None else _applied(workload, document, None)
    overlay = overlay_folder(workload)
    kustomization = next(iter(files.documents(f"{overlay}/kustomization.yaml")), None)
    base = files.document(f"{base_folder(workload)}/{spec.name}.yaml", spec.kind, spec.name)
    if kustomization is None or base is None:
        return None
    sizing = _applied(workload, base, None)
    for patch in kustomization.get("patches") or []:
        sizing = _patched(files, workload, sizing, patch)
    for count in kustomization.get("replicas") or []:
        if count.get("name") == spec.name:
            sizing = replace(sizing, replicas=int(count["count"]))
    scaler = files.document(f"{overlay}/{spec.name}-hpa.yaml", "HorizontalPodAutoscaler", spec.name)
    if scaler is not None:
        low, high = int(scaler["spec"]["minReplicas"]), int(scaler["spec"]["maxReplicas"])
        sizing = replace(sizing, replicas=low, hpa=(low, high))
    return sizing


def _patched(files: _Files, workload: Workload, sizing: Sizing, patch: Mapping[str, Any]) -> Sizing:
    spec = workload.spec
    if "path" in patch:
        path = f"{overlay_folder(workload)}/{patch['path']}"
        document = files.document(path, spec.kind, spec.name)
        return sizing if document is None else _applied(workload, document, sizing)
    target = patch.get("target") or {}
    if target.get("name") != spec.name:
        return sizing
    for operation in next(_parse(str(patch["patch"]).encode(), "patch"), None) or []:
        sizing = _operation(workload, sizing, operation["path"], operation.get("value"))
    return sizing


def _operation(workload: Workload, sizing: Sizing, pointer: str, value: Any) -> Sizing:
    """Apply one `add` or `replace` of a JSON patch to replicas or to a container's resources."""
    if pointer == "/spec/replicas":
        return replace(sizing, replicas=int(value))
    head = "/spec/template/spec/containers/"
    if not pointer.startswith(head):
        return sizing
    position, *rest = pointer[len(head) :].split("/")
    if not rest or rest[0] != "resources":
        return sizing
    containers = list(sizing.containers)
    at = int(position)
    cleared = (
        containers[at]
        if len(rest) > 1
        else replace(containers[at], cpu_limit_millis=None, memory_limit_mib=None)
    )
    for key in reversed(rest[1:]):
        value = {key: value}
    containers[at] = _sized(cleared, value or {})
    return replace(sizing, containers=tuple(containers))


def _helm(files: _Files, workload: Workload) -> Sizing | None:
    path = f"charts/{workload.spec.name}/values-{workload.environment}.yaml"
    values = next(iter(files.documents(path)), None)
    if values is None:
        return None
    empty = Container(workload.spec.container, 0, 0)
    return Sizing(int(values["replicaCount"]), (_sized(empty, values.get("resources") or {}),))


def _applied(workload: Workload, document: Mapping[str, Any], below: Sizing | None) -> Sizing:
    """A manifest, or a strategic merge patch on what is `below` it."""
    spec = document.get("spec") or {}
    kind = workload.spec.kind
    if kind == "InferenceService":
        predictor = spec.get("predictor") or {}
        listed = predictor.get("containers") or [
            {**(predictor.get("model") or {}), "name": workload.spec.container}
        ]
        replicas = int(predictor.get("minReplicas", 1))
    else:
        if kind == "CronJob":
            spec = (spec.get("jobTemplate") or {}).get("spec") or {}
        pod = ((spec.get("template") or {}).get("spec")) or {}
        listed = pod.get("containers") or []
        # A DaemonSet has one pod a node, and nobody declares how many nodes there are.
        known = below.replicas if below else workload.declared.replicas
        replicas = int(spec.get("replicas", known))
    before = {c.name: c for c in below.containers} if below else {}
    found: dict[str, Container] = dict(before)
    for entry in listed:
        name = str(entry["name"])
        start = before.get(name) or Container(name, 0, 0)
        found[name] = _sized(start, entry.get("resources") or {})
    return Sizing(replicas, tuple(found.values()), below.hpa if below else None)


def _sized(container: Container, resources: Mapping[str, Any]) -> Container:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    if "cpu" in requests:
        container = replace(container, cpu_millis=_millis(requests["cpu"]))
    if "memory" in requests:
        container = replace(container, memory_mib=_mib(requests["memory"]))
    if "cpu" in limits:
        container = replace(container, cpu_limit_millis=_millis(limits["cpu"]))
    if "memory" in limits:
        container = replace(container, memory_limit_mib=_mib(limits["memory"]))
    for where in (requests, limits):
        if "nvidia.com/gpu" in where:
            container = replace(container, gpus=int(where["nvidia.com/gpu"]))
    return container


def _millis(text: object) -> int:
    return round(quantity(text) * 1000)


def _mib(text: object) -> int:
    return round(quantity(text) / _MIB)


def _models(files: _Files, plan: Plan) -> dict[str, str]:
    found = {}
    model = next(one for one in MODELS if one.name == "credit-risk")
    served = next(one for one in plan.workloads if one.resource == model.workload)
    spec = served.spec
    base = files.document(f"{base_folder(served)}/{spec.name}.yaml", spec.kind, spec.name)
    for container in base["spec"]["template"]["spec"]["containers"] if base is not None else ():
        if container["name"] == spec.container:
            found[model.name] = str(container["image"]).rpartition(":")[2]
    training = files.document(training_path(), "ConfigMap", TRAINING)
    if training is not None:
        found["churn"] = str(training["data"]["data_until"])
    return found


def _claim(files: _Files, claim: Claim) -> int | None:
    document = files.document(claims_path(claim.namespace), "PersistentVolumeClaim", claim.name)
    if document is None:
        return None
    requests = ((document.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return round(quantity(requests.get("storage", "0")) / (Decimal(1024) ** 3))
