"""Gathers what a change is priced by: prices, replicas, intensities of what it is about.

What is made of them is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, resources, running
from finops_dagster.defs.insight.bills import bills_of, matched
from finops_dagster.defs.insight.net_prices import price_reader
from finops_dagster.defs.insight.waste.machines import machine_inputs
from finops_dagster.desired_state import (
    RepositoryIndex,
)
from finops_dagster.desired_state.changes import Declared
from finops_dagster.engines.optimisation import Context, unit_prices
from finops_dagster.engines.optimisation.carbon import CarbonBook
from finops_dagster.engines.optimisation.change_rates import (
    FUNCTION,
    Rates,
)
from finops_dagster.engines.optimisation.declared_sizes import Sizes, targets
from finops_dagster.engines.optimisation.machine_prices import Market
from finops_dagster.engines.optimisation.prices import PRICE_COLUMNS, PriceBook
from finops_dagster.engines.optimisation.profiles import per_replica
from finops_dagster.engines.optimisation.window import evidence, naive
from finops_dagster.storage.publication import PublishedReader, or_empty

_PEERS = 2_000
"""Resources whose prices are looked at for what is new, where its own namespace has none."""


def gather_rates(
    estate: Estate,
    reader: PublishedReader,
    as_of: date,
    declared: Sequence[Declared],
    base: RepositoryIndex,
    head: RepositoryIndex,
    before: Sizes,
) -> Rates:
    """What the resources of a change, and their peers, cost and do."""
    days = estate.settings.sizing.history_days
    known = {one.resource for one in declared if not one.begins}
    known |= targets(base.resources(), known) | targets(head.resources(), known)
    names = sorted(known & set(running.billed_names(reader, as_of, days)))
    prices = price_reader(reader, as_of, days)(names) if names else _no_prices()
    new = [one.resource for one in declared if one.begins]
    peers = _peers(reader, as_of, days, new) if new else _no_peers()
    machines = machine_inputs(estate, reader, as_of)
    joined = resources.reader(estate, as_of)
    matches = None
    if joined is not None:
        cost_days = estate.settings.matching.cost_days
        matches = matched(joined, reader, as_of, cost_days)
    bills = bills_of(matches) if matches is not None else {}
    return Rates(
        prices=PriceBook(prices),
        replicas=_replicas(reader, as_of, days, sorted(known), before),
        carbon=CarbonBook(_context(reader, as_of, days, new)),
        peers=peers,
        machines={}
        if machines is None
        else {
            row["resource"]: (
                Market(row["what"], row["region"], row["software"], row["currency"]),
                row["instance_type"],
            )
            for row in machines.machines.to_dict("records")
        },
        machine_prices=None if machines is None else PriceBook(machines.unit_prices),
        type_prices=None if machines is None else machines.type_prices,
        functions=_functions(estate, reader, as_of, days),
        billed={name: bill.cost_per_month for name, bill in bills.items()},
    )


def _no_prices() -> pd.DataFrame:
    return pd.DataFrame(columns=list(PRICE_COLUMNS))


def _no_peers() -> pd.DataFrame:
    return pd.DataFrame(columns=["resource", "meter", "currency", "unit_price"])


def _replicas(
    reader: PublishedReader, as_of: date, days: int, names: Sequence[str], before: Sizes
) -> dict[str, pd.Series]:
    """Replicas of each workload by interval, as sizing counts them."""
    measured = [name for name in running.measured_rows(reader, as_of, days) if name in names]
    if not measured:
        return {}
    window = evidence(running.measurements(reader, as_of, days, measured), as_of, days)
    cores: dict[str, dict[str, float]] = {}
    for size, amount in before.requests.items():
        own = cores.setdefault(size.resource, {})
        own.setdefault(size.container, 0.0)
        if size.what == "cpu":
            own[size.container] = float(amount)
    samples = per_replica(window, cores)
    rows = samples.rows
    found: dict[str, pd.Series] = {}
    for place, (resource, _) in enumerate(samples.keys):
        its = rows.loc[rows["of"] == place]
        series = pd.Series(its["replicas"].to_numpy(), index=naive(its["time"]))
        if resource not in found or len(series) > len(found[resource]):
            found[resource] = series
    return found


def _peers(reader: PublishedReader, as_of: date, days: int, new: Sequence[str]) -> pd.DataFrame:
    """What resources pay, of the namespaces of what is new first."""
    spaces = {name.split("/")[1] for name in new}
    names = running.billed_names(reader, as_of, days)
    near = [name for name in names if name.count("/") == 2 and name.split("/")[1] in spaces]
    others = [name for name in names if name not in set(near)]
    prices = price_reader(reader, as_of, days)([*near, *others][:_PEERS])
    if prices.empty:
        return _no_peers()
    keys = ["resource", "meter", "currency"]
    summed = prices.groupby(keys, as_index=False)[["cost", "quantity"]].sum()
    summed = summed.loc[summed["cost"] > 0]
    return summed.assign(unit_price=summed["cost"] / summed["quantity"])[[*keys, "unit_price"]]


def _context(reader: PublishedReader, as_of: date, days: int, new: Sequence[str]) -> Context:
    """Grid intensities: measured, and for what is new the mean of its namespace, else of all."""
    columns = ["resource", "gco2e_per_kwh"]
    intensity = or_empty(running.intensity(reader, as_of, days), columns)
    if len(intensity) and new:
        space = intensity["resource"].str.split("/").str[1]
        means = intensity.groupby(space)["gco2e_per_kwh"].mean()
        whole = float(intensity["gco2e_per_kwh"].mean())
        rows = [(name, float(means.get(name.split("/")[1], whole))) for name in new]
        intensity = pd.concat([intensity, pd.DataFrame(rows, columns=columns)])
    return Context(
        values=pd.DataFrame(),
        resources=frozenset(),
        managed={},
        undeclared=frozenset(),
        unsure={},
        owners=pd.DataFrame(),
        intensity=intensity,
    )


def _functions(estate: Estate, reader: PublishedReader, as_of: date, days: int) -> PriceBook | None:
    """What functions compute, by the names of their declarations."""
    kinds = frozenset({"serverless_compute"})
    costs = billed.billed_resources(reader, as_of, days, kinds)
    if costs is None or costs.empty:
        return None
    named = billed.named(costs, billed.declared_names(resources.reader(estate, as_of), as_of))
    rows = named.loc[named["usage_kind"].isin(kinds)]
    pairs = set(zip(rows["sku_meter"], rows["consumed_unit"], strict=True))
    return PriceBook(
        unit_prices(
            rows, as_of, days, meter_of=lambda sku, unit: FUNCTION if (sku, unit) in pairs else None
        )
    )
