"""What is secretly true of the estate: waste, faults and anomalies, and what is right as it is.

Only benchmarks and tests read it. Where sizing is judged, need is what the demand model asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.cloud import Meter
from finops_dagster.demo.company import ACCOUNTS, PROVIDERS
from finops_dagster.demo.consumption import Event, meters, quantities, unit_price
from finops_dagster.demo.demand import (
    CALIBRATION_DAYS,
    MIB,
    Timeline,
    sizing_on,
    workload_series,
)
from finops_dagster.demo.folders import ML_NAMESPACES
from finops_dagster.demo.models import (
    BIAS_FROM,
    BIASED_GROUP,
    DRIFT_FROM,
    DRIFTED,
    FAIR,
    MODELS,
    TRAINING,
    UNFAIR,
    Serving,
    declared_on,
    is_biased,
    is_shifted,
)
from finops_dagster.demo.nodes import clusters, idle_share
from finops_dagster.demo.plan import Claim, Plan, Sizing, Workload
from finops_dagster.demo.seasons import FINE_MINUTES, day_number, minutes_of
from finops_dagster.demo.volumes import Claims, claim_size
from finops_dagster.domain.money import to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH

UNTAGGED = "(untagged)"
OVER_RATIO = 1.5
"""A request this many times the peak need is waste."""
HEADROOM = 1.15
"""What a careful person would leave above the peak need."""
FULL = 0.8
"""Share of its request at which a replica has enough to do."""
QUIET_SHARE = 0.2
"""Replica-hours without enough to do, as a share, that are worth a schedule."""
_KUSTOMIZED = (Layout.OVERLAY, Layout.INLINE_PATCH, Layout.MANIFEST)

Item = dict[str, Any]


def build_truth(
    plan: Plan,
    timeline: Timeline,
    claims: Claims,
    serving: Serving,
    hidden: tuple[Event, ...],
    first: date,
    last: date,
) -> list[Item]:
    """Every truth about the estate from `first` to `last`, in a fixed order."""
    found: list[Item] = []
    for workload in plan.workloads:
        sizing = sizing_on(workload, timeline, last)
        if sizing is not None and sizing.replicas > 0:
            found += _workload(plan.seed, workload, sizing, timeline, first, last)
    for claim in plan.claims:
        size = claim_size(claim, claims, last)
        if size is not None:
            found.append(_claim(claim, size, first, last))
    found += _nodes(plan, timeline, first, last)
    found += _anomalies(plan.seed, hidden, first, last)
    found += _models(plan, timeline, serving, first, last)
    return found


def _nodes(plan: Plan, timeline: Timeline, first: date, last: date) -> list[Item]:
    """Shares of a cluster's machines on the last days, of which there is a bill."""
    return [
        _item(
            "cluster_idle",
            cluster.name,
            "",
            day,
            day,
            {
                part: round(share, 9)
                for part, share in idle_share(plan, timeline, cluster, day, FINE_MINUTES).items()
            },
        )
        for cluster in clusters()
        for day in (last - timedelta(days=number) for number in range(7))
        if day >= first
    ]


def _item(kind: str, resource: str, field: str, since: date, until: date, expected: Item) -> Item:
    return {
        "kind": kind,
        "resource": resource,
        "field": field,
        "from": since.isoformat(),
        "to": until.isoformat(),
        "expected": expected,
    }


def _cents(amount: float) -> str:
    return format(to_decimal(amount, 2).quantize(Decimal("0.01")), "f")


def _money(amount: float, currency: str) -> Item:
    return {"saving_per_month": _cents(amount), "currency": currency}


def _net(workload: Workload, price: int) -> float:
    return price / 1e6 * (1 - workload.cluster.provider.discount_permille / 1000)


def _monthly(workload: Workload, sizing: Sizing, cores: float, gib: float, gpus: float) -> Item:
    """What so many cores, GiB and GPUs of the workload cost a month."""
    cluster, spec = workload.cluster, workload.spec
    hours = HOURS_PER_MONTH
    if spec.kind == "CronJob":
        hours = round(HOURS_PER_MONTH * spec.cron_minutes / 1440)
    amount = hours * (
        cores * _net(workload, cluster.cpu_price)
        + gib * _net(workload, cluster.memory_price)
        + gpus * _net(workload, workload.gpu_price)
    )
    return _money(amount, cluster.provider.currency)


def _whole(sizing: Sizing) -> tuple[float, float, float]:
    """Cores, GiB and GPUs that the workload declares over its replicas."""
    return (
        sum(c.cpu_millis for c in sizing.containers) / 1000 * sizing.replicas,
        sum(c.memory_mib for c in sizing.containers) / 1024 * sizing.replicas,
        float(sum(c.gpus for c in sizing.containers) * sizing.replicas),
    )


def _pod_path(workload: Workload) -> str:
    kind = workload.spec.kind
    if kind == "CronJob":
        return "spec.jobTemplate.spec.template.spec"
    return "spec.predictor" if kind == "InferenceService" else "spec.template.spec"


def _replicas_path(workload: Workload) -> str:
    inference = workload.spec.kind == "InferenceService"
    return "spec.predictor.minReplicas" if inference else "spec.replicas"


def _resources_path(workload: Workload, container: str) -> str:
    if workload.spec.kind == "InferenceService" and workload.style % 2:
        return "spec.predictor.model.resources"
    return f"{_pod_path(workload)}.containers[name={container}].resources"


def _workload(
    seed: int, workload: Workload, sizing: Sizing, timeline: Timeline, first: date, last: date
) -> list[Item]:
    truth, resource = workload.truth, workload.resource
    since = max(first, workload.first_day)
    whole = _monthly(workload, sizing, *_whole(sizing))
    if workload.spec.layout is Layout.UNDECLARED:
        return [_item("undeclared_workload", resource, "", since, last, whole)]
    if truth.idle:
        return [_item("idle_workload", resource, "spec.replicas", since, last, whole)]
    found: list[Item] = []
    if truth.idle_gpu:
        gpus = _monthly(workload, sizing, 0, 0, _whole(sizing)[2])
        found.append(_item("idle_gpu", resource, _replicas_path(workload), since, last, gpus))
    if truth.dark:
        # Nights and weekends: 108 of a week's 168 hours.
        cores, gib, _ = _whole(sizing)
        saved = _monthly(workload, sizing, cores * 108 / 168, gib * 108 / 168, 0)
        found.append(_item("off_hours", resource, "spec.replicas", since, last, saved))
    sizes = _sizes(seed, workload, sizing, timeline, last)
    if not truth.dark and all(one["kind"] == "right" for one in sizes if "cpu" in one["field"]):
        found += _quiet_hours(seed, workload, sizing, timeline, last)
    return found + sizes


def _quiet_hours(
    seed: int, workload: Workload, sizing: Sizing, timeline: Timeline, last: date
) -> list[Item]:
    """A fixed number of replicas, many of which the working week's nights do not need.

    Pods of the cluster that is billed by its machines have no price of their own.
    """
    spec, least = workload.spec, 2 if workload.environment == "prod" else 1
    fixed = spec.kind == "Deployment" and sizing.hpa is None and spec.profile == "office"
    if not fixed or workload.cluster.pools or sizing.replicas <= least:
        return []
    since = last - timedelta(days=CALIBRATION_DAYS - 1)
    minutes = minutes_of(since, last, FINE_MINUTES)
    use = sum(
        np.nan_to_num(one.values)
        for one in workload_series(seed, workload, timeline, minutes, FINE_MINUTES)
        if one.metric == "container_cpu_usage_seconds_total"
    )
    request = sum(container.cpu_millis for container in sizing.containers) / 1000
    needed = np.clip(np.ceil(use / (FULL * request)), least, sizing.replicas)
    share = 1 - float(needed.mean()) / sizing.replicas
    if share < QUIET_SHARE:
        return []
    cores, gib, gpus = (amount * share for amount in _whole(sizing))
    saved = _monthly(workload, sizing, cores, gib, gpus)
    return [_item("scheduled_scaling", workload.resource, "spec.replicas", since, last, saved)]


def _sizes(
    seed: int, workload: Workload, sizing: Sizing, timeline: Timeline, last: date
) -> list[Item]:
    """How CPU and memory requests of the main container compare with what it needs."""
    since = last - timedelta(days=CALIBRATION_DAYS - 1)
    minutes = minutes_of(since, last, FINE_MINUTES)
    series = {
        one.metric: one.values
        for one in workload_series(seed, workload, timeline, minutes, FINE_MINUTES)
        if one.container in (sizing.main.name, "")
    }
    pods = series["kube_deployment_spec_replicas"]
    path = _resources_path(workload, sizing.main.name)
    editable = workload.spec.layout in (*_KUSTOMIZED, Layout.KSERVE, Layout.HELM)
    found: list[Item] = []
    for what, metric, declared in (
        ("cpu", "container_cpu_usage_seconds_total", sizing.main.cpu_millis / 1000),
        ("memory", "container_memory_working_set_bytes", sizing.main.memory_mib * MIB),
    ):
        use = series[metric] / pods
        ran = use[~np.isnan(use)]
        if not len(ran):
            continue
        need = float(ran.max())
        if declared / need >= OVER_RATIO and sizing.hpa is None and workload.spec.kind != "CronJob":
            kind = f"rightsize_{what}"
        elif declared < float(np.quantile(ran, 0.99)):
            kind = f"underprovisioned_{what}"
        else:
            kind = "right"
        target = need * HEADROOM
        freed = (declared - target) * sizing.replicas
        money = (
            _monthly(workload, sizing, freed, 0, 0)
            if what == "cpu"
            else _monthly(workload, sizing, 0, freed / MIB / 1024, 0)
        )
        text = (
            (f"{sizing.main.cpu_millis}m", f"{round(target * 1000)}m")
            if what == "cpu"
            else (f"{sizing.main.memory_mib}Mi", f"{round(target / MIB)}Mi")
        )
        expected: Item = {"current": text[0], "editable": editable}
        if kind != "right":
            expected |= {"value": text[1], "peak_need": round(need, 6), **money}
        found.append(
            _item(kind, workload.resource, f"{path}.requests.{what}", since, last, expected)
        )
    return found


def _claim(claim: Claim, size_gib: int, first: date, last: date) -> Item:
    since = max(first, claim.first_day)
    price = claim.cluster.storage_price / 1e6
    net = price * (1 - claim.cluster.provider.discount_permille / 1000)
    expected: Item = {"current": f"{size_gib}Gi", "use": claim.use}
    if claim.use != "busy":
        expected |= _money(size_gib * net, claim.cluster.provider.currency)
    kind = "right" if claim.use == "busy" else "unused_volume"
    return _item(kind, claim.resource, "spec.resources.requests.storage", since, last, expected)


def _anomalies(seed: int, hidden: tuple[Event, ...], first: date, last: date) -> list[Item]:
    """Each anomaly with the money it cost: the bill as it is less the bill without it."""
    by_key = {meter.key: meter for meter in meters()}
    days = np.arange(day_number(first), day_number(last) + 1, dtype=np.int64)
    found: list[Item] = []
    for event in hidden:
        until = min(event.last or last, last)
        if until < first or event.first > last:
            continue
        meter = by_key[event.meter]
        provider = PROVIDERS[ACCOUNTS[meter.account].provider]
        team = meter.team if "team" in meter.tags else ""
        others = tuple(other for other in hidden if other is not event)
        cost = _cost(seed, meter, days, hidden)
        without = (
            np.zeros(len(days))
            if event.kind == "cost_anomaly_new_service"
            else _cost(seed, meter, days, others)
        )
        extra = float(((cost - without) * event.covers(days)).sum())
        extra *= 1 - provider.discount_permille / 1000
        found.append(
            _item(
                event.kind,
                f"{ACCOUNTS[meter.account].id}/{meter.service.name}/{team or UNTAGGED}",
                meter.meter,
                max(event.first, first),
                until,
                {
                    "money": _cents(extra),
                    "currency": provider.currency,
                    "provider": provider.name,
                    "sub_account_id": ACCOUNTS[meter.account].id,
                    "service": meter.service.name,
                    "team": team,
                    "region": meter.region,
                },
            )
        )
    return found


def _cost(seed: int, meter: Meter, days: Any, hidden: tuple[Event, ...]) -> Any:
    quantity = quantities(seed, meter, days, hidden) / 10_000
    return quantity * unit_price(meter, days, hidden) / 1e6


def _models(
    plan: Plan, timeline: Timeline, serving: Serving, first: date, last: date
) -> list[Item]:
    """What is wrong with AI models, and the change of what Git declares that ends it."""
    by_name = {model.name: model for model in MODELS}
    credit, churn = by_name["credit-risk"], by_name["churn"]
    found: list[Item] = []
    biased = _days(lambda day: is_biased(credit, day, serving), first, last)
    if biased:
        expected: Item = {"group": BIASED_GROUP[1], "effect": "lower selection rate"}
        found.append(_item("model_bias", credit.name, BIASED_GROUP[0], *biased, expected))
    if is_biased(credit, last, serving):
        workload = next(one for one in plan.workloads if one.resource == credit.workload)
        field = f"{_pod_path(workload)}.containers[name={workload.spec.container}].image"
        expected = {"from_version": UNFAIR, "to_version": FAIR}
        found.append(
            _item("model_rollback", workload.resource, field, max(first, BIAS_FROM), last, expected)
        )
    shifted = _days(lambda day: is_shifted(churn, day, serving), first, last)
    if shifted:
        expected = {"features": list(DRIFTED)}
        found.append(_item("model_drift", churn.name, ",".join(DRIFTED), *shifted, expected))
    if is_shifted(churn, last, serving):
        resource = f"ConfigMap/{ML_NAMESPACES[0]}/{TRAINING}"
        expected = {"current": declared_on(churn.name, last, serving)}
        found.append(
            _item(
                "model_retrain", resource, "data.data_until", max(first, DRIFT_FROM), last, expected
            )
        )
    for workload in plan.workloads:
        sizing = sizing_on(workload, timeline, last)
        if workload.spec.layout is Layout.UNDECLARED and sizing is not None and sizing.replicas:
            card = f"ModelCard/{workload.namespace}/{workload.spec.name}"
            since = max(first, workload.first_day)
            expected = {"workload": workload.resource, "owner": workload.spec.team}
            found.append(_item("shadow_ai", card, "", since, last, expected))
    found.append(_item("right", "demand-forecast", "", first, last, {}))
    return found


def _days(wrong: Callable[[date], bool], first: date, last: date) -> tuple[date, date] | None:
    """The first and the last day on which something was wrong."""
    days = [
        day
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
        if wrong(day)
    ]
    return (days[0], days[-1]) if days else None
