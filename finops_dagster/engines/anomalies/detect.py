"""Anomaly detection in daily cost: lay out, go through the days, group.

The tests and the grouping live in the modules that this one calls.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.anomalies.channels import Hit, Watch
from finops_dagster.engines.anomalies.incidents import group
from finops_dagster.engines.anomalies.leaves import Leaves, lay_out
from finops_dagster.engines.anomalies.result import DetectionConfig, DetectionResult


def detect(
    history: pd.DataFrame, as_of: date, config: DetectionConfig | None = None
) -> DetectionResult:
    """Anomalies of the last `lookback_days` and the incidents they make, as known on `as_of`.

    `history`: account, service, team, currency, ds, cost; best as effective cost of usage charges
    alone, since fees, taxes and commitment purchases come in lumps by design. With a column
    quantity, unit prices are judged too. Rows after `as_of` are not read, and each day is judged
    by the days before it alone, so that a verdict never changes with what follows.
    """
    config = config or DetectionConfig()
    leaves = lay_out(history, as_of)
    watch = Watch(leaves, config)
    hits: list[Hit] = []
    last = len(leaves.days) - 1
    if len(leaves.keys):
        for day in range(max(0, last - config.lookback_days + 1), last + 1):
            hits += watch.day(day)
    return DetectionResult(
        anomalies=_frame(hits, leaves),
        incidents=group(hits, leaves, config, as_of),
        abstained=_abstained(leaves, config, last),
    )


def _frame(hits: list[Hit], leaves: Leaves) -> pd.DataFrame:
    rows = []
    for hit in hits:
        keys = leaves.keys.iloc[hit.leaf]
        cost = float(leaves.cost[hit.leaf, hit.day])
        rows.append(
            (
                *keys.tolist(), leaves.days[hit.day], hit.kind.value, cost, hit.expected,
                cost - hit.expected, hit.score,
            )
        )  # fmt: skip
    columns = [
        "account", "service", "team", "currency", "ds", "kind", "cost", "expected", "impact",
        "score",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _abstained(leaves: Leaves, config: DetectionConfig, last: int) -> list[Abstained]:
    """Leaves too young to be judged on `as_of`."""
    out = []
    if leaves.quantity is None:
        reason = "no quantities are given, so that a price and a quantity cannot be told apart"
        out.append(Abstained(subject="unit prices", reason=reason))
    for i, born in enumerate(leaves.born):
        days = last - int(born) + 1
        if days <= config.min_history_days:
            account, service, team, currency = leaves.keys.iloc[i].tolist()
            out.append(
                Abstained(
                    subject=f"{account}/{service}/{team} ({currency})",
                    reason=f"{max(days, 0)} days of cost, more than {config.min_history_days} "
                    f"are needed to know what is usual",
                )
            )
    return out
