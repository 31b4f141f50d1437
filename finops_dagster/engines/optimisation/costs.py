"""What each resource costs a month by part, and which resources hang together.

Prices are made elsewhere, and so are the changes that these costs bound.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.money import MONEY_PRECISION
from finops_dagster.engines.optimisation.candidates import Cell, Part, Relations
from finops_dagster.engines.optimisation.idle import COMPUTE
from finops_dagster.engines.optimisation.prices import DAYS_PER_MONTH
from finops_dagster.engines.optimisation.scalers import HPA, SCALED_OBJECT, scale_target


def monthly_costs(prices: pd.DataFrame) -> dict[Cell, Decimal]:
    """What each resource itself costs a month, by part and currency, at the net rate.

    `prices`: what `unit_prices` returns. Cost of the window over the days on which the resource
    was billed (compute together, so that its parts sum to what stopping it saves; storage by
    itself), times 365/12. Zero where credits are more than the cost.
    """
    sums: dict[Cell, Decimal] = defaultdict(Decimal)
    days: dict[tuple[str, bool, str], set[object]] = defaultdict(set)
    columns = prices[["resource", "meter", "currency", "day", "cost"]]
    for resource, meter, currency, day, cost in columns.itertuples(index=False, name=None):
        sums[Cell(resource, Part(meter), currency)] += cost
        days[resource, meter in COMPUTE, currency].add(day)
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        return {
            cell: max(Decimal(0), cost)
            / len(days[cell.resource, cell.part.value in COMPUTE, cell.currency])
            * DAYS_PER_MONTH
            for cell, cost in sums.items()
        }


def relations(resources: Mapping[str, DeclaredResource]) -> Relations:
    """Which declared workloads use which volumes, by the claims that their pods name.

    What runs on which machine is not declared. An autoscaler stands for what it scales: a change
    of it is paid of that workload's cost.
    """
    uses, contains = {}, {}
    for name, declared in resources.items():
        if name.startswith((f"{HPA}/", f"{SCALED_OBJECT}/")):
            target = scale_target(json.loads(declared.manifest))
            if target is not None:
                contains[name] = frozenset({target})
        if '"claimName"' in declared.manifest:
            manifest = json.loads(declared.manifest)
            namespace = name.split("/")[1]
            claims = frozenset(
                f"PersistentVolumeClaim/{namespace}/{claim}" for claim in _claims(manifest)
            )
            if claims:
                uses[name] = claims
    return Relations(contains=contains, uses=uses)


def _claims(node: Any) -> set[str]:
    """Every `persistentVolumeClaim.claimName` below a node, of any kind of workload."""
    if isinstance(node, list):
        return set().union(*(_claims(item) for item in node))
    if not isinstance(node, dict):
        return set()
    claim = node.get("persistentVolumeClaim")
    own = claim.get("claimName") if isinstance(claim, dict) else None
    return set().union(
        *(_claims(item) for item in node.values()), {own} if isinstance(own, str) else set()
    )
