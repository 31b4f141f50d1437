"""Machines and databases of a cloud: the type they are, and the one that would do.

What types carry, what they cost and what machines need is each in a module of its own. Nodes of
clusters are not sized here: their autoscaler does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.bounds import Bounds
from finops_dagster.engines.optimisation.carbon import CarbonBook
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.inputs import Context, FindResult, SizingConfig, take, word
from finops_dagster.engines.optimisation.machine_moves import architecture, elsewhere, generation
from finops_dagster.engines.optimisation.machine_needs import MachineUse, uses
from finops_dagster.engines.optimisation.machine_prices import Market, TypePrices
from finops_dagster.engines.optimisation.machine_sizes import size
from finops_dagster.engines.optimisation.machine_stand import METER, Machine, Stand
from finops_dagster.engines.optimisation.machine_types import Catalogue
from finops_dagster.engines.optimisation.prices import PriceBook
from finops_dagster.engines.optimisation.region_front import allowed_regions
from finops_dagster.engines.optimisation.scalers import Scaling
from finops_dagster.engines.optimisation.window import Window

MACHINE_COLUMNS = (
    "resource", "what", "region", "instance_type", "software", "currency", "owner", "environment",
    "field", "declared", "held",
)  # fmt: skip
"""A billed machine: `what` is machine or database, `software` its operating system or engine (empty
where nobody tells), `field` and `declared` the declared value of its type (empty without), `held`
why its type is not one machine's to change (empty where it is)."""


@dataclass(frozen=True)
class MachineInputs:
    """What the types of machines are judged by."""

    machines: pd.DataFrame
    """MACHINE_COLUMNS, one row each."""
    use: pd.DataFrame
    """`machine_needs.USE_COLUMNS`; empty where no machine is measured."""
    catalogue: Catalogue
    type_prices: TypePrices
    unit_prices: pd.DataFrame
    """What `unit_prices` returns, with the meter `machine` in hours."""
    regions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Team, environment or `*` -> regions that its machines may be in."""


def find_machines(
    inputs: MachineInputs, as_of: date, config: SizingConfig | None = None
) -> FindResult:
    """Types to change, by use and by price alone, for `as_of`.

    RIGHTSIZE_MACHINE, UNDERPROVISIONED_MACHINE and the same of databases where a machine was
    measured; MACHINE_GENERATION, MACHINE_ARCHITECTURE and MACHINE_REGION also where it was not. Of
    the moves of one machine at most one is ever proposed. Rows after `as_of` are not
    looked at.
    """
    config = config or SizingConfig()
    findings: list[Finding] = []
    machines, abstained = _machines(inputs)
    ground = _ground(inputs, machines, as_of, config)
    kinds = {one.name: one.kind for one in machines}
    measured = uses(inputs.use, kinds, as_of, config.history_days)
    stand = Stand(ground, inputs.catalogue, inputs.type_prices)
    held = [one for one in machines if one.held]
    abstained += _told_once("machines", [(one.name, one.held) for one in held])
    for one in machines:
        if one.held:
            continue
        where = allowed_regions(one.owner, one.environment, inputs.regions)
        for judged in _judged(stand, one, measured.get(one.name), where):
            take(judged, findings, abstained)
    blind = sum(1 for one in machines if not one.held and one.name not in measured)
    if blind:
        reason = (
            f"{blind} of {len(machines)} machines and databases that are billed by the hour are "
            "not measured, so their size is not judged"
        )
        abstained.append(Abstained(subject="machines", reason=reason))
    findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    return FindResult(findings=findings, abstained=abstained)


def _judged(
    stand: Stand, one: Machine, use: MachineUse | None, where: tuple[frozenset[str] | None, str]
) -> list[Finding | Abstained]:
    sized = size(stand, one, use) if use is not None else None
    found = [
        sized,
        generation(stand, one),
        architecture(stand, one),
        elsewhere(stand, one, *where),
    ]
    return [judged for judged in found if judged is not None]


def _machines(inputs: MachineInputs) -> tuple[list[Machine], list[Abstained]]:
    """The machines of a known type, and why the rest are not judged."""
    machines, unknown = [], []
    rows = inputs.machines.drop_duplicates("resource", keep="last").sort_values("resource")
    for row in rows[list(MACHINE_COLUMNS)].itertuples(index=False, name=None):
        resource, what, region, name, software, currency, owner, environment = map(word, row[:8])
        kind = inputs.catalogue.get(name)
        if kind is None:
            unknown.append((resource, f"what type {name!r} has is in no catalogue"))
            continue
        machines.append(
            Machine(
                name=resource,
                kind=kind,
                market=Market(what, region, software, currency),
                owner=owner,
                environment=environment or "unknown",
                field=word(row[8]),
                declared=word(row[9]),
                held=word(row[10]),
            )
        )
    return machines, _told_once("machines", unknown)


def _told_once(subject: str, reasons: list[tuple[str, str]]) -> list[Abstained]:
    """One abstention for each reason, by the name of the one it is of, or with how many."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    return [
        Abstained(subject=of[0], reason=reason)
        if len(of) == 1
        else Abstained(subject=subject, reason=f"{len(of)} of them: {reason}")
        for reason, of in names.items()
    ]


def _ground(
    inputs: MachineInputs, machines: list[Machine], as_of: date, config: SizingConfig
) -> Ground:
    prices = inputs.unit_prices
    known = pd.to_datetime(prices["day"]) <= pd.Timestamp(as_of)
    start = day_start(as_of - timedelta(days=config.history_days - 1))
    end = day_start(as_of + timedelta(days=1))
    return Ground(
        as_of=as_of,
        config=config,
        window=Window(start, end, pd.DataFrame(), config.history_days, {}),
        prices=PriceBook(prices.loc[known & (prices["meter"] == METER)]),
        carbon=CarbonBook(_NOTHING),
        owners={one.name: (one.owner, one.environment) for one in machines},
        declared={},
        resources=frozenset(),
        managed={},
        undeclared=frozenset(),
        unsure={},
        bounds=Bounds(),
        requested={},
        scaling=Scaling(),
    )


_NOTHING = Context(
    values=pd.DataFrame(),
    resources=frozenset(),
    managed={},
    undeclared=frozenset(),
    unsure={},
    owners=pd.DataFrame(),
    intensity=pd.DataFrame(columns=["resource", "gco2e_per_kwh"]),
)
