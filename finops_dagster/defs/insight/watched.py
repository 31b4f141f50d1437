"""Daily cost watched as far as it is billed: each account up to its sources' newest day.

What an anomaly is, is the engine's to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from finops_dagster.domain.alerts import Answer
from finops_dagster.domain.decisions import Abstained

if TYPE_CHECKING:
    from finops_dagster.engines.anomalies import DetectionResult

_NAMED = 3


def watched(
    history: pd.DataFrame,
    until: Mapping[str, date],
    as_of: date,
    most_days: int,
    answers: Sequence[Answer] = (),
) -> DetectionResult:
    """Incidents of all accounts on `as_of`; `history` as of `facts.cost_history`.

    Accounts that are billed until the same day are watched together. Of those that are more than
    `most_days` behind nothing is told but that: what moved then is no news.
    """
    from finops_dagster.engines.anomalies import detect, joined

    groups: dict[date, list[str]] = defaultdict(list)
    for account, newest in until.items():
        groups[newest].append(account)
    results: list[DetectionResult] = []
    late: list[Abstained] = []
    for newest, accounts in sorted(groups.items(), reverse=True):
        behind = (as_of - newest).days
        if behind > 0:
            back = f"{behind} days" if behind > 1 else "the day"
            why = f"billed until {newest.isoformat()}, {back} before"
            more = "too long ago to say what moved" if behind > most_days else "not judged since"
            late.append(Abstained(subject=_named(accounts), reason=f"{why}: {more}"))
        if behind <= most_days:
            rows = history[history["account"].isin(accounts)]
            results.append(detect(rows, as_of, answers=answers, until=newest))
    if not results:
        return replace(detect(history.iloc[:0], as_of), abstained=late)
    one = joined(results)
    return replace(one, abstained=[*one.abstained, *late])


def _named(accounts: Sequence[str]) -> str:
    named = ", ".join(sorted(accounts)[:_NAMED])
    return f"{named} and {len(accounts) - _NAMED} more" if len(accounts) > _NAMED else named
