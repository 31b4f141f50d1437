"""Whether what is told of an incident adds up: its parts and its effects to its money.

How incidents are found and parted is the engine's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.incidents import Incident
from finops_dagster.responsible_ai.explanations.words import TOLERANCE


def unexplained(incidents: Sequence[Incident], anomalies: pd.DataFrame) -> list[Abstained]:
    """Incidents whose parts, effects or rises and falls do not sum to their money, to the last
    digit, and anomalies whose impact is not cost less what was expected, within TOLERANCE.

    `anomalies`: cost, expected, impact, and account, service, team, ds to name a row.
    """
    wrong = [
        Abstained(subject=one.resource, reason=reason) for one in incidents for reason in _sums(one)
    ]
    if anomalies.empty:
        return wrong
    deviation = anomalies["cost"] - anomalies["expected"]
    scale = anomalies[["cost", "expected"]].abs().max(axis=1).clip(lower=1.0)
    missed = ~((anomalies["impact"] - deviation).abs() <= TOLERANCE * scale)
    for row in anomalies.loc[missed].to_dict("records"):
        subject = f"{row['account']}/{row['service']}/{row['team']} on {row['ds']:%Y-%m-%d}"
        reason = f"its impact of {row['impact']:.6g} is not its cost less what was expected"
        wrong.append(Abstained(subject=subject, reason=reason))
    return wrong


def _sums(one: Incident) -> Iterator[str]:
    amounts = {"parts": sum((part.money.amount for part in one.dimensions), Decimal(0))}
    if one.effects is not None:
        effects = one.effects
        amounts["price, quantity and mix"] = effects.price + effects.quantity + effects.mix
    if one.gross_up is not None and one.gross_down is not None:
        amounts["rises and falls"] = one.gross_up.amount + one.gross_down.amount
    for what, amount in amounts.items():
        if amount != one.money.amount:
            yield f"its {what} sum to {amount}, not to its money of {one.money.amount}"
