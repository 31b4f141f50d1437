"""Bills that come again: what changed is told with its money, and nothing else is touched.

The bills are a few rows each, so that every figure can be added up in the head.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.e2e.bills import Company, row

JANUARY, FEBRUARY, MARCH = "2026-01-01", "2026-02-01", "2026-03-01"


def closed(folder: Path) -> Company:
    """Three months, each delivered once."""
    company = Company(folder, "2026-04-10")
    company.deliver(
        JANUARY, "final", "2026-02-04T03:00:00Z",
        [row(JANUARY, "2026-01-05", "10.10"), row(JANUARY, "2026-01-06", "5", account="sub-2")],
    )  # fmt: skip
    company.deliver(FEBRUARY, "final", "2026-03-04T03:00:00Z", [row(FEBRUARY, "2026-02-05", "7")])
    company.deliver(MARCH, "final", "2026-04-04T03:00:00Z", [row(MARCH, "2026-03-05", "3")])
    return company


def restate(company: Company) -> None:
    company.deliver(
        JANUARY, "restated", "2026-04-11T03:00:00Z",
        [
            row(JANUARY, "2026-01-05", "9.08"),
            row(JANUARY, "2026-01-06", "5", account="sub-2"),
            row(JANUARY, "2026-01-06", "1.5", service="Support"),
        ],
    )  # fmt: skip


def test_a_restatement_is_told_to_the_cent(tmp_path: Path) -> None:
    """A closed month that changes without a word is a bill nobody can agree to."""
    company = closed(tmp_path)
    company.run()
    assert company.rows("fct_restatements") == []
    restate(company)
    company.decide("2026-04-11")
    company.run()
    told = company.rows(
        "fct_restatements",
        "select service_name, sub_account_id, billed_before, billed_after, billed_difference,"
        " after_period_end, known_at::varchar from mart order by 1",
    )
    known = "2026-04-11 03:00:00+00"
    assert told == [
        ("Compute", "sub-1", Decimal("10.10"), Decimal("9.08"), Decimal("-1.02"), True, known),
        ("Support", "sub-1", Decimal(0), Decimal("1.5"), Decimal("1.5"), True, known),
    ]
    assert company.rows(
        "fct_costs_daily", "select sum(billed_cost) from mart where billing_period = '2026-01-01'"
    ) == [(Decimal("15.58"),)]
    assert sum(row[4] for row in told) == Decimal("15.58") - Decimal("15.10")
