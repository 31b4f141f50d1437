"""Data that is kept longer than anything asks for: old snapshots, and logs that never end.

How seldom read data could be kept for less is judged elsewhere.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.bills import Bill, gigabytes, stored
from finops_dagster.engines.optimisation.prices import times

SNAPSHOT_DAYS = 90
"""CloudHealth and Azure Advisor tell of snapshots older than 30 to 90 days; the longest of them."""
SAME_SIZE = 0.01
"""A snapshot does not change: what changes more is a backup that goes on."""
KEPT_DAYS = 400
"""More than a year of logs and a month to delete them in."""
RETENTION_DAYS = 365
"""PCI DSS 4.0, 10.5.1 (a year of audit logs), the longest that is commonly asked for; CloudWatch
Logs, Log Analytics and Cloud Logging all take it."""
RECENT_DAYS = 30


def old_snapshots(bill: Bill, history: pd.DataFrame) -> tuple[list[Finding], list[Abstained]]:
    """OLD_SNAPSHOT for what is billed every day for more than 90 days and never changed its size.

    `history`: resource, kind, month, first_day, last_day, days, quantity, least, greatest (of
    whole days) over all that is published.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    young: dict[str, int] = {}
    months = {str(r): g for r, g in history.loc[history["kind"].eq("snapshot")].groupby("resource")}
    for resource in bill.resources("snapshot"):
        found = months.get(resource)
        if found is None or not bill.still(resource, "snapshot"):
            continue
        covered = bill.days(resource)
        first = pd.Timestamp(found["first_day"].min())
        lived = [day for day in covered if day >= first]
        if len(lived) <= SNAPSHOT_DAYS:
            if first == covered[0]:
                account = bill.whose[resource].account
                young[account] = young.get(account, 0) + 1
            continue
        billed = int(found["days"].sum())
        # the newest days are often not complete
        if billed < len(lived) - 2 or not _same_size(found):
            continue
        cost = bill.cost(resource, ("snapshot",))
        if isinstance(cost, Abstained):
            abstained.append(cost)
        elif cost is not None:
            since = "or longer" if first == covered[0] else f"since {first.date()}"
            findings.append(
                bill.finding(
                    FindingKind.OLD_SNAPSHOT, resource, saving=cost, days=lived, samples=billed,
                    rule="old snapshot rule",
                    figures={"days_billed": billed, "retention_days": SNAPSHOT_DAYS},
                    reason=f"Billed on each of {billed} days ({since}) at one size: a rule that "
                    f"keeps {SNAPSHOT_DAYS} days would have deleted it.",
                    wrong_if="a backup rule, a legal hold or a machine image asks for it",
                )
            )  # fmt: skip
    for account, count in sorted(young.items()):
        reason = (
            f"{count} as old as the bill that is published, which is under {SNAPSHOT_DAYS} days"
        )
        abstained.append(Abstained(subject=f"snapshots of {account}", reason=reason))
    return findings, abstained


def _same_size(months: pd.DataFrame) -> bool:
    """Whether each whole day was billed for one size, in GB-months of the month or of 730 hours."""
    whole = months.dropna(subset=["least", "greatest"])
    least, greatest = whole["least"].to_numpy(float), whole["greatest"].to_numpy(float)
    lengths = pd.DatetimeIndex(pd.to_datetime(whole["month"])).days_in_month.to_numpy(float)
    if not len(whole) or not (least > 0).all():
        return False
    return any(
        bool((greatest * by).max() <= (1 + SAME_SIZE) * (least * by).min())
        for by in (lengths, np.ones_like(lengths))
    )


def long_logs(bill: Bill, history: pd.DataFrame) -> tuple[list[Finding], list[Abstained]]:
    """LOG_RETENTION where more is stored than 400 days' ingestion, and nothing of it expires.

    What a retention of a year would keep is at most what was ingested in a year: logs are stored
    compressed, so this promises too little rather than too much.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource in bill.resources("log_storage"):
        if not bill.still(resource, "log_storage"):
            continue
        judged = _long(bill, history, resource)
        if isinstance(judged, Finding):
            findings.append(judged)
        elif judged is not None:
            abstained.append(judged)
    return findings, abstained


def _long(bill: Bill, history: pd.DataFrame, resource: str) -> Finding | Abstained | None:
    days = bill.days(resource, RECENT_DAYS)
    amounts = bill.quantity(resource, "log_storage")
    amounts = amounts.loc[amounts.index.isin(days)]
    held = stored(amounts, bill.unit(resource, "log_storage"))
    if held is None or held.isna().any():
        return Abstained(subject=resource, reason="how much is stored is not told in GB-months")
    if len(days) < RECENT_DAYS or len(held) < RECENT_DAYS - 2:
        return None
    # the newest days are often not complete
    whole = held.iloc[:-2]
    if whole.iloc[-7:].mean() < 0.995 * whole.iloc[:7].mean():
        return None
    per_day = _ingested(bill, history, resource)
    if per_day is None:
        return Abstained(subject=resource, reason="how much is ingested is not told in GB")
    size = float(whole.mean())
    if not size > KEPT_DAYS * per_day:
        return None
    first = pd.to_datetime(history.loc[history["resource"].eq(resource), "first_day"]).min()
    known = len([day for day in bill.days(resource) if day >= first])
    if per_day == 0 and known < RETENTION_DAYS:
        reason = (
            f"stored, and nothing ingested in the {known} days that are published: how old it is "
            "is not known"
        )
        return Abstained(subject=resource, reason=reason)
    cost = bill.cost(resource, ("log_storage",))
    if isinstance(cost, Abstained) or cost is None:
        return cost
    share = 1 - min(1.0, RETENTION_DAYS * per_day / size)
    kept = f"{size / per_day:.0f} days of what" if per_day else "all of it, as nothing"
    return bill.finding(
        FindingKind.LOG_RETENTION, resource, saving=times(cost, share), days=days,
        samples=len(held), rule="log retention rule",
        figures={
            "stored_gb": size,
            "ingested_gb_per_day": per_day,
            "retention_days": RETENTION_DAYS,
            "share_deleted": share,
        },
        reason=f"Stores {size:.3g} GB, {kept} is ingested: {RETENTION_DAYS} days of retention "
        f"delete {share:.0%} of it.",
        wrong_if="a law or a contract asks for longer, or it was written faster before",
        suggestion=json.dumps({"retention_in_days": RETENTION_DAYS}),
    )  # fmt: skip


def _ingested(bill: Bill, history: pd.DataFrame, resource: str) -> float | None:
    """GB a day over the last year that is published; None where its unit is not told."""
    rows = history.loc[history["resource"].eq(resource)]
    writes = rows.loc[rows["kind"].eq("log_ingestion")]
    first = pd.to_datetime(rows["first_day"]).min()
    covered = [day for day in bill.days(resource, RETENTION_DAYS) if day >= first]
    if writes.empty:
        return 0.0
    factors = [gigabytes(str(unit)) for unit in writes["unit"]]
    since = pd.Timestamp(covered[0]).replace(day=1)
    if any(factor is None for factor in factors) or writes["quantity"].isna().any():
        return None
    inside = (pd.to_datetime(writes["month"]) >= since).to_numpy()
    amounts = writes["quantity"].to_numpy(float) * np.array(factors, dtype=float)
    return float(amounts[inside].sum()) / len(covered)
