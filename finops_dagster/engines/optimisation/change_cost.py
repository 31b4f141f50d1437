"""What a change of declared values costs a month, at the rate really paid and the use measured.

Pure: what two commits declare and what was billed and measured come in. What has no price here is
told with the reason, never as nothing.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

import pandas as pd

from finops_dagster.domain.changes import FieldChange
from finops_dagster.domain.money import MONEY_PRECISION, MoneyRange, Range, to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.change_cloud import memory_changed, type_changed
from finops_dagster.engines.optimisation.change_rates import (
    FUNCTION,
    NO_CARBON_FIGURE,
    NO_PRICE,
    Priced,
    Rates,
    summed,
)
from finops_dagster.engines.optimisation.declared_sizes import Size, Sizes
from finops_dagster.engines.optimisation.idle import COMPUTE
from finops_dagster.engines.optimisation.machine_bill import TYPE_FIELDS
from finops_dagster.engines.optimisation.machine_stand import METER as MACHINE
from finops_dagster.engines.optimisation.prices import times
from finops_dagster.engines.optimisation.quantities import GIB

_METERS = ("cpu", "memory", "gpu")
_RUNS_NOW_AND_THEN = frozenset({"CronJob", "Job"})
"""Billed while they run: what they reserve is not reserved all the time."""
_STAYS = frozenset(
    {
        "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout",
        "DeploymentConfig", "InferenceService", "Pod",
    }
)  # fmt: skip
"""Kinds of which as many as declared run all the time."""


def changed(
    resource: str,
    change: FieldChange,
    before: Sizes,
    after: Sizes,
    rates: Rates,
) -> Priced:
    """One value of a resource that both commits declare.

    Requests change at the replicas measured; replicas and the like then at the new requests, so
    that the parts of a change add up. A resource that an autoscaler scales has as many as it had.
    """
    path = change.field
    if (size := after.at(resource, path) or before.at(resource, path)) is not None:
        if size.what == "replicas":
            return _replicas(resource, after, rates)
        if ".resources.limits" in path and (size in before.requests or size in after.requests):
            return _nothing(resource, rates, "a limit reserves nothing beside its request")
        return _request(resource, size, before, after, rates)
    scaled = after.scaling.get(resource) or before.scaling.get(resource)
    if scaled is not None:
        return _scaler(scaled[0], before, after, resource, path, rates)
    if path == "spec.resources.requests.storage" and resource.startswith("PersistentVolumeClaim/"):
        return _storage(resource, before, after, rates)
    if re.split(r"[.\]]", path)[-1] in TYPE_FIELDS and change.before and change.after:
        return type_changed(resource, change.before, change.after, rates)
    if path.rsplit(".", 1)[-1] in ("memorySize", "memory_size", "MemorySize"):
        return memory_changed(resource, change, rates)
    return Priced(None, None, "what it costs is not told by requests, replicas, types or sizes")


def removed(resource: str, before: Sizes, rates: Rates) -> Priced:
    """A resource that is gone: what it costs now, taken away."""
    cost = rates.prices.cost_per_month(resource, (*COMPUTE, "storage"))
    if cost is None and rates.machine_prices is not None:
        cost = rates.machine_prices.cost_per_month(resource, (MACHINE,))
    if cost is None and rates.functions is not None:
        cost = rates.functions.cost_per_month(resource, (FUNCTION,))
    reason = ""
    if cost is None:
        billed = rates.billed.get(resource, ())
        if len(billed) != 1:
            reason = "it is billed in more than one currency" if billed else NO_PRICE
            return Priced(None, None, reason)
        amount = billed[0].amount
        cost = MoneyRange(low=amount, mid=amount, high=amount, currency=billed[0].currency)
        reason = "as billed lately: its spread is not known"
    carbon, why = None, ""
    if sized := before.of(resource):
        replicas = _mean_replicas(resource, before, rates)
        cores, size_bytes = (
            sum((before.reserved(key) for key in sized if key.what == what), Decimal(0))
            for what in ("cpu", "memory")
        )
        carbon, why = _carbon(resource, -cores * replicas, -size_bytes * replicas, rates)
    return Priced(times(cost, -1), carbon, "; ".join(part for part in (reason, why) if part))


def added(resource: str, after: Sizes, rates: Rates) -> Priced:
    """A resource that is new: what it asks for, at what its peers pay for that.

    Peers are those of its namespace, else all that are billed; the interval is from the least to
    the most that one of them pays.
    """
    sized = after.of(resource)
    if not sized:
        return Priced(None, None, "it is new, and requests nothing that could be priced")
    kind = resource.split("/")[0]
    if kind not in _STAYS:
        return Priced(None, None, f"how many of a {kind} run, and how long, is not known before")
    scaler = after.scaler_of(resource)
    count = Decimal(scaler.minimum) if scaler is not None else after.replicas(resource)
    namespace = resource.split("/")[1]
    parts: list[MoneyRange] = []
    cores = size_bytes = Decimal(0)
    for key in sized:
        amount = after.reserved(key) * count
        cores += amount if key.what == "cpu" else 0
        size_bytes += amount if key.what == "memory" else 0
        priced = _of_peers(key.what, namespace, amount, rates.peers)
        if isinstance(priced, str):
            return Priced(None, None, priced)
        parts.append(priced)
    cost = summed(parts)
    if cost is None:
        return Priced(None, None, "its parts are billed in more than one currency")
    carbon, why = _carbon(resource, cores, size_bytes, rates)
    basis = f"new: {count} replicas as declared, at what others pay"
    if scaler is not None:
        basis = f"new: {scaler.resource} keeps {count} replicas at least, at what others pay"
    return Priced(cost, carbon, "; ".join(part for part in (basis, why) if part))


def _request(resource: str, size: Size, before: Sizes, after: Sizes, rates: Rates) -> Priced:
    delta = after.reserved(size) - before.reserved(size)
    if size.what not in _METERS:
        return Priced(None, None, f"{size.what} has no price of its own on the bill")
    if not delta:
        return _nothing(resource, rates, "it asks for as much as before")
    if why := rates.prices.why_not(resource, size.what):
        return Priced(None, None, why)
    if resource.split("/")[0] in _RUNS_NOW_AND_THEN:
        return _share(resource, size.what, delta, before, rates)
    replicas = rates.replicas.get(resource)
    if replicas is None or replicas.empty:
        return Priced(None, None, "its replicas are not measured")
    cost = _units(resource, size.what, _daily(replicas) * float(delta), rates)
    mean = to_decimal(float(replicas.mean()))
    cores = delta * mean if size.what == "cpu" else Decimal(0)
    size_bytes = delta * mean if size.what == "memory" else Decimal(0)
    if size.what == "gpu":
        return Priced(cost, None, NO_CARBON_FIGURE)
    return Priced(cost, *_carbon(resource, cores, size_bytes, rates))


def _share(resource: str, meter: str, delta: Decimal, before: Sizes, rates: Rates) -> Priced:
    """Of what runs now and then: its own cost, as much more as it asks for more."""
    whole = sum((before.reserved(size) for size in before.of(resource) if size.what == meter),
                Decimal(0))  # fmt: skip
    cost = rates.prices.cost_per_month(resource, (meter,))
    if not whole or cost is None:
        return Priced(None, None, f"it asked for no {meter} before")
    reason = f"if it runs as often and as long as it did; {NO_CARBON_FIGURE}"
    return Priced(times(cost, float(delta / whole)), None, reason)


def _replicas(resource: str, after: Sizes, rates: Rates) -> Priced:
    scaler = after.managed.get(resource)
    if scaler is not None:
        return Priced(None, None, f"{scaler} sets its replicas: what is declared has no effect")
    replicas = rates.replicas.get(resource)
    if replicas is None or replicas.empty:
        return Priced(None, None, "its replicas are not measured")
    wanted = after.replicas(resource)
    return _more(resource, resource, float(wanted) - replicas, after, rates)


def _scaler(
    target: str, before: Sizes, after: Sizes, scaler: str, path: str, rates: Rates
) -> Priced:
    """A minimum that rises costs what it adds to the replicas measured; else nobody knows."""
    replicas = rates.replicas.get(target)
    was, now = before.scaling.get(scaler), after.scaling.get(scaler)
    if replicas is None or replicas.empty or was is None or now is None:
        return Priced(None, None, f"replicas of {target} are not measured")
    if path in ("spec.minReplicas", "spec.minReplicaCount"):
        if now[1].minimum <= was[1].minimum:
            reason = f"how far below {was[1].minimum} replicas it scales was never seen"
            return Priced(None, None, reason)
        return _more(target, scaler, (now[1].minimum - replicas).clip(lower=0.0), after, rates)
    if path in ("spec.maxReplicas", "spec.maxReplicaCount"):
        most = float(replicas.max())
        if most < min(was[1].maximum, now[1].maximum):
            return _nothing(target, rates, f"it had {most:g} replicas at most")
        return Priced(None, None, f"it had {most:g} replicas: what it does beyond was never seen")
    return Priced(None, None, "when it scales changes: what that does to replicas was never seen")


def _more(resource: str, named: str, more: pd.Series, after: Sizes, rates: Rates) -> Priced:
    """So many replicas more, by interval, each as `after` declares it."""
    sized = after.of(resource)
    if not sized:
        return Priced(None, None, f"{resource} requests nothing that could be priced")
    parts = []
    cores = size_bytes = Decimal(0)
    mean = to_decimal(float(more.mean()))
    for key in sized:
        if why := rates.prices.why_not(resource, key.what):
            return Priced(None, None, why)
        each = after.reserved(key)
        parts.append(_units(resource, key.what, _daily(more) * float(each), rates))
        cores += each * mean if key.what == "cpu" else 0
        size_bytes += each * mean if key.what == "memory" else 0
    cost = summed(parts)
    if cost is None:
        return Priced(None, None, "its parts are billed in more than one currency")
    carbon, why = _carbon(resource, cores, size_bytes, rates)
    whose = "" if named == resource else f" of {resource}"
    basis = f"{float(mean):+.3g} replicas{whose} against those measured"
    return Priced(cost, carbon, "; ".join(part for part in (basis, why) if part))


def _storage(resource: str, before: Sizes, after: Sizes, rates: Rates) -> Priced:
    was, now = before.storage.get(resource), after.storage.get(resource)
    if was is None or now is None:
        return Priced(None, None, "its size cannot be read")
    if why := rates.prices.why_not(resource, "storage"):
        return Priced(None, None, why)
    days = rates.prices.quantities(resource, "storage").index
    units = pd.Series(float((now - was) / GIB), index=days)
    return Priced(rates.prices.saving(resource, "storage", units)[0], None, NO_CARBON_FIGURE)


def _nothing(resource: str, rates: Rates, reason: str) -> Priced:
    """No cost, in the currency in which the resource is billed."""
    cost = rates.prices.cost_per_month(resource, COMPUTE)
    if cost is None:
        return Priced(None, None, f"{reason}, and {NO_PRICE}")
    return Priced(times(cost, 0), Range(low=0.0, mid=0.0, high=0.0), reason)


def _units(resource: str, meter: str, units: pd.Series, rates: Rates) -> MoneyRange:
    """What so many more cores, bytes or GPUs by day cost a month."""
    scaled = units / GIB if meter == "memory" else units
    return rates.prices.saving(resource, meter, scaled)[0]


def _daily(by_interval: pd.Series) -> pd.Series:
    """Means by day."""
    return by_interval.groupby(pd.DatetimeIndex(by_interval.index).normalize()).mean()


def _mean_replicas(resource: str, declared: Sizes, rates: Rates) -> Decimal:
    measured = rates.replicas.get(resource)
    if measured is None or measured.empty:
        return declared.replicas(resource)
    return to_decimal(float(measured.mean()))


def _carbon(
    resource: str, cores: Decimal, size_bytes: Decimal, rates: Rates
) -> tuple[Range | None, str]:
    if not rates.carbon.known(resource):
        return None, "no grid intensity is known for where it runs: its carbon is not counted"
    return rates.carbon.reserved(resource, float(cores), float(size_bytes)), ""


def _of_peers(meter: str, namespace: str, amount: Decimal, peers: pd.DataFrame) -> MoneyRange | str:
    """`amount` cores, bytes or GPUs at what others pay; why not, where none does."""
    paid = peers.loc[peers["meter"] == meter]
    near = paid.loc[paid["resource"].str.split("/").str[1] == namespace]
    found = near if len(near) else paid
    if found.empty:
        return f"nobody pays for {meter} by the hour on this bill"
    currencies = found["currency"].unique()
    if len(currencies) > 1:
        return f"others pay for {meter} in {', '.join(sorted(currencies))}"
    hours = Decimal(HOURS_PER_MONTH)
    with localcontext() as context:
        context.prec = MONEY_PRECISION
        units = (amount / GIB if meter == "memory" else amount) * hours
        prices = [Decimal(str(one)) for one in found["unit_price"]]
        middle = sum(prices, Decimal(0)) / len(prices)
        return MoneyRange(
            low=units * min(prices),
            mid=units * middle,
            high=units * max(prices),
            currency=str(currencies[0]),
        )
