"""Resources that are billed by the hour and that nothing uses, as the bill itself tells.

Where the bill does not tell of use, nothing is guessed. What keeps data is judged elsewhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.bills import OTHER, Bill
from finops_dagster.engines.optimisation.inputs import take

ADDRESS_DAYS = 7
"""A week, as OptScale asks of what it calls abandoned: machines that stop at weekends are used."""
USE_A_DAY = 0.001
"""AWS Trusted Advisor: a load balancer with less than 100 requests a day over 7 days is idle. That
is 1 MB of 10 kB each, or .001 of the capacity units that take 25 new connections a second for an
hour (Elastic Load Balancing pricing). In units of what use is billed in: GB or unit-hours."""
BILLED_SHARE = 0.9
"""Billed by the hour on fewer of its days, a resource comes and goes, and is not left over."""


@dataclass(frozen=True)
class Hourly:
    """A kind of resource that is billed by the hour, and by what is used of it."""

    kind: FindingKind
    word: str
    hours: str
    use: str
    days: int
    """Days billed without use that are asked for."""
    wrong_if: str


HOURLY = (
    Hourly(
        FindingKind.IDLE_LOAD_BALANCER, "load balancer", "load_balancer_hours",
        "load_balancer_use", 14, "it waits for traffic: a failover, a launch, a rare event",
    ),
    Hourly(
        FindingKind.IDLE_GATEWAY, "gateway", "gateway_hours", "gateway_use", 30,
        "it stands by for another zone, or routes of a rare job go through it",
    ),
    Hourly(
        FindingKind.UNUSED_ENDPOINT, "model endpoint", "endpoint_hours", "endpoint_use", 14,
        "it is kept warm for a launch or a rare call",
    ),
)  # fmt: skip
"""30 days of a gateway are those of Trusted Advisor's check of inactive NAT gateways; two weeks of
the others are twice its week of load balancers, so that a monthly pause is less often taken for
the end."""


def idle_addresses(bill: Bill) -> tuple[list[Finding], list[Abstained]]:
    """IDLE_ADDRESS for addresses that were billed as idle on most days of the last week, and as
    used on none.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource in bill.resources("idle_address"):
        days = bill.days(resource, ADDRESS_DAYS)
        idle = bill.billed_on(resource, "idle_address") & set(days)
        if not bill.still(resource, "idle_address") or len(idle) <= len(days) / 2:
            continue
        ever = bill.billed_on(resource, "idle_address") | bill.billed_on(resource, "used_address")
        used = bill.billed_on(resource, "used_address") & set(days)
        if len(days) < ADDRESS_DAYS or used or min(ever) > days[0]:
            why = f"used on {len(used)} of them" if used else f"known for less than {ADDRESS_DAYS}"
            reason = f"billed as idle on {len(idle)} of {len(days)} days, and {why}"
            abstained.append(Abstained(subject=resource, reason=reason))
            continue
        cost = bill.cost(resource, ("idle_address",))
        if isinstance(cost, Abstained):
            abstained.append(cost)
        elif cost is not None:
            findings.append(
                bill.finding(
                    FindingKind.IDLE_ADDRESS, resource, saving=cost, days=days,
                    samples=len(idle), rule="idle address rule",
                    figures={"days_idle": len(idle), "days_used": 0.0},
                    reason=f"Billed as idle on {len(idle)} of the last {len(days)} days, and as "
                    "used on none.",
                    wrong_if="the address itself is kept: others know it or allow it by name",
                )
            )  # fmt: skip
    return findings, abstained


def idle_by_hours(
    bill: Bill,
    of: Hourly,
    answered: frozenset[str] = frozenset(),
    silent: frozenset[str] = frozenset(),
) -> tuple[list[Finding], list[Abstained]]:
    """Findings of one kind that is billed by the hour: its use is nothing, or next to it.

    Use that is billed on no resource of the kind in an account tells nothing of any there; nor do
    charges of another kind say that a resource is unused. `answered` and `silent`: resources that
    telemetry has seen in use, or not once in all of the days.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    told = _accounts_with_use(bill, of)
    untold: dict[str, list[str]] = defaultdict(list)
    for resource in bill.resources(of.hours):
        whose = bill.whose[resource]
        if resource in answered or not bill.still(resource, of.hours):
            continue
        if resource not in silent and (whose.provider, whose.account) not in told:
            untold[whose.account].append(resource)
            continue
        judged = _judged(bill, of, resource)
        take(judged, findings, abstained)
    for account, resources in sorted(untold.items()):
        reason = (
            f"{len(resources)} billed by the hour, and use is billed of none in the account: "
            "whether any is idle is not told"
        )
        abstained.append(Abstained(subject=f"{of.word}s of {account}", reason=reason))
    return findings, abstained


def _accounts_with_use(bill: Bill, of: Hourly) -> frozenset[tuple[str, str]]:
    """(provider, account) in which use of any resource of the kind is billed."""
    return frozenset(
        (bill.whose[resource].provider, bill.whose[resource].account)
        for resource in bill.resources(of.use)
        if (bill.quantity(resource, of.use) > 0).any()
    )


def _judged(bill: Bill, of: Hourly, resource: str) -> Finding | Abstained | None:
    last = bill.days(resource, of.days)
    ever = bill.billed_on(resource, of.hours)
    billed = ever & set(last)
    others = bill.kinds(resource) - {of.hours, of.use, "used_address", "idle_address", "address"}
    used = bill.used(resource, [of.use], last)
    also = bill.used(resource, sorted(others), last)
    if used > USE_A_DAY * len(last):
        return None
    if math.isnan(used):
        reason = "looks idle, but the quantity of its use is not told"
        return Abstained(subject=resource, reason=reason)
    if math.isnan(also) or also > USE_A_DAY * len(last):
        what = "data transfer" if others == {"data_transfer"} else "usage of another kind"
        return Abstained(subject=resource, reason=f"no use is billed of it, but {what} is")
    whole = min(ever) <= last[0] and len(billed) >= BILLED_SHARE * len(last)
    if len(last) < of.days or not whole:
        reason = f"looks idle, but billed on {len(billed)} days only, {of.days} are needed"
        return Abstained(subject=resource, reason=reason)
    cost = bill.cost(resource, (of.hours,))
    if not isinstance(cost, Abstained) and cost is not None:
        return bill.finding(
            of.kind, resource, saving=cost, days=last, samples=len(billed),
            rule=f"idle {of.word} rule",
            figures={"days_billed": len(billed), "units_used": used},
            reason=f"Billed by the hour on {len(billed)} of {len(last)} days and used for "
            f"{used:.2g} units of what use is billed in.",
            wrong_if=of.wrong_if,
        )  # fmt: skip
    return cost


STANDING = ("database_storage", "volume", "licence", "address", "used_address", "idle_address")
"""What of a stopped machine or database is paid on."""
STOPPED_DAYS = 30
"""Default of the rule ec2-stopped-instance of AWS Config (AllowedDays)."""
HOURS = ("instance_hours", "database_hours")


def stopped(bill: Bill, history: pd.DataFrame) -> tuple[list[Finding], list[Abstained]]:
    """STOPPED_MACHINE: billed for what it keeps, with no hour for 30 days after it had some.

    Only where the bill names both by one resource: which disk is a machine's, it does not tell
    otherwise. `history`: resource, kind, last_day over all that is published.
    """
    ran = history.loc[history["kind"].isin(HOURS) & (history["days"] > 0)]
    last_ran = pd.to_datetime(ran["last_day"]).groupby(ran["resource"]).max()
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource, newest in last_ran.items():
        if resource not in bill.whose or newest > pd.Timestamp(bill.as_of):
            continue
        name = str(resource)
        days = bill.days(name, STOPPED_DAYS)
        kept = [kind for kind in STANDING if bill.still(name, kind)]
        if not kept or len(days) < STOPPED_DAYS or newest >= days[0]:
            continue
        if OTHER in bill.kinds(name):
            reason = "no hours for 30 days, but usage of a kind that is not known is billed of it"
            abstained.append(Abstained(subject=name, reason=reason))
            continue
        billed = frozenset().union(*(bill.billed_on(name, k) for k in kept)) & set(days)
        cost = bill.cost(name, kept)
        if isinstance(cost, Abstained):
            abstained.append(cost)
        elif cost is not None and len(billed) >= BILLED_SHARE * len(days):
            findings.append(
                bill.finding(
                    FindingKind.STOPPED_MACHINE, name, saving=cost, days=days,
                    samples=len(billed), rule="stopped machine rule",
                    figures={
                        "days_stopped": (days[-1] - newest).days,
                        "days_billed": len(billed),
                    },
                    reason=f"It last ran on {newest.date()}, and what it keeps is still billed.",
                    wrong_if="it is started again now and then, or its data has no other copy",
                )
            )  # fmt: skip
    return findings, abstained
