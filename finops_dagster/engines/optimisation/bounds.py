"""What a request may be at all: LimitRanges, quotas and machines, beside the container's own limit.

What it should be is told elsewhere. A range, quota or machine that nobody declares or measures
bounds nothing here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.quantities import parse_quantity

METERS = ("cpu", "memory")


class Bound(NamedTuple):
    """Cores or bytes, and what sets them."""

    amount: Decimal
    by: str


@dataclass(frozen=True)
class Bounds:
    """Bounds by (namespace, meter), and by meter what a machine has for pods."""

    least: Mapping[tuple[str, str], Bound] = field(default_factory=dict)
    """Of a container's request."""
    most: Mapping[tuple[str, str], Bound] = field(default_factory=dict)
    ratios: Mapping[tuple[str, str], Bound] = field(default_factory=dict)
    """Limit over request at most."""
    quotas: Mapping[tuple[str, str], Bound] = field(default_factory=dict)
    """Of all requests of the namespace."""
    machines: Mapping[str, Decimal] = field(default_factory=dict)


def declared_bounds(
    resources: Mapping[str, DeclaredResource], machines: Mapping[str, Decimal] | None = None
) -> Bounds:
    """Bounds of every declared LimitRange and ResourceQuota; the strictest of each namespace.

    A LimitRange of pods bounds a container from above as well. Quotas with scopes are left out:
    which pods they count is not known here. `machines`: meter -> allocatable of one. A quantity
    that cannot be read bounds nothing: the API server would not have taken it.
    """
    least: dict[tuple[str, str], list[Bound]] = defaultdict(list)
    most: dict[tuple[str, str], list[Bound]] = defaultdict(list)
    ratios: dict[tuple[str, str], list[Bound]] = defaultdict(list)
    quotas: dict[tuple[str, str], list[Bound]] = defaultdict(list)
    for name in sorted(resources):
        kind, _, rest = name.partition("/")
        if kind not in ("LimitRange", "ResourceQuota"):
            continue
        namespace = rest.split("/")[0]
        spec = _part(json.loads(resources[name].manifest), "spec")
        if kind == "ResourceQuota":
            if not spec.get("scopes") and not spec.get("scopeSelector"):
                hard = _part(spec, "hard")
                for meter in METERS:
                    for key in (f"requests.{meter}", meter):
                        quotas[namespace, meter] += _bound(hard, key, name)
            continue
        for item in _items(spec.get("limits")):
            if item.get("type") == "Container":
                for meter in METERS:
                    least[namespace, meter] += _bound(_part(item, "min"), meter, name)
                    ratio = _bound(_part(item, "maxLimitRequestRatio"), meter, name)
                    ratios[namespace, meter] += ratio
            if item.get("type") in ("Container", "Pod"):
                for meter in METERS:
                    most[namespace, meter] += _bound(_part(item, "max"), meter, name)
    return Bounds(
        least={key: max(found) for key, found in least.items() if found},
        most={key: min(found) for key, found in most.items() if found},
        ratios={key: min(found) for key, found in ratios.items() if found},
        quotas={key: min(found) for key, found in quotas.items() if found},
        machines=machines or {},
    )


def _part(node: Any, key: str) -> dict[str, Any]:
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def _items(node: Any) -> Iterable[dict[str, Any]]:
    return [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []


def _bound(amounts: Mapping[str, Any], key: str, by: str) -> list[Bound]:
    try:
        amount = parse_quantity(str(amounts[key])) if key in amounts else None
    except ValueError:
        return []
    return [] if amount is None else [Bound(amount, f"{by} of {amounts[key]}")]
