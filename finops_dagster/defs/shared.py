"""Partitions, pools, retries and groups, named once and used by every stage.

No assets live here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from finops_dagster.domain.periods import month_start, next_month

WAREHOUSE_POOL = "warehouse"
"""Held by whatever opens the DuckDB file: it takes one writing process at a time."""
FORGE_POOL = "forge"
"""Held by whatever writes to the desired-state repository."""

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
"""For steps that read from elsewhere: an interrupted read is worth trying again."""

OWNERS = ("team:finops",)
"""Of every asset that dbt does not name another owner for."""

SINGLE_RUN = dg.BackfillPolicy.single_run()


@dataclass(frozen=True)
class Clocks:
    """The two clocks: billing months and UTC days."""

    months: dg.MonthlyPartitionsDefinition
    days: dg.DailyPartitionsDefinition

    def of(self, monthly: bool) -> dg.MonthlyPartitionsDefinition | dg.DailyPartitionsDefinition:
        """Months or days."""
        return self.months if monthly else self.days


def clocks(start: date, last: date, *, fixed: bool = False) -> Clocks:
    """Partitions from `start`'s month on, to `last` and the month after it.

    What is used at the end of a month may be billed in the next. They go on with the wall clock,
    unless the estate's day is `fixed`: such a one may live behind it, or ahead of it.
    """
    today = datetime.now(UTC).date()
    ahead_days = max(0, (last - today).days + 1)
    months_open = 1
    month = month_start(today)
    while month < next_month(month_start(last)):
        month = next_month(month)
        months_open += 1
    after_months, after_days = next_month(next_month(month_start(last))), last + timedelta(days=1)
    return Clocks(
        months=dg.MonthlyPartitionsDefinition(
            start_date=month_start(start).isoformat(),
            end_date=after_months.isoformat() if fixed else None,
            end_offset=months_open,
            timezone="UTC",
        ),
        days=dg.DailyPartitionsDefinition(
            start_date=start.isoformat(),
            end_date=after_days.isoformat() if fixed else None,
            end_offset=ahead_days,
            timezone="UTC",
        ),
    )


def window(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """First and last partition of this run, as dates, both included."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start[:10]), date.fromisoformat(keys.end[:10])


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that make one run of the partitions from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


def yesterday(now: datetime) -> date:
    """The UTC day before `now`."""
    return now.astimezone(UTC).date() - timedelta(days=1)
