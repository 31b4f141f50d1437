"""The section of what was restated: sums by delivery and currency, and nothing where none was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd

from finops_dagster.report import ReportData
from finops_dagster.report.data import RESTATED_COLUMNS, SPEND_COLUMNS
from finops_dagster.report.page import render_text
from finops_dagster.report.restated import restatements

EMPTY = ReportData(
    estate="e", as_of=date(2026, 4, 10), spend=pd.DataFrame(columns=list(SPEND_COLUMNS))
)


def change(service: str | None, billed: str, currency: str = "USD") -> dict[str, object]:
    return {
        "source": "<b>cloud</b>",
        "billing_period": date(2026, 1, 1),
        "known_at": datetime(2026, 4, 11, 3, tzinfo=UTC),
        "before_known_at": datetime(2026, 2, 4, 3, tzinfo=UTC),
        "service_name": service,
        "billing_account_id": "acct-1",
        "sub_account_id": None,
        "billing_currency": currency,
        "charge_class": None,
        "billed_difference": Decimal(billed),
        "effective_difference": Decimal(billed),
    }


def data(*rows: dict[str, object]) -> ReportData:
    return replace(EMPTY, restated=pd.DataFrame(rows, columns=list(RESTATED_COLUMNS)))


def test_changes_add_up_within_a_currency_only() -> None:
    """Harm: a page that adds euros to dollars tells nobody anything."""
    dollar, euro = restatements(
        data(change("A", "-1.02"), change(None, "1.5"), change("A", "7", "EUR"))
    )
    assert (dollar.billed.amount, dollar.billed.currency) == (Decimal("0.48"), "USD")
    assert (euro.billed.amount, euro.billed.currency) == (Decimal(7), "EUR")
    assert [one.service for one in dollar.changes] == ["(no service)", "A"]


def test_the_page_tells_what_was_restated_and_is_silent_where_nothing_was() -> None:
    """Harm: a closed month changes and the report of the day looks like any other."""
    page = render_text(data(change("A", "-1.02"), change("B", "2")))
    assert "What was restated" in page
    assert "+0.98 USD billed" in page
    assert "-1.02 USD" in page
    assert "<b>cloud</b>" not in page
    assert "What was restated" not in render_text(EMPTY)
