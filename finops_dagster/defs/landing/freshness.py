"""Whether sources deliver as often as their settings expect: a check, and reasons for the report.

What a delivery is, and when it was known, is said by sources.
"""

from __future__ import annotations

from datetime import timedelta

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained

CHECK = "fresh"


def late(estate: Estate, table: str) -> list[Abstained]:
    """Sources of a table whose newest good delivery is older than `max_age_hours`, each with why.

    By the time that decisions are made at: an estate with a fixed day is judged on that day.
    """
    now = estate.now()
    found = []
    for name, hours in estate.max_age_hours(table).items():
        known = [
            one.delivery.known_at
            for one in estate.lake.records(table)
            if one.delivery.source == name and not one.set_faults and one.delivery.known_at <= now
        ]
        newest = max(known, default=None)
        if newest is not None and now - newest <= timedelta(hours=hours):
            continue
        came = (
            f"its newest delivery was known {(now - newest) // timedelta(hours=1)} hours ago, "
            f"at {newest:%Y-%m-%d %H:%M} UTC"
            if newest is not None
            else "none was taken in"
        )
        found.append(
            Abstained(
                subject=f"landing {table} {name}",
                reason=f"late: {came}; one is expected every {hours} hours",
            )
        )
    return found
