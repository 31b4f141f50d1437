"""What would have to be true for a change not to be proposed: each rule solved for a figure of it.

Only of what is proposed, and only from what its finding says: no rule is run again here, since its
limits can be told exactly. What a finder knows better stands in its finding and comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.engines.optimisation.alternatives import (
    RULES,
    Alternative,
    apart,
    down,
    exact,
    plain,
)
from finops_dagster.engines.optimisation.candidates import for_carbon, lever_of

MOST = 6
"""Alternatives that are told of one proposal: the nearest ones."""
_REHEARSED = frozenset(
    {
        FindingKind.RIGHTSIZE_CPU,
        FindingKind.RIGHTSIZE_MEMORY,
        FindingKind.RIGHTSIZE_MACHINE,
        FindingKind.RIGHTSIZE_DATABASE,
    }
)
"""Kinds that were rehearsed on the first two thirds of the window."""
_BY_PRICE = frozenset(
    {
        FindingKind.RIGHTSIZE_CPU,
        FindingKind.RIGHTSIZE_MEMORY,
        FindingKind.IDLE_WORKLOAD,
        FindingKind.IDLE_GPU,
        FindingKind.UNUSED_VOLUME,
        FindingKind.UNDERUSED_GPU,
    }
)
"""Kinds whose saving is a number of units at one price, and whose rule asks for no other."""


def counterfactuals(
    finding: Finding,
    *,
    min_saving: Decimal,
    min_confidence: float,
    max_risk: float,
    carbon_price: Decimal | None = None,
) -> tuple[str, ...]:
    """Clauses that each complete "it would not be proposed if", the nearest first.

    Every clause is sufficient alone, all else being as it is: what its finder said of it, then the
    limits of its rule and those of `propose`, whose arguments these are (`max_risk`: share of
    intervals in [0, 1] that a cut's rehearsal may be short in; `carbon_price`: of a kg in the
    currency of the finding). Limits are rounded so that what is told is never too little.
    """
    found = [
        *_by_rule(finding, max_risk),
        *_in_general(finding, min_saving, min_confidence, carbon_price),
    ]
    found.sort(key=lambda one: one.change)
    return tuple(dict.fromkeys([*finding.counterfactual, *(one.text for one in found)]))[:MOST]


def _by_rule(finding: Finding, max_risk: float) -> Iterator[Alternative]:
    figures = finding.evidence.figures
    for rule in RULES.get(finding.kind, ()):
        # a finding of an earlier version may not have what this one would tell
        if all(name in figures for name in rule.needs):
            yield from rule.tell(figures)
    if finding.kind in _REHEARSED and "exceeded_share" in figures:
        now = figures["exceeded_share"]
        yield apart(
            f"the size that the first two thirds of the window ask for had been exceeded in over "
            f"{exact(100 * max_risk)} % of the intervals of the last (it was in "
            f"{plain(100 * now)} %)",
            now,
            max_risk,
        )


def _in_general(
    finding: Finding, min_saving: Decimal, min_confidence: float, carbon_price: Decimal | None
) -> Iterator[Alternative]:
    """By the limits of `propose`, in the order in which it asks."""
    if min_confidence > 0:
        yield apart(
            f"it had been measured for under {plain(100 * min_confidence)} % of the window (it "
            f"was for {plain(100 * finding.confidence)} %)",
            finding.confidence,
            min_confidence,
        )
    saving = finding.saving_per_month
    if lever_of(finding.kind).for_safety:
        return
    if for_carbon(finding):
        yield from _in_carbon(finding, min_saving, carbon_price)
        return
    enough = f"{format(min_saving, 'f')} {saving.currency} a month (it saves {saving.mid:.2f})"
    change = float((saving.mid - min_saving) / saving.mid)
    if finding.kind in _BY_PRICE and min_saving > 0:
        least = down(min_saving / saving.mid)
        text = f"its price were under {least} of today's: it would save under {enough}"
        yield Alternative(text, change)
    elif min_saving > 0:
        yield Alternative(f"it saved under {enough}", change)
    yield apart(
        f"the 95 % interval of its saving reached down to 0 {saving.currency} a month (its lower "
        f"end is {saving.low:.2f})",
        float(saving.low),
        0.0,
    )


def _in_carbon(
    finding: Finding, min_saving: Decimal, price: Decimal | None
) -> Iterator[Alternative]:
    carbon, currency = finding.carbon_kg_per_month, finding.saving_per_month.currency
    yield apart(
        "the 95 % interval of the carbon that it avoids reached down to 0 kg a month (its lower "
        f"end is {plain(carbon.low)})",
        carbon.low,
        0.0,
    )
    if price is not None and price > 0 and min_saving > 0:
        least = min_saving / price
        yield apart(
            f"it avoided under {down(least)} kg of carbon a month (it avoids "
            f"{plain(carbon.mid)}): worth {format(min_saving, 'f')} {currency}, at "
            f"{format(price, 'f')} a kg",
            carbon.mid,
            float(least),
        )
