"""Anomaly detection in daily cost: go through the days, group.

The tests and the grouping live in the modules that this one calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.domain.alerts import Answer
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.anomalies.incidents import Grouped, group, just_missing, ranked
from finops_dagster.engines.anomalies.leaves import KEYS
from finops_dagster.engines.anomalies.result import DetectionConfig, DetectionResult
from finops_dagster.engines.anomalies.watch import CostWatch

_SHOWN_BEFORE_DAYS = 42
"""Of what was usual before an incident, beside its own days: six weeks show the week's shape."""


def detect(
    history: pd.DataFrame,
    as_of: date,
    config: DetectionConfig | None = None,
    answers: Sequence[Answer] = (),
    until: date | None = None,
) -> DetectionResult:
    """Anomalies of the last `lookback_days` and the incidents they make, as known on `as_of`.

    `history`: account, service, team, currency, ds, cost; best as effective cost of usage charges
    alone, since fees, taxes and commitment purchases come in lumps by design. With a column
    quantity, unit prices are judged too; with meter and unit beside it, those of each meter, and
    the mix of meters of one unit. Rows after `as_of` are not read, and each day is judged by the
    days before it alone, so that a verdict never changes with what follows. A day without rows is
    one that cost nothing; `until`, `as_of` by default, is the last that is billed at all. The same
    as a `CostWatch` that took the days one after the other.
    """
    watch = CostWatch(config)
    watch.take(history, min(until or as_of, as_of), answers)
    return told(watch, as_of)


def told(watch: CostWatch, as_of: date) -> DetectionResult:
    """What `watch` has to say on `as_of`, its newest day."""
    found = group(watch, as_of)
    return DetectionResult(
        anomalies=_frame(watch),
        incidents=[one.incident for one in found],
        courses=_courses(watch, found),
        abstained=_abstained(watch),
    )


def joined(results: Sequence[DetectionResult]) -> DetectionResult:
    """As one: of accounts that were watched apart. Raises ValueError where there are none."""
    return DetectionResult(
        anomalies=_stacked([one.anomalies for one in results]),
        incidents=ranked([incident for one in results for incident in one.incidents]),
        courses=_stacked([one.courses for one in results]),
        abstained=list(dict.fromkeys(each for one in results for each in one.abstained)),
    )


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of frames of the same columns; those without rows would blur the columns' types."""
    return pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)


def _courses(watch: CostWatch, found: Sequence[Grouped]) -> pd.DataFrame:
    """Daily cost of the leaves of incidents, from weeks before each began to the newest day."""
    parts = []
    cost = watch.cost.last(watch.kept_days)
    newest = watch.day or 0
    begun = watch.kept_days - 1 - (newest - (watch.first or newest))
    for one in found:
        for leaf, moved in one.moved.items():
            first = max(moved.start - _SHOWN_BEFORE_DAYS, 0, begun)
            shown = cost[leaf, first:]
            parts.append(
                pd.DataFrame(
                    {
                        "incident": one.incident.id,
                        **dict(zip(KEYS, watch.keys[leaf], strict=True)),
                        "ds": pd.date_range(
                            end=pd.Timestamp(date.fromordinal(newest)), periods=len(shown)
                        ),
                        "cost": shown,
                        "usual": np.concatenate(
                            [np.full(moved.start - first, np.nan), moved.usual]
                        ),
                    }
                )
            )
    columns = ["incident", *KEYS, "ds", "cost", "usual"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _frame(watch: CostWatch) -> pd.DataFrame:
    rows = []
    last = watch.day or 0
    order = sorted(watch.hits, key=lambda h: (h.day, watch.keys[h.leaf], h.kind))
    for hit in order:
        if hit.day <= last - watch.config.lookback_days:
            continue
        cost = float(watch.cost.back(last - hit.day)[hit.leaf])
        rows.append(
            (
                *watch.keys[hit.leaf], pd.Timestamp(date.fromordinal(hit.day)), hit.kind.value,
                cost, hit.expected, cost - hit.expected, hit.score,
            )
        )  # fmt: skip
    columns = [*KEYS, "ds", "kind", "cost", "expected", "impact", "score"]
    return pd.DataFrame(rows, columns=columns)


def _abstained(watch: CostWatch) -> list[Abstained]:
    """Leaves too young to be judged on the newest day, rows left out, and moves in common."""
    out = []
    config, last = watch.config, watch.day
    quantity = watch.meters.rings["quantity"].last(config.lookback_days)
    if not (quantity > 0).any():
        reason = "no quantities are given, so that a price and a quantity cannot be told apart"
        out.append(Abstained(subject="unit prices", reason=reason))
    if last is None:
        return out
    if last - watch.shared < config.lookback_days and watch.shared_leaves:
        out.append(
            Abstained(
                subject=f"season of {date.fromordinal(watch.shared).isoformat()}",
                reason=f"{watch.shared_leaves} leaves moved the same way by a like share: taken "
                f"for a season or a holiday, not for anomalies of each",
            )
        )
    for account, currency in sorted({watch.keys[hit.leaf][::3] for hit in just_missing(watch)}):
        day = date.fromordinal(last).isoformat()
        reason = (
            f"most of it is absent on {day}, the newest day: it is not billed in full yet, and an "
            f"incident where it stays so"
        )
        out.append(Abstained(subject=f"{account} ({currency})", reason=reason))
    for i, key in sorted(enumerate(watch.keys), key=lambda one: one[1]):
        account, service, team, currency = key
        subject = f"{account}/{service}/{team} ({currency})"
        days = last - int(watch.born[i]) + 1
        if days <= config.month_history_days:
            young = (
                f"more than {config.min_history_days} are needed to know what is usual"
                if days <= config.min_history_days
                else f"with less than {config.month_history_days} it is judged by moves that hold "
                f"alone, not on single days or as a month turns"
            )
            reason = f"{max(days, 0)} days of cost, {young}"
            out.append(Abstained(subject=subject, reason=reason))
        if watch.dropped[i] and last - watch.dropped_on[i] < config.lookback_days:
            on = date.fromordinal(int(watch.dropped_on[i])).isoformat()
            reason = (
                f"{watch.dropped[i]} rows have no finite cost, the newest on {on}: they are left "
                f"out, so that the leaf costs less than it may have"
            )
            out.append(Abstained(subject=subject, reason=reason))
    return out
