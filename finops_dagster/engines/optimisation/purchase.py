"""A commitment worth buying, put as a finding: its figures, its words and what to buy.

Which one is worth it is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import Range, to_decimal
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.candidates import REST_OF_SCOPE
from finops_dagster.engines.optimisation.commitments import Advice
from finops_dagster.engines.optimisation.committable import (
    HISTORY_DAYS,
    LASTING,
    RECENT_DAYS,
    Committable,
    Spoken,
)
from finops_dagster.engines.optimisation.inputs import ENGINE
from finops_dagster.engines.optimisation.offers import DAYS_PER_MONTH, InForce, Offer
from finops_dagster.engines.optimisation.terms import Place, Pool, Terms

MOST_UNUSED = 0.1
"""Of commitments in force: one used by less than the rest is called underused, as in advice."""


@dataclass(frozen=True)
class Case:
    """A pool that was looked at."""

    pool: Pool
    places: frozenset[Place]
    terms: tuple[Terms, ...]
    net: Decimal
    held: tuple[InForce, ...]
    unused: float
    """Of what is in force, the share that nobody uses."""
    planned: Decimal
    """A month, at the price on demand less discounts and credits."""


def finding_of(
    advice: Advice,
    case: Case,
    used: Committable,
    spoken: Spoken,
    homes: Mapping[str, tuple[str, str]],
    as_of: date,
) -> Finding:
    """The purchase that is advised for a case; `homes`: the pool that each resource goes with."""
    best, net = advice.best, float(case.net)
    terms = next(t for t in case.terms if t.offer(case.pool, case.net) == best.offer)
    reached = sorted(
        one for one, where in homes.items() if where == (case.pool.resource, case.pool.currency)
    )
    named = spoken.within(case.places)
    named_cost = float(named.loc[named["resource"].isin(reached), "effective_cost"].sum())
    rows = used.recent.at(case.places, "on_demand", "committed")
    cost = float(rows["effective_cost"].sum()) / RECENT_DAYS * DAYS_PER_MONTH
    history = used.at(case.places, "on_demand", "committed")["time"]
    days = (used.end - history.min().floor("D")).days
    covers = float(best.covers_per_hour) / net
    figures = {
        "covers_per_hour": covers,
        "pays_per_hour": float(best.pays_per_hour),
        "upfront": float(best.upfront),
        "term_months": float(terms.term_months),
        "price_share": float(terms.price_share),
        "net_share_of_on_demand_price": net,
        "in_force_per_hour": sum(float(one.covers_per_hour) for one in case.held) / net,
        "in_force_unused_share": case.unused,
        "planned_away_per_month": float(case.planned),
        "utilisation_low": best.utilisation.low,
        "utilisation": best.utilisation.mid,
        "utilisation_high": best.utilisation.high,
        "break_even_utilisation": best.break_even_utilisation,
        "break_even_months": best.break_even_months,
        "underused_risk": best.underused_risk,
        "loss_risk": best.loss_risk,
        "critical_ratio": best.critical_ratio,
        "options_weighed": float(len(advice.options)),
        REST_OF_SCOPE: max(0.0, cost - named_cost),
    }
    return Finding(
        kind=FindingKind.COMMITMENT,
        resource=case.pool.resource,
        field="",
        current="",
        proposed="",
        owner="",
        environment="unknown",
        saving_per_month=best.saving_per_month,
        carbon_kg_per_month=Range(low=0, mid=0, high=0),
        risk=round(best.loss_risk, 6),
        confidence=round(min(1.0, days / HISTORY_DAYS), 6),
        evidence=Evidence(
            window_start=day_start(as_of + timedelta(days=1 - days)),
            window_end=day_start(as_of + timedelta(days=1)),
            samples=int(history.nunique()),
            figures={name: float(f"{value:.6g}") for name, value in figures.items()},
        ),
        reason=_reason(advice, case, covers),
        engine=f"{ENGINE} (commitment)",
        as_of=as_of,
        suggestion=_suggestion(best.offer, terms, case, covers, best.pays_per_hour, best.upfront),
        wrong_if=_wrong_if(advice, case, terms, as_of),
        reaches=tuple(reached),
    )


def _reason(advice: Advice, case: Case, covers: float) -> str:
    best, currency = advice.best, case.pool.currency
    taken = []
    if case.held:
        taken.append(f"what {len(case.held)} in force pay for")
    if case.planned > 0:
        taken.append(f"{case.planned:.2f} {currency} a month that other findings take away")
    after = f", after {' and '.join(taken)}" if taken else ""
    return (
        f"{covers:.2f} {currency} an hour of usage on demand is there in more than "
        f"{1 - best.critical_ratio:.0%} of hours{after}; {best.offer.name} costs "
        f"{best.break_even_utilisation:.0%} of what it costs now, and is used by less than 90% "
        f"with {best.underused_risk:.0%} probability"
    )


def _wrong_if(advice: Advice, case: Case, terms: Terms, as_of: date) -> str:
    said = [advice.wrong_if]
    if terms.seen:
        said.append("the price seen on the bill is not offered any more")
    if terms.seen and terms.upfront_share == 0:
        said.append("its term is not the 36 months that are taken where the bill does not say")
    if any(one.ends == as_of + LASTING for one in case.held):
        said.append("a commitment in force, whose end is not on the bill, ends within the term")
    if case.unused > MOST_UNUSED:
        said.append(
            f"what nobody uses of commitments in force ({case.unused:.0%}) could pay for it"
        )
    return "; ".join(said)


def _suggestion(
    offer: Offer, terms: Terms, case: Case, covers: float, pays: Decimal, upfront: Decimal
) -> str:
    """What to buy, as JSON: amounts as text, in the currency that is told."""
    several = {
        name: sorted({getattr(place, name) for place in case.places} - {""})
        for name in ("service", "region", "family")
    }
    bought = {
        "commit_per_hour": str(pays.quantize(Decimal("0.0001"))),
        "covers_on_demand_per_hour": str(to_decimal(covers, 4)),
        "upfront": str(upfront.quantize(Decimal("0.01"))),
        "currency": case.pool.currency,
        "term_months": offer.term_months,
        "payment": offer.payment.value,
        "provider": case.pool.provider,
        "billing_account": case.pool.account,
        **{f"bound_to_{name}": several[name] for name in terms.bound_to},
        "pays_for_services": several["service"],
        "like": terms.seen,
    }
    return json.dumps({k: v for k, v in bought.items() if v}, indent=2, ensure_ascii=False)
