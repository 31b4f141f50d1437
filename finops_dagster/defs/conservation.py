"""The sums of a bill at every stop of its way, side by side.

The marts' own conservation is dbt's; the files' sums are what landing counted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.money import exact_sum
from finops_dagster.storage.lake import in_force

_COUNTED = "billed_cost"
"""The metric that landing adds up over every row it reads, quarantined or not."""


def conserved(estate: Estate) -> list[dict[str, Any]]:
    """One row per period, source, currency and metric; `difference` is zero where all is kept.

    `file` is what the files themselves say, to their last digit; what lies beyond the decimals of
    money is in `rounded`. These and `quarantined` are known for billed cost alone, which landing
    counts row by row.
    """
    manifest = estate.publications.current()
    if manifest is None:
        return []
    frame = estate.publications.reader(manifest).frame("fct_bill_conservation")
    if frame is None:
        return []
    records = {one.delivery.delivery_id: one for one in estate.lake.records("charges")}
    accepted = in_force(
        (one.delivery for one in records.values() if not one.set_faults),
        estate.cutoff(estate.settings.decided_day()),
    )
    landed = {
        (delivery.source, delivery.partition): records[delivery.delivery_id]
        for delivery in accepted
        if delivery.table in line.BILLING.tables
    }
    rows = []
    for row in frame.to_dict("records"):
        file = rounded = quarantined = None
        difference = row["difference"]
        one = landed.get((row["source"], row["billing_period"]))
        if one is not None and row["metric"] == _COUNTED:
            currency = row["billing_currency"]
            file = one.file_billed.get(currency, Decimal(0))
            rounded = one.file_rounded.get(currency, Decimal(0))
            quarantined = one.billed_quarantined.get(currency, Decimal(0))
            lost = exact_sum(file, -rounded, -quarantined, -row["mart_total"])
            difference = difference or lost
        rows.append(
            {
                "period": row["billing_period"],
                "source": row["source"],
                "currency": row["billing_currency"],
                "metric": row["metric"],
                "file": file,
                "landing": row["landing_total"],
                "staging": row["staging_total"],
                "mart": row["mart_total"],
                "quarantined": quarantined,
                "rounded": rounded,
                "difference": difference,
            }
        )
    return rows
