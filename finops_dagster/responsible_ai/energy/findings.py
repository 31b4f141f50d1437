"""From advice about a model's energy to a finding, with what it may save.

Whether there is anything to advise is told in `advice`; nothing is edited for it.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import NO_MONEY, Money, MoneyRange, Range, total
from finops_dagster.domain.periods import day_start
from finops_dagster.responsible_ai.energy.quality import MONTH_DAYS
from finops_dagster.responsible_ai.energy.results import (
    Advice,
    EnergyAdvice,
    ModelEnergy,
    VersionEnergy,
)

ENGINE = "model energy 1"
"""Name and version of what finds it."""

_WHAT = {
    Advice.RETRAIN: "Train it anew on what it is given now; then compare quality per joule again.",
    Advice.DISTIL: "Distil it into a smaller model, or serve it quantised (INT8), in a canary "
    "beside this version; keep it if its gate passes and energy per answer falls.",
    Advice.MOVE: "Ask for fewer or smaller accelerators, or share one (MIG, time-slicing, more "
    "models per server); or serve it in a region with a cleaner grid.",
    Advice.LOOK: "Compare version, batch size, precision and machine of now with those of then.",
}
_WRONG_IF = {
    Advice.RETRAIN: "quality fell for a reason that training does not mend, such as broken inputs",
    Advice.DISTIL: "the task is harder than those of the models it is compared with",
    Advice.MOVE: "the accelerators are held for load that is still to come",
    Advice.LOOK: "how energy is measured changed, and not what is used",
}


def finding(energy: ModelEnergy, *, resource: str, owner: str, environment: str) -> Finding | None:
    """None where nothing is advised. resource: KIND/NAMESPACE/NAME of what serves it.

    Saving: none by retraining, which mends quality and not the bill. Else from nothing, where
    machines stay as they are, to the share of its serving cost that is energy not needed before,
    half of that in the middle: cost follows energy only as far as fewer machine hours are asked
    for. Only where all of it is billed in one currency. Carbon: that share of what serving emits.
    """
    advice = energy.advice
    if advice is None:
        return None
    newest = energy.versions[0] if energy.versions else None
    return Finding(
        kind=FindingKind.MODEL_ENERGY,
        resource=resource,
        field="",
        current="",
        proposed="",
        owner=owner,
        environment=environment or "unknown",
        saving_per_month=_saving(advice, newest),
        carbon_kg_per_month=_carbon(advice, newest),
        risk=0.0,
        confidence=min(1.0, energy.month_days / MONTH_DAYS),
        evidence=Evidence(
            window_start=day_start(min(row.day for row in energy.days)),
            window_end=day_start(energy.as_of + timedelta(days=1)),
            samples=sum(row.answers for row in energy.days),
            figures=advice.figures,
        ),
        reason=f"{energy.subject}: {advice.reason}.",
        engine=ENGINE,
        as_of=energy.as_of,
        suggestion=_WHAT[advice.advice],
        wrong_if=_WRONG_IF[advice.advice],
        counterfactual=(
            "a joule bought at least "
            f"{1 + advice.figures['quality_per_joule_change_limit']:.0%} of the quality it did "
            f"(it buys {1 + advice.figures['quality_per_joule_change']:.0%})",
        ),
    )


def _saving(advice: EnergyAdvice, newest: VersionEnergy | None) -> MoneyRange:
    if advice.advice is Advice.RETRAIN or newest is None or len(newest.cost) != 1:
        return NO_MONEY
    spare = Decimal(repr(max(0.0, advice.spare_share.value)))
    cost = total(newest.cost).times(spare * MONTH_DAYS / _days(newest))
    most = max(cost, Money(amount=Decimal(0), currency=cost.currency), key=lambda one: one.amount)
    return MoneyRange(
        low=Decimal(0), mid=most.times(Decimal("0.5")).amount, high=most.amount,
        currency=most.currency,
    )  # fmt: skip


def _carbon(advice: EnergyAdvice, newest: VersionEnergy | None) -> Range:
    if newest is None or newest.kg_co2e is None:
        return Range(low=0, mid=0, high=0)
    month = newest.kg_co2e * MONTH_DAYS / _days(newest)
    share = advice.spare_share
    low, high = (share.value if end is None else end for end in (share.low, share.high))
    low, mid, high = (month * max(0.0, one) for one in (low, share.value, high))
    return Range(low=low, mid=mid, high=high)


def _days(version: VersionEnergy) -> int:
    return (version.last - version.first).days + 1
