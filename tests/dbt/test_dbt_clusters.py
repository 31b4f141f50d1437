"""The cost of clusters split to what their workloads held, beside a plain reading of the rules.

The rules are those of docs/allocation.md, applied here one charge at a time, with fractions.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.defs.line import ALLOCATION, dbt_selection
from finops_dagster.domain.allocation import Allocation
from tests.dbt.landing import Estate, Result
from tests.dbt.test_dbt_allocation import METRICS, MONTHS, write

HOURS = ("cpu_core_hours", "memory_gib_hours", "gpu_hours")
PRICES = ("cpu_hourly_cost", "memory_hourly_cost", "gpu_hourly_cost")
REFERENCE = {"cpu_core_hours": "0.031611", "memory_gib_hours": "0.004237", "gpu_hours": "0.95"}
DAYS = [MONTHS[0] + timedelta(days=28 + number) for number in range(5)]
"""The last days of a month and the first of the next."""
CLUSTERS = (
    "plain", "crowded", "sliced", "priced", "half-priced", "unlimited", "asleep", "unmeasured",
    "empty", "by-pod",
)  # fmt: skip
WHY = {
    "unmeasured": "the capacity of its nodes was not measured",
    "empty": "no workload of it was measured",
    "by-pod": "its workloads are billed one by one",
}
SERVICES = {
    "Amazon Elastic Compute Cloud": ("Compute", "node"),
    "Amazon Elastic Kubernetes Service": ("Compute", "control_plane"),
    "Amazon Elastic Block Store": ("Storage", "storage"),
    "Elastic Load Balancing": ("Networking", "network"),
    "AmazonCloudWatch": ("Management and Governance", "other"),
}
FILE = Allocation.model_validate(
    {
        "rules": [
            {"name": "shops", "when": {"namespace": "shop*"}, "set": {"team": "red"}},
            {"name": "pay", "when": {"namespace": "pay"}, "set": {"team": "blue"}},
        ],
        "shared": [
            {
                "name": "idle",
                "when": {"cost_part": "idle", "cluster": "plain"},
                "split": "proportional",
                "by": "cpu_core_hours",
            }
        ],
    }
)


@dataclass(frozen=True)
class World:
    """What was billed and measured."""

    charges: list[dict[str, Any]]
    capacity: dict[tuple[str, date], dict[str, Any]]
    held: dict[tuple[str, date], dict[str, dict[str, float]]]
    """(cluster, day) -> resource -> hours."""


def world(seed: int) -> World:
    draw = random.Random(seed)
    capacity: dict[tuple[str, date], dict[str, Any]] = {}
    held: dict[tuple[str, date], dict[str, dict[str, float]]] = {}
    for cluster in CLUSTERS:
        for day in DAYS:
            has = {"cpu_core_hours": draw.choice([96.0, 384.0]), "memory_gib_hours": 1536.0}
            if cluster in ("sliced", "priced", "half-priced"):
                has["gpu_hours"] = 48.0
            row: dict[str, Any] = dict.fromkeys((*HOURS, *PRICES)) | has
            for name in HOURS:
                kept = 0.0 if name == "gpu_hours" else draw.uniform(0, 0.1)
                there = name in has and cluster != "unlimited"
                row[f"allocatable_{name}"] = has[name] * (1 - kept) if there else None
            if cluster == "priced":
                row |= {name: draw.uniform(0.001, 2) for name in PRICES}
            if cluster == "half-priced":
                row |= {"cpu_hourly_cost": 7.0, "memory_hourly_cost": 3.0}
            if cluster != "unmeasured":
                capacity[cluster, day] = row
            if cluster != "empty":
                held[cluster, day] = {
                    f"Deployment/{namespace}/{name}": {
                        hours: 0.0
                        if cluster == "asleep"
                        else most * draw.uniform(*((20, 40) if cluster == "crowded" else (0, 1)))
                        for hours, most in zip(HOURS, (20, 90, 48 / 7), strict=True)
                        if hours != "gpu_hours" or (hours in has and draw.random() < 0.6)
                    }
                    for namespace, name in (
                        ("shop", "web"), ("shop-eu", "web"), ("pay", "api"), ("kube-system", "dns"),
                    )
                    if draw.random() < 0.9
                }  # fmt: skip
    charges = []
    for _ in range(1200):
        service = draw.choice(list(SERVICES))
        cluster = draw.choice([*CLUSTERS, "crowded", None])
        day = draw.choice(DAYS)
        # what is billed for a workload, or a claim, is its own
        resource = draw.choice(["PersistentVolumeClaim/pay/data", *[None] * 9])
        if cluster == "by-pod" and draw.random() < 0.5:
            resource = "Deployment/pay/api"
        if resource and service != "Amazon Elastic Block Store" and cluster != "by-pod":
            resource = None

        def money() -> Decimal:
            return Decimal(draw.randint(-(10**20), 10**21)).scaleb(-20)

        charges.append(
            {
                "source": draw.choice(["aws", "resold"]),
                "billing_period": draw.choice([day.replace(day=1), MONTHS[1]]),
                "charge_date": day,
                "provider_name": "AWS",
                "billing_account_id": "payer",
                "sub_account_id": draw.choice(["a1", "a2", None]),
                "service_category": SERVICES[service][0],
                "service_name": service,
                "region_id": "eu-west-1",
                "resource_id": f"i-{draw.randint(1, 9)}",
                "resource": resource,
                "namespace": "pay" if resource or (cluster == "by-pod" and day.day % 2) else None,
                "cluster": cluster,
                "team": draw.choice(["desk", None]),
                "charge_category": draw.choice(["Usage", "Usage", "Credit"]),
                "consumed_quantity": Decimal(1),
                "billing_currency": draw.choice(["USD", "USD", "EUR"]),
                "billed_cost": money(),
                "effective_cost": money(),
                "list_cost": None if service.startswith("Elastic L") else abs(money()),
                "contracted_cost": money(),
                "charge_count": 1,
            }
        )
    for day in DAYS:
        # a cluster whose pods are billed is so on each day
        charges.append(
            {**charges[0], "cluster": "by-pod", "namespace": "pay", "charge_date": day}
            | {"service_category": "Compute", "billing_period": MONTHS[1]}
        )
    return World(charges, capacity, held)


def shares(
    row: Mapping[str, Any], held: Mapping[str, Mapping[str, float]]
) -> tuple[dict[tuple[str, str | None], Fraction], dict[tuple[str, str | None], Fraction]]:
    """(part, resource) -> share of a node's cost, and of what else a cluster is billed for."""
    there = [name for name in HOURS if row[name]]
    prices = dict(zip(HOURS, PRICES, strict=True))
    own = all(row[prices[name]] for name in there)
    value = {
        name: Fraction(row[name]) * Fraction(row[prices[name]] if own else REFERENCE[name])
        for name in there
    }
    nodes: dict[tuple[str, str | None], Fraction] = defaultdict(Fraction)
    for name in there:
        weight = value[name] / sum(value.values())
        has = Fraction(row[name])
        may = Fraction(row[f"allocatable_{name}"]) if row[f"allocatable_{name}"] else has
        wanted = sum(Fraction(of.get(name, 0)) for of in held.values())
        nodes["overhead", None] += weight * (has - may) / has
        nodes["idle", None] += weight * max(may - wanted, Fraction(0)) / has
        for resource, of in held.items():
            got = Fraction(of.get(name, 0)) * (min(wanted, may) / wanted if wanted else 0)
            nodes["used", resource] += weight * got / has
    used = {resource: share for (part, resource), share in nodes.items() if part == "used"}
    whole = sum(used.values())
    others: dict[tuple[str, str | None], Fraction] = (
        {("overhead", resource): share / whole for resource, share in used.items()}
        if whole
        else {("overhead", None): Fraction(1)}
    )
    return nodes, others


def expected(given: World) -> Iterator[tuple[tuple[Any, ...], Fraction]]:
    """((month, day, source, cluster, currency, service, part, resource, metric), money)."""
    for charge in given.charges:
        cluster, day = charge["cluster"], charge["charge_date"]
        if cluster is None or charge["namespace"] is not None or cluster in WHY:
            continue
        nodes, others = shares(given.capacity[cluster, day], given.held[cluster, day])
        is_node = SERVICES[charge["service_name"]][1] == "node"
        for (part, resource), share in (nodes if is_node else others).items():
            key = (
                charge["billing_period"], day, charge["source"], cluster,
                charge["billing_currency"], charge["service_name"], part, resource,
            )  # fmt: skip
            for metric in METRICS:
                yield (*key, metric), Fraction(charge[metric] or 0) * share


def build(root: Path, given: World, **variables: Any) -> tuple[Estate, Result]:
    estate = Estate(root)
    workloads = [
        {"day": day, "cluster": cluster, "namespace": resource.split("/")[1], "resource": resource}
        # of a workload's containers each has its own row
        | {name: hours.get(name, 0) / 2 for name in HOURS}
        for (cluster, day), of in given.held.items()
        for resource, hours in of.items()
        for _ in range(2)
    ]
    capacity = [
        {"day": day, "cluster": cluster, **row} for (cluster, day), row in given.capacity.items()
    ]
    published = {
        "fct_costs_daily": [write(root, "fct_costs_daily", given.charges)],
        "fct_workload_utilisation_daily": [write(root, "workloads", workloads)],
        "fct_cluster_capacity_daily": [write(root, "capacity", capacity)],
    }
    result = estate.dbt(
        *dbt_selection(ALLOCATION.name),
        published=published, allocation=FILE.model_dump(mode="json", by_alias=True), **variables,
    )  # fmt: skip
    return estate, result


@pytest.fixture(scope="module")
def given() -> World:
    return world(seed=20261129)


@pytest.fixture(scope="module")
def built(given: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    return build(tmp_path_factory.mktemp("clusters"), given)


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """That idle, used and overhead are the node's cost, and all the bill, is told there."""
    assert built[1].exit_code == 0, built[1].output


def test_each_workload_receives_what_it_held(built: tuple[Estate, Result], given: World) -> None:
    """A team that pays for what others hold, or for nobody's idle nodes, argues; it is right."""
    rows = built[0].query(
        "unpivot (select billing_period, charge_date, source, cluster, billing_currency,"
        f" service_name, cost_part, resource, {', '.join(f'sum({m}) as {m}' for m in METRICS)}"
        " from fct_allocated_costs_daily where line = 'received' and cost_part is not null"
        f" group by all) on {', '.join(METRICS)}"
    )
    found = {tuple(row[:-1]): row[-1] for row in rows}
    wanted: dict[tuple[Any, ...], Fraction] = defaultdict(Fraction)
    size: dict[tuple[Any, ...], int] = defaultdict(int)
    for key, amount in expected(given):
        wanted[key] += amount
        size[key] += 1
    assert found.keys() <= wanted.keys()
    for key, amount in wanted.items():
        # a share has nine decimals, and the largest has what the others were rounded by
        assert abs(Fraction(found.get(key, 0)) - amount) < 10 * size[key] * Fraction("6e-9"), key


def test_what_is_given_is_received_to_the_last_digit(
    built: tuple[Estate, Result], given: World
) -> None:
    """A cent that is lost on the way to a workload makes of every sum an argument."""
    place = (
        "billing_period",
        "charge_date",
        "source",
        "cluster",
        "billing_currency",
        "service_name",
    )
    billed: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * len(METRICS))
    for one in given.charges:
        if one["cluster"] and one["namespace"] is None and one["cluster"] not in WHY:
            key = tuple(one[name] for name in place)
            billed[key] = [
                sum((had, one[metric] or Decimal(0)), Decimal(0))
                for had, metric in zip(billed[key], METRICS, strict=True)
            ]
    for line, sign in (("received", 1), ("given", -1)):
        sums = ", ".join(f"coalesce(sum({metric}), 0)" for metric in METRICS)
        rows = built[0].query(
            f"select {', '.join(place)}, {sums} from fct_allocated_costs_daily"
            f" where line = '{line}' and cluster is not null and pool is null group by all"
        )
        pooled = built[0].query(
            f"select {', '.join(place)}, {sums} from fct_allocated_costs_daily"
            " where line = 'received' and cluster is not null and pool is not null group by all"
        )
        found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
        for row in [*rows, *(pooled if line == "received" else [])]:
            key = tuple(row[: len(place)])
            found[key] = [a + sign * b for a, b in zip(found[key], row[len(place) :], strict=True)]
        assert found == billed


def test_a_cluster_is_told_in_parts_or_with_the_reason(
    built: tuple[Estate, Result], given: World
) -> None:
    """Nodes that could not be split must not look like nodes without idle time."""
    rows = built[0].query(
        "select charge_date, cluster, metric, billing_currency, billing_period, reason, node_cost,"
        " used_cost, idle_cost, overhead_cost, control_plane_cost, storage_cost, network_cost,"
        " other_cost from fct_cluster_costs_daily"
    )
    assert {row[1] for row in rows} == set(CLUSTERS)
    assert {row[1]: row[5] for row in rows if row[5]} == WHY
    for day, cluster, metric, currency, period, reason, node, *parts in rows:
        charged = [
            one
            for one in given.charges
            if (one["charge_date"], one["cluster"], one["billing_currency"], one["billing_period"])
            == (day, cluster, currency, period)
            and one["namespace"] is None
        ]
        by_part = {
            name: sum(
                (
                    one[metric] or Decimal(0)
                    for one in charged
                    if SERVICES[one["service_name"]][1] == name
                ),
                Decimal(0),
            )
            for name in ("node", "control_plane", "storage", "network", "other")
        }
        assert [node, *parts[3:]] == list(by_part.values())
        assert sum(parts[:3]) == (0 if reason else node)
        if cluster == "asleep":
            assert parts[0] == 0
        if cluster == "crowded":
            assert parts[1] == 0, "nothing is idle where more is held than there is"
    idle = {row[1] for row in rows if row[8]}
    assert idle == {"plain", "sliced", "priced", "half-priced", "unlimited", "asleep"}


def test_idle_cost_can_be_shared(built: tuple[Estate, Result]) -> None:
    """Idle capacity has no team of its own: who wants it paid says by whom."""
    teams = built[0].query(
        "select team, sum(billed_cost) <> 0 from fct_allocated_costs_daily"
        " where pool = 'idle' and line = 'received' and cost_part is null"
        " and billing_currency = 'USD' group by team order by team"
    )
    # desk: by the tags of the nodes, of workloads that no rule knows
    assert teams == [("blue", True), ("desk", True), ("red", True)]
    lines = built[0].query(
        "select distinct cost_part, line from fct_allocated_costs_daily where pool = 'idle'"
        " order by all"
    )
    assert lines == [("idle", "given"), ("idle", "received"), (None, "received")]


def test_what_was_not_split_stays_with_its_owner(built: tuple[Estate, Result]) -> None:
    """A cost that nobody could measure keeps the team of its tags, and is billed once."""
    lines = built[0].query(
        "select distinct cluster, line from fct_allocated_costs_daily"
        f" where cluster in ({', '.join(repr(name) for name in WHY)})"
    )
    assert {line for _, line in lines} == {"charge"}
    assert built[0].query(
        "select sum(case when line = 'given' then 1 end) > 0, count(distinct team)"
        " from fct_allocated_costs_daily where cluster = 'plain' and line in ('charge', 'given')"
        " and team = 'desk'"
    ) == [(True, 1)]
