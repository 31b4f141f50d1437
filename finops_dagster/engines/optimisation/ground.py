"""What every judge of this engine stands on: window, prices, carbon, owners and declared values.

No judgement is made here; figures are looked up and findings put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Evidence, Finding, FindingKind
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation.bounds import Bounds
from finops_dagster.engines.optimisation.carbon import CarbonBook
from finops_dagster.engines.optimisation.inputs import ENGINE, Context, SizingConfig, word
from finops_dagster.engines.optimisation.prices import PriceBook
from finops_dagster.engines.optimisation.scalers import Scaling
from finops_dagster.engines.optimisation.window import Window, evidence


@dataclass(frozen=True)
class Declared:
    """One declared value: its path, its text, and its amount (None where it cannot be read)."""

    field: str
    text: str
    amount: Decimal | None


@dataclass(frozen=True)
class Ground:
    """The estate as the judges see it on one day."""

    as_of: date
    config: SizingConfig
    window: Window
    prices: PriceBook
    carbon: CarbonBook
    owners: Mapping[str, tuple[str, str]]
    declared: Mapping[tuple[str, str, str], Declared]
    """(resource, container, what) with what in requests.cpu, limits.memory, ..., replicas."""
    resources: frozenset[str]
    managed: Mapping[str, str]
    undeclared: frozenset[str]
    unsure: Mapping[str, str]
    bounds: Bounds
    requested: Mapping[tuple[str, str], Decimal]
    """(namespace, meter): cores or bytes that its declared workloads request together."""
    scaling: Scaling
    notebooks: frozenset[str] = frozenset()

    def environment(self, resource: str) -> str:
        """Environment of a resource, `unknown` where nobody says."""
        return self.owners.get(resource, ("", "unknown"))[1]

    def finding(
        self,
        kind: FindingKind,
        resource: str,
        *,
        value: Declared | None,
        proposed: str,
        saving: MoneyRange,
        carbon: Range,
        risk: float,
        confidence: float,
        samples: int,
        figures: Mapping[str, float],
        reason: str,
        rule: str,
        edited: str = "",
        suggestion: str = "",
        wrong_if: str = "",
    ) -> Finding:
        """A finding on this ground; `value` is None where no edit is known.

        `edited` is the resource that declares the value, where it is another than the owner's.
        """
        owner, environment = self.owners.get(resource, ("", "unknown"))
        return Finding(
            kind=kind,
            resource=edited or resource,
            field=value.field if value else "",
            current=value.text if value else "",
            proposed=proposed if value else "",
            owner=owner,
            environment=environment,
            saving_per_month=saving,
            carbon_kg_per_month=carbon,
            risk=round(risk, 6),
            confidence=round(min(1.0, confidence), 6),
            evidence=Evidence(
                window_start=self.window.start,
                window_end=self.window.end,
                samples=samples,
                figures={k: float(f"{v:.6g}") for k, v in figures.items()},
            ),
            reason=reason,
            engine=f"{ENGINE} ({rule})",
            as_of=self.as_of,
            suggestion=suggestion,
            wrong_if=wrong_if,
        )

    def no_carbon(self, resource: str) -> list[Abstained]:
        """The abstention that goes with a carbon figure of zero where none is known."""
        if self.carbon.known(resource):
            return []
        reason = "no grid intensity is known for where it runs: its carbon is not counted"
        return [Abstained(subject=f"{resource} carbon", reason=reason)]


def requested_together(
    declared: Mapping[tuple[str, str, str], Declared],
) -> dict[tuple[str, str], Decimal]:
    """What the declared workloads of each (namespace, meter) request, each replica counted.

    Where no replica count is declared it is one.
    """
    found: dict[tuple[str, str], Decimal] = {}
    for (resource, _, what), value in declared.items():
        if what.startswith("requests.") and value.amount:
            where = resource.split("/")[1], what.removeprefix("requests.")
            replicas = declared.get((resource, "", "replicas"))
            count = Decimal(1) if replicas is None or replicas.amount is None else replicas.amount
            found[where] = found.get(where, Decimal(0)) + value.amount * count
    return found


def ground_of(
    measurements: pd.DataFrame,
    prices: pd.DataFrame,
    context: Context,
    as_of: date,
    config: SizingConfig,
    more: Sequence[str] = (),
) -> Ground:
    """The estate on `as_of`, nothing later: frames as of `find`, `more` as of `evidence`."""
    owners = context.owners[["resource", "owner", "environment"]]
    declared = declared_amounts(context)
    return Ground(
        as_of=as_of,
        config=config,
        window=evidence(measurements, as_of, config.history_days, more),
        prices=PriceBook(prices.loc[pd.to_datetime(prices["day"]) <= pd.Timestamp(as_of)]),
        carbon=CarbonBook(context),
        owners={
            str(resource): (word(owner), word(environment) or "unknown")
            for resource, owner, environment in owners.itertuples(index=False, name=None)
        },
        declared=declared,
        resources=context.resources,
        managed=context.managed,
        undeclared=context.undeclared,
        unsure=context.unsure,
        bounds=context.bounds,
        requested=requested_together(declared),
        scaling=context.scaling,
        notebooks=context.notebooks,
    )


def declared_amounts(context: Context) -> dict[tuple[str, str, str], Declared]:
    """The declared values by (resource, container, what); text no quantity keeps amount None."""
    out = {}
    columns = context.values[["resource", "field", "container", "current"]]
    for resource, path, container, text in columns.itertuples(index=False, name=None):
        what = "replicas"
        if ".resources." in path:
            what = path.rsplit(".resources.", 1)[1]
        try:
            amount: Decimal | None = parse_quantity(str(text))
        except ValueError:
            amount = None
        out[(str(resource), str(container or ""), what)] = Declared(path, str(text), amount)
    return out
