"""The page of whom the product's decisions fell on, readable without a network.

Words and layout of what judging has found; nothing is counted here.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from finops_dagster.responsible_ai.decisions.facts import Dimension
from finops_dagster.responsible_ai.decisions.results import DecisionFairness, Measure
from finops_dagster.responsible_ai.html import write_page

TITLES = {
    Measure.ASKED: "asked to cut, of resources judged",
    Measure.ASKED_OF_FOUND: "asked, of what was found",
    Measure.TURNED_DOWN: "turned down, of changes ended",
    Measure.FALSE_ALARMS: "noise, of incidents answered",
    Measure.DENIED: "denied by policy",
    Measure.FORECAST_ERROR: "forecast error (scaled)",
}
"""Of the columns of measures, in their order."""


def write_decisions_page(path: Path, found: DecisionFairness) -> Path:
    """Write the page; returns `path`."""
    shown = [one for one in Dimension if found.groups(one)]
    return write_page(
        path,
        "decisions.html",
        found=found,
        titles=TITLES,
        dimensions=[
            {
                "name": dimension.value.replace("_", " "),
                "groups": found.groups(dimension),
                "counts": [one for one in found.counts if one.dimension is dimension],
                "money": [one for one in found.money if one.dimension is dimension],
                "figures": {
                    (one.group, one.measure): one
                    for one in found.compared
                    if one.dimension is dimension
                },
            }
            for dimension in shown
        ],
        amount=_amount,
    )


def _amount(value: Decimal) -> str:
    return f"{value:,.2f}"
