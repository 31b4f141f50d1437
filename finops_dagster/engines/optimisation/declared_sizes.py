"""What one commit declares of sizes: what each container reserves, replicas, scalers, volumes.

Reading Git and YAML is not done here, and nothing is priced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from finops_dagster.domain.decisions import DeclaredResource, ValueLocation
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation.declared import REPLICA_FIELDS, declared_values
from finops_dagster.engines.optimisation.scalers import Scaler, declared_scaling, scale_target

_GPU = re.compile(
    r"^(?P<owner>.*?(?:\[name=(?P<name>[^\]]+)\])?)\.resources\.(?P<of>requests|limits)"
    r'\["[a-z0-9.-]+/(?:gpu|mig-[a-z0-9.]+)"\]$'
)
"""Extended resources of device plugins: nvidia.com/gpu, amd.com/gpu, nvidia.com/mig-1g.5gb."""
_STORAGE = "spec.resources.requests.storage"


class Size(NamedTuple):
    """One size of one container: cpu (cores), memory (bytes), gpu; or replicas, of none."""

    resource: str
    container: str
    what: str


@dataclass(frozen=True)
class Sizes:
    """The sizes of some resources at one commit."""

    requests: Mapping[Size, Decimal]
    limits: Mapping[Size, Decimal]
    counts: Mapping[str, Decimal]
    """Resource -> replicas declared."""
    paths: Mapping[tuple[str, str], Size]
    """(resource, field) -> what the field says the size of."""
    managed: Mapping[str, str]
    """Workload -> the autoscaler that sets its replicas."""
    scaling: Mapping[str, tuple[str, Scaler]]
    """Autoscaler -> the workload that it scales, and how."""
    storage: Mapping[str, Decimal]
    """Claim -> bytes."""

    def at(self, resource: str, path: str) -> Size | None:
        """What a field says the size of; None where it is no size of a container."""
        return self.paths.get((resource, path))

    def of(self, resource: str) -> list[Size]:
        """Every size that the containers of a resource reserve."""
        found = {size for size in (*self.requests, *self.limits) if size.resource == resource}
        return sorted(size for size in found if self.reserved(size))

    def reserved(self, size: Size) -> Decimal:
        """What one replica reserves: its request, else its limit, as Kubernetes has it; else 0."""
        return self.requests.get(size, self.limits.get(size, Decimal(0)))

    def replicas(self, resource: str) -> Decimal:
        """Replicas declared; one where none are, which is what Kubernetes makes."""
        return self.counts.get(resource, Decimal(1))

    def scaler_of(self, resource: str) -> Scaler | None:
        """The one autoscaler that scales a workload."""
        found = [scaler for target, scaler in self.scaling.values() if target == resource]
        return found[0] if len(found) == 1 else None


def declared_sizes(
    resources: Mapping[str, DeclaredResource], locations: Iterable[ValueLocation]
) -> Sizes:
    """The sizes that an index declares; a value that is no quantity declares none."""
    places = list(locations)
    values, managed = declared_values(resources, places)
    requests: dict[Size, Decimal] = {}
    limits: dict[Size, Decimal] = {}
    counts: dict[str, Decimal] = {}
    paths: dict[tuple[str, str], Size] = {}
    rows = list(values.itertuples(index=False, name=None))
    rows += [
        (one.resource, one.field, found["name"] or found["owner"], one.value)
        for one in places
        if (found := _GPU.match(one.field)) and ".initContainers" not in one.field
    ]
    storage: dict[str, Decimal] = {}
    for resource, path, container, text in rows:
        try:
            amount = parse_quantity(str(text))
        except ValueError:
            continue
        if path in REPLICA_FIELDS:
            counts[resource] = amount
            paths[resource, path] = Size(resource, "", "replicas")
            continue
        gpu = _GPU.match(path)
        of, what = (gpu["of"], "gpu") if gpu else path.rsplit(".resources.", 1)[1].split(".")
        size = Size(resource, str(container), what)
        (requests if of == "requests" else limits)[size] = amount
        paths[resource, path] = size
    for one in places:
        if one.field == _STORAGE and one.resource.startswith("PersistentVolumeClaim/"):
            try:
                storage[one.resource] = parse_quantity(one.value)
            except ValueError:
                continue
    scaling = {}
    for target, scaler in declared_scaling(resources, places).scalers.items():
        scaling[scaler.resource] = (target, scaler)
    return Sizes(requests, limits, counts, paths, managed, scaling, storage)


def targets(resources: Mapping[str, DeclaredResource], names: Iterable[str]) -> set[str]:
    """What the autoscalers among some resources scale."""
    found = set()
    for name in names:
        if name in resources and name.startswith(("HorizontalPodAutoscaler/", "ScaledObject/")):
            target = scale_target(json.loads(resources[name].manifest))
            if target is not None:
                found.add(target)
    return found
