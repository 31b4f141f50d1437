"""The sums of a bill at every stop of its way, side by side.

The marts' own conservation is dbt's; the files' sums are what landing counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.deliveries import Landed
from finops_dagster.domain.money import exact_sum

_COUNTED = "billed_cost"
"""The metric that landing adds up over every row it reads, quarantined or not."""


_MART = "fct_bill_conservation"
_NOTHING = Decimal(0)


def conserved(estate: Estate) -> list[dict[str, Any]]:
    """One row per period, source, currency and metric; `difference` is zero where all is kept.

    Of what is published, and of the deliveries it was built from. `file` is what the files
    themselves say, to their last digit; what lies beyond the decimals of money is in `rounded`.
    These and `quarantined` are known for billed cost alone, which landing counts row by row.
    `reason` says between which two a difference arose.
    """
    manifest = estate.publications.current()
    if manifest is None:
        return []
    frame = estate.publications.reader(manifest).frame(_MART)
    if frame is None:
        return []
    used = {id_ for version in manifest.of(_MART) for id_ in version.inputs}
    landed = {
        (one.delivery.source, one.delivery.partition): one
        for one in estate.lake.records("charges")
        if one.delivery.delivery_id in used
    }
    rows = [_row(row, landed) for row in frame.to_dict("records")]
    seen = {(row["source"], row["period"], row["currency"]) for row in rows}
    rows += [
        _row(row, landed)
        for place, one in landed.items()
        for row in _without_mart(place, one)
        if (row["source"], row["billing_period"], row["billing_currency"]) not in seen
    ]
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in _ORDER))


_ORDER = ("period", "source", "currency", "metric")


def _without_mart(place: tuple[str, date], one: Landed) -> Iterator[dict[str, Any]]:
    """Currencies of which nothing reached the mart, because every row of them was set aside."""
    for currency in sorted({*_in_file(one), *one.billed_quarantined}):
        yield {
            "source": place[0],
            "billing_period": place[1],
            "billing_currency": currency,
            "metric": _COUNTED,
            "landing_total": _NOTHING,
            "staging_total": _NOTHING,
            "mart_total": _NOTHING,
        }


def _in_file(one: Landed) -> dict[str, Decimal]:
    # what landed before files were asked for their own sum has only what was read of them
    return one.file_billed or one.billed_in


def _row(row: Mapping[Any, Any], landed: dict[tuple[str, date], Landed]) -> dict[str, Any]:
    stops = [
        ("landing and staging", row["landing_total"] - row["staging_total"]),
        ("staging and mart", row["staging_total"] - row["mart_total"]),
    ]
    file = rounded = quarantined = None
    one = landed.get((row["source"], row["billing_period"]))
    if one is not None and row["metric"] == _COUNTED:
        currency = row["billing_currency"]
        file = _in_file(one).get(currency, _NOTHING)
        rounded = one.file_rounded.get(currency, _NOTHING)
        quarantined = one.billed_quarantined.get(currency, _NOTHING)
        lost = exact_sum(file, -rounded, -quarantined, -row["landing_total"])
        stops.insert(0, ("file and landing", lost))
    parted = [(between, amount) for between, amount in stops if amount]
    reason = "; ".join(f"between {between} {amount:f} was lost" for between, amount in parted)
    if parted and one is not None and one.quarantined_cost_unknown:
        reason += f"; {one.quarantined_cost_unknown} rows set aside have a cost that is not known"
    return {
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
        # a loss that a later one makes up for is a loss
        "difference": exact_sum(*(amount for _, amount in stops))
        or next((amount for _, amount in parted), _NOTHING),
        "reason": reason or None,
    }
