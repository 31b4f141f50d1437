"""Credits, a refund, corrections of closed months, support and tax.

They follow from the plain charges, which are made before.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from finops_dagster.demo.charges import CLOSING, Book, base_texts, discounted
from finops_dagster.demo.focus import Template
from finops_dagster.demo.meters import METERS
from finops_dagster.demo.noise import Ints
from finops_dagster.demo.seasons import day_number, day_of, month_end

CORRECTED_ON = 6
"""Day of the month on which corrections of the month before appear."""


def _flat_cost(
    book: Book,
    days: Ints,
    amount_cents: int,
    texts: dict[str, str],
    account: str,
    visible: Ints | None = None,
    end: Ints | None = None,
) -> None:
    """Rows of one fixed amount that no quantity explains."""
    region = next(m.region for m in METERS if m.account == account)
    cost = np.full(len(days), amount_cents * 10**8, dtype=np.int64)
    book.add(
        Template({**base_texts(book.provider, account, region), **texts}, {}),
        days,
        None,
        None,
        list_cost=cost,
        contracted_cost=cost,
        visible=visible,
        end=end,
    )


def add_credits(book: Book, days: Ints) -> None:
    """Promotional credits and one refund."""
    firsts = np.array([n for n in days if day_of(int(n)).day == 1], dtype=np.int64)
    credit = {
        "ChargeCategory": "Credit",
        "ChargeFrequency": "One-Time",
        "ServiceName": "Promotional credits",
        "ServiceCategory": "Other",
        "ServiceSubcategory": "Other (Other)",
        "ChargeDescription": "Migration programme credit",
    }
    if book.provider.key == "aws":
        funded = np.array([n for n in firsts if day_of(int(n)) <= date(2026, 3, 1)], dtype=np.int64)
        if len(funded):
            _flat_cost(book, funded, -40_000, credit, "aws-shared")
    if book.provider.key == "gcp" and len(firsts):
        _flat_cost(book, firsts, -22_500, credit, "gcp-data")
    refund_day = day_number(date(2026, 8, 11))
    if book.provider.key == "azure" and days[0] <= refund_day <= days[-1]:
        refund = credit | {
            "ChargeCategory": "Adjustment",
            "ServiceName": "Azure SQL Database",
            "ServiceCategory": "Databases",
            "ServiceSubcategory": "Relational Databases",
            "ChargeDescription": "Refund: availability below the service level agreed",
        }
        _flat_cost(book, np.array([refund_day]), -31_240, refund, "azure-pay")


def add_corrections(book: Book, days: Ints) -> None:
    """In January, April, July and October three days of the month before are re-rated.

    A reversal of the old charges and new ones at nine tenths, both of class Correction, with the
    charge period of the old ones.
    """
    plain = [
        (template, part)
        for template, part in zip(book.templates, book.parts, strict=True)
        if template.texts.get("ServiceCategory") == "Networking"
    ]
    for month in [n for n in days if day_of(int(n)).day == CORRECTED_ON]:
        if day_of(int(month)).month % 3 != 1:
            continue
        start = day_number(day_of(int(month)).replace(day=1) - timedelta(days=12))
        for template, part in plain:
            at = np.flatnonzero((part.start >= start) & (part.start < start + 3))
            if not len(at):
                continue
            picked = part.pick(at)
            shown = np.full(len(at), month, dtype=np.int64)
            texts = template.texts | {"ChargeClass": "Correction"}
            rerated = discounted(picked.contracted_price, 100)
            for sign, price in ((-1, picked.contracted_price), (1, rerated)):
                word = "Reversal" if sign < 0 else "Re-rated"
                book.add(
                    Template(
                        texts | {"ChargeDescription": f"{word}: {texts['ChargeDescription']}"},
                        template.tags,
                    ),
                    picked.start,
                    sign * picked.quantity,
                    picked.list_price,
                    contracted_price=price,
                    visible=shown,
                )


def add_closing(book: Book, days: Ints) -> None:
    """Support and tax, known only when a month is closed; for whole months."""
    rows = book.rows()
    ends = sorted({month_end(int(n)) for n in days})
    for end in ends:
        if end > int(days[-1]) + 1:
            continue
        start = max(day_number(day_of(end - 1).replace(day=1)), int(days[0]))
        inside = (rows.visible >= start) & (rows.visible < end)
        total = int(rows.billed_cost[inside].sum())
        account = {"aws": "aws-shared", "azure": "azure-pay", "gcp": "gcp-data"}[book.provider.key]
        when = np.array([start], dtype=np.int64)
        closed = np.array([CLOSING + end], dtype=np.int64)
        period_end = np.array([end], dtype=np.int64)
        if book.provider.key == "aws":
            cents = total * 3 // 100 // 10**8
            _flat_cost(
                book,
                when,
                cents,
                {
                    "ChargeCategory": "Purchase",
                    "ChargeFrequency": "Recurring",
                    "PricingCategory": "Standard",
                    "ServiceName": "AWS Support (Business)",
                    "ServiceCategory": "Management and Governance",
                    "ServiceSubcategory": "Support",
                    "ChargeDescription": "Support, 3 % of the month",
                },
                account,
                closed,
                period_end,
            )
        if book.provider.tax_permille:
            cents = total * book.provider.tax_permille // 1000 // 10**8
            _flat_cost(
                book,
                when,
                cents,
                {
                    "ChargeCategory": "Tax",
                    "ChargeFrequency": "Recurring",
                    "ServiceName": "Tax",
                    "ServiceCategory": "Other",
                    "ServiceSubcategory": "Other (Other)",
                    "ChargeDescription": "Value added tax",
                },
                account,
                closed,
                period_end,
            )
