"""Commitments worth buying, as findings: of each usage the best offer that does not overlap.

How much to commit to is worked out in `commitments`, what there is to commit to in `committable`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding
from finops_dagster.engines.optimisation.commitments import Advice, CommitmentConfig, Scope, advise
from finops_dagster.engines.optimisation.committable import (
    Committable,
    Spoken,
    committable,
    demand,
    in_force,
    net_share,
    on_demand_per_month,
    paid_for,
    planned,
    unused_share,
)
from finops_dagster.engines.optimisation.inputs import FindResult
from finops_dagster.engines.optimisation.offers import Outlook
from finops_dagster.engines.optimisation.purchase import MOST_UNUSED, Case, finding_of
from finops_dagster.engines.optimisation.terms import (
    COMPUTE,
    Kind,
    Place,
    Pool,
    Terms,
    pools_of,
    terms_of_bill,
)

WORTH_SHARE = Decimal("0.2")
"""What the smallest commitments of a year take off (AWS Fargate, no upfront: 20 %): where a fifth
of what is on demand is less than a saving needs to be, nothing is said."""


@dataclass(frozen=True)
class Market:
    """What commitments are weighed by, beside usage."""

    terms: Sequence[Terms] = ()
    """Offers that settings tell."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """Commitments on the bill, by id."""
    outlooks: Mapping[tuple[str, str], tuple[float, Outlook]] = field(default_factory=dict)
    """(service, currency) -> cost a day of its history, and what is forecast over that."""
    credited: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    """(provider, billing account, currency) -> share of its usage that credits pay for."""


def find_commitments(
    usage: pd.DataFrame,
    market: Market,
    spoken: Spoken,
    findings: Sequence[Finding],
    as_of: date,
    *,
    min_saving: Decimal,
    config: CommitmentConfig | None = None,
) -> FindResult:
    """Commitments to buy for usage up to and including `as_of`, and why there are none.

    `usage`: columns of `fct_committable_usage_hourly`. `findings`: what others of the day take
    away, of resources that `spoken` knows. Offers on the bill are for usage that no other offer
    reaches. Of offers whose usage overlaps, the kind that saves most in all is kept. Nothing is
    said of usage whose on-demand cost a month is below `min_saving` / `WORTH_SHARE`, each in its
    own currency.
    """
    used = committable(usage, as_of)
    floor = min_saving / WORTH_SHARE
    pools = pools_of(used.places, market.terms)
    left = set(used.places).difference(*pools.values())
    seen = terms_of_bill(paid_for(used), market.kinds)
    for pool, places in pools_of(sorted(left), seen).items():
        pools.setdefault(pool, set()).update(places)
    terms = [*market.terms, *seen]
    abstained = _no_rates(used, sorted(left.difference(*pools.values())), floor)
    cases: dict[Scope, Case] = {}
    for pool, places in sorted(pools.items()):
        if on_demand_per_month(used, places) < floor:
            continue
        case = _case(used, pool, frozenset(places), terms, market, spoken, findings, as_of)
        reason = _no_case(case)
        if reason:
            abstained.append(Abstained(subject=pool.resource, reason=reason))
        else:
            cases[pool.resource, pool.currency] = case
    if not cases:
        return FindResult(findings=[], abstained=abstained)
    advices, unfit = advise(
        pd.concat([demand(used, one.pool, one.places, one.net) for one in cases.values()]),
        [term.offer(one.pool, one.net) for one in cases.values() for term in one.terms],
        as_of,
        in_force=[held for one in cases.values() for held in one.held],
        planned_per_month={scope: one.planned for scope, one in cases.items()},
        outlooks=_outlooks(cases, market),
        config=config,
    )
    abstained += [
        one.model_copy(update={"subject": one.subject.rpartition(" ")[0]}) for one in unfit
    ]
    kept = _apart(advices, cases)
    homes = _homes(spoken, [cases[one.scope, one.currency] for one in kept])
    found = [
        finding_of(one, cases[one.scope, one.currency], used, spoken, homes, as_of) for one in kept
    ]
    return FindResult(findings=found, abstained=abstained)


def _case(
    used: Committable,
    pool: Pool,
    places: frozenset[Place],
    terms: Sequence[Terms],
    market: Market,
    spoken: Spoken,
    findings: Sequence[Finding],
    as_of: date,
) -> Case:
    credited = market.credited.get((pool.provider, pool.account, pool.currency), 0.0)
    net = net_share(used, places, credited)
    mine = [one for one in terms if any(one.reaches(p) and one.pool(p) == pool for p in places)]
    ends = {name: kind.ends for name, kind in market.kinds.items() if kind.ends}
    held = in_force(used, pool, places, net, ends, as_of)
    taken = planned(spoken, findings, places, net)
    return Case(pool, places, tuple(mine), net, tuple(held), unused_share(used, places), taken)


def _no_case(case: Case) -> str:
    """Why nothing is to be bought whatever the usage; empty where something may be."""
    if all(one.price_share >= case.net for one in case.terms):
        return (
            f"discounts and credits leave {float(case.net):.0%} of its price on demand to be "
            "paid: no offer known is below that"
        )
    if case.unused > MOST_UNUSED and all(one.seen for one in case.terms):
        return (
            f"{case.unused:.0%} of the commitments in force of this kind are used by nobody: what "
            "is on demand beside them may be nothing that they pay for"
        )
    return ""


def _no_rates(used: Committable, left: Sequence[Place], floor: Decimal) -> list[Abstained]:
    """One abstention for each account and currency with compute on demand that no offer reaches."""
    unknown: dict[tuple[str, str, str], set[Place]] = defaultdict(set)
    for place in left:
        if place.category == COMPUTE:
            unknown[place.provider, place.account, place.currency].add(place)
    found = []
    for (provider, account, currency), places in sorted(unknown.items()):
        cost = on_demand_per_month(used, places)
        if cost > 0 and cost >= floor:
            reason = (
                f"{cost:.0f} {currency} a month of compute are on demand, and no rates of "
                "commitments are known for it: give commitments.offers"
            )
            subject = " ".join(filter(None, ("commitments", provider, account)))
            found.append(Abstained(subject=subject, reason=reason))
    return found


def _outlooks(cases: Mapping[Scope, Case], market: Market) -> dict[Scope, Outlook]:
    """Of each scope, that of its services together where all of them are forecast.

    Ends are added up as if all erred alike, which is the widest that they can be.
    """
    found = {}
    for scope, case in cases.items():
        services = sorted({(place.service, place.currency) for place in case.places})
        if not all(one in market.outlooks for one in services):
            continue
        parts = [market.outlooks[one] for one in services]
        whole = sum(cost for cost, _ in parts)
        low, mid, high = (
            sum(cost * getattr(one, end) for cost, one in parts) / whole
            for end in ("low", "mid", "high")
        )
        found[scope] = Outlook(low, mid, high, min(one.days or 0.0 for _, one in parts))
    return found


def _apart(advices: Sequence[Advice], cases: Mapping[Scope, Case]) -> list[Advice]:
    """Advice whose usage does not overlap: of each currency, the kind of offer that saves most in
    all comes first."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Advice]] = defaultdict(list)
    for one in advices:
        terms = cases[one.scope, one.currency].terms[0]
        groups[one.currency, terms.scope, terms.bound_to].append(one)
    totals = {
        key: sum((one.best.saving_per_month.mid for one in group), Decimal(0))
        for key, group in groups.items()
    }
    taken: set[Place] = set()
    kept = []
    for key in sorted(groups, key=lambda key: (key[0], -totals[key], key[1:])):
        for one in groups[key]:
            places = cases[one.scope, one.currency].places
            if not places & taken:
                taken |= places
                kept.append(one)
    return kept


def _homes(spoken: Spoken, cases: Sequence[Case]) -> dict[str, tuple[str, str]]:
    """Resource -> (pool's resource, currency) that most of its cost is in."""
    most: dict[str, tuple[float, tuple[str, str]]] = {}
    for case in cases:
        for resource, cost in (
            spoken.within(case.places).groupby("resource")["effective_cost"].sum().items()
        ):
            where = float(cost), (case.pool.resource, case.pool.currency)
            most[str(resource)] = max(most.get(str(resource), where), where)
    return {resource: where for resource, (_, where) in most.items()}
