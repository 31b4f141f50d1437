"""What manifests declare of GPUs: how many, of which model, and what else says how many.

Also which workloads are notebooks. Which of them are waste is decided elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource, ValueLocation
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation.ground import Declared

GPU_RESOURCE = "nvidia.com/gpu"
_FIELD = re.compile(r'\.resources\.(?:requests|limits)\["nvidia\.com/gpu"\]$')
_MODEL_KEYS = frozenset(
    {
        "cloud.google.com/gke-accelerator",
        "nvidia.com/gpu.product",
        "k8s.amazonaws.com/accelerator",
        "karpenter.k8s.aws/instance-gpu-name",
        "eks.amazonaws.com/instance-gpu-name",
    }
)
"""Node labels whose value names a GPU: GKE, NVIDIA GPU feature discovery, EKS, Karpenter."""
_COUNTED = re.compile(
    r"tensor[-_]?parallel|pipeline[-_]?parallel|nproc[-_]per[-_]node|visible_devices|world_size"
    r"|num[-_](?:gpus?|shards?|processes)|n[-_]gpus?|gpus[-_]per|device[-_]count|-tp\b",
    re.IGNORECASE,
)
"""Arguments and variables of vLLM, TGI, torchrun, accelerate, DeepSpeed and CUDA that say how many
GPUs a program expects."""
_NOTEBOOK_LABELS = {
    "notebook-name": None,
    "notebook_name": None,
    "component": "singleuser-server",
    "app.kubernetes.io/component": "singleuser-server",
    "app_kubernetes_io_component": "singleuser-server",
}
"""Labels of pods, as declared and as kube-state-metrics writes them -> the value, None for any:
Kubeflow's notebook controller and JupyterHub's KubeSpawner set them."""
_NOTEBOOK_IMAGE = re.compile(
    r"^(?:(?:docker\.io|quay\.io|ghcr\.io)/)?(?:jupyter|kubeflownotebookswg)/"
)
"""Images that Project Jupyter and Kubeflow publish of notebook servers."""


@dataclass(frozen=True)
class DeclaredGpus:
    """What one resource declares; `count` is of one replica, None where it is not known."""

    count: int | None = None
    values: tuple[Declared, ...] = ()
    """Every value that says how many: one that is edited alone must be the only one."""
    model: str = ""
    """Value of the node label that asks for a model."""
    model_key: str = ""
    """That label."""
    counted: str = ""
    """The argument or variable that says how many GPUs there are."""


def declared_gpus(
    resources: Mapping[str, DeclaredResource], locations: Iterable[ValueLocation]
) -> dict[str, DeclaredGpus]:
    """Resource -> what it declares, of every resource that declares `nvidia.com/gpu`.

    Limits and requests of a container must be equal for GPUs: the same container counts once.
    """
    fields: dict[str, dict[str, list[Declared]]] = {}
    for one in locations:
        match = _FIELD.search(one.field)
        if match and ".initContainers" not in one.field:
            by_owner = fields.setdefault(one.resource, {})
            by_owner.setdefault(one.field[: match.start()], []).append(_value(one))
    out = {}
    for resource, by_owner in fields.items():
        manifest = json.loads(resources[resource].manifest) if resource in resources else {}
        counts = [_count(values) for values in by_owner.values()]
        known = [one for one in counts if one is not None]
        out[resource] = DeclaredGpus(
            count=sum(known) if len(known) == len(counts) else None,
            values=tuple(value for values in by_owner.values() for value in values),
            **_model(manifest),
            counted=next(_counted(manifest), ""),
        )
    return out


def notebooks(resources: Mapping[str, DeclaredResource], labels: pd.DataFrame) -> frozenset[str]:
    """Workloads that are notebooks, by their kind, their pods' labels or a published image.

    `labels`: resource, label, label_value of pods. The controller of Kubeflow runs a Notebook as a
    StatefulSet of the same name, which is what is measured. A name alone makes no notebook.
    """
    found = set()
    for name, item in resources.items():
        kind, _, rest = name.partition("/")
        if kind == "Notebook":
            found |= {name, f"StatefulSet/{rest}"}
        elif kind in ("Deployment", "StatefulSet") and _is_notebook(json.loads(item.manifest)):
            found.add(name)
    for resource, label, value in labels[["resource", "label", "label_value"]].itertuples(
        index=False, name=None
    ):
        if label in _NOTEBOOK_LABELS and _NOTEBOOK_LABELS[label] in (None, value):
            found.add(str(resource))
    return frozenset(found)


def _value(location: ValueLocation) -> Declared:
    try:
        return Declared(location.field, location.value, parse_quantity(location.value))
    except ValueError:
        return Declared(location.field, location.value, None)


def _count(values: list[Declared]) -> int | None:
    """The whole number that all values of one container say; None where they do not."""
    amounts = {value.amount for value in values}
    amount = amounts.pop()
    return None if amounts or amount is None or amount != int(amount) else int(amount)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a manifest."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _model(manifest: Any) -> dict[str, str]:
    """The one model that node labels ask for, and its label; empty where several may be meant."""
    found = set()
    for node in _nodes(manifest):
        selector = node.get("nodeSelector")
        if isinstance(selector, dict):
            found |= {(key, str(value)) for key, value in selector.items() if key in _MODEL_KEYS}
        key, values = node.get("key"), node.get("values")
        if key in _MODEL_KEYS and isinstance(values, list):
            told = {(str(key), str(value)) for value in values}
            found |= told if node.get("operator") == "In" else {("", ""), ("", "?")}
    key, model = found.pop() if len(found) == 1 else ("", "")
    return {"model_key": key, "model": model}


def _counted(manifest: Any) -> Iterator[str]:
    for node in _nodes(manifest):
        for key in ("args", "command"):
            words = node.get(key)
            for word in words if isinstance(words, list) else ():
                match = _COUNTED.search(str(word))
                if match:
                    yield match[0]
        variables = node.get("env")
        for variable in variables if isinstance(variables, list) else ():
            name = variable.get("name") if isinstance(variable, dict) else None
            match = _COUNTED.search(str(name))
            if match:
                yield match[0]


def _is_notebook(manifest: Any) -> bool:
    for node in _nodes(manifest):
        labels = node.get("labels")
        for label, value in labels.items() if isinstance(labels, dict) else ():
            if label in _NOTEBOOK_LABELS and _NOTEBOOK_LABELS[label] in (None, value):
                return True
        image = node.get("image")
        if isinstance(image, str) and _NOTEBOOK_IMAGE.match(image):
            return True
    return False
