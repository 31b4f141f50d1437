"""What a bill as a whole must satisfy: how much was set aside, and what its invoices say.

Sums come from the table `totals` that counting leaves; nothing here reads files.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import duckdb

from finops_dagster.domain.deliveries import ControlTotal, Delivery
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.periods import next_month
from finops_dagster.sources.shapes import Limits
from finops_dagster.sources.views import Counts

FAR_BELOW = Decimal("0.1")
"""Daily spend at or under this share of what the invoice implies is no spend but lost rows."""

CENT = Decimal("0.01")
"""Invoices are rounded to the cent: differences up to it are no difference."""

_DAYS_NAMED = 5


def judge_bill(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, counts: Counts, limits: Limits
) -> list[Fault]:
    """Every fault of a bill as a whole; none if it may be taken in."""
    if counts.overflow:
        return [
            Fault(
                code="sum_overflow",
                column="BilledCost",
                expected="Costs whose sum is below 10^18 of their currency; these are not.",
                hint="Look for a broken amount in the bill.",
            )
        ]
    return [
        *_without_rows(delivery, counts),
        *_set_aside(counts, limits),
        *(
            fault
            for total in delivery.control_totals
            if total.start < next_month(delivery.partition) and total.end > delivery.partition
            for fault in _against(connection, total, limits)
        ),
    ]


def _without_rows(delivery: Delivery, counts: Counts) -> Iterator[Fault]:
    """A period without a row would replace one that has rows, and all its cost would be gone."""
    told = all(file.rows is not None for file in delivery.files)
    if counts.rows_good or counts.rows_bad or told:
        return
    names = ", ".join(str(file.path) for file in delivery.files)[:500]
    yield Fault(
        code="no_rows",
        file=names,
        expected=f"At least one charge of {delivery.partition:%Y-%m}; there is none.",
        hint='Have the export run again. If nothing was charged, say so with "rows": 0 in '
        "the delivery's note.",
    )


def _set_aside(counts: Counts, limits: Limits) -> Iterator[Fault]:
    limit = limits.quarantined_cost_share
    if counts.cost_unknown and limit < 1:
        yield Fault(
            code="quarantined_cost_unknown",
            expected=f"Rows set aside whose cost is known; {counts.cost_unknown} row(s) have a "
            "cost, a currency or a whole line that cannot be read.",
            hint="Mend the rows in quarantine where they come from; each has its reasons there.",
        )
    for currency, weights in sorted(counts.weight_bad.items()):
        for name, aside, whole in zip(
            ("BilledCost", "EffectiveCost"), weights, counts.weight_all[currency], strict=True
        ):
            if aside > whole * limit:
                share = (aside / whole * 100).quantize(Decimal("0.01"))
                yield Fault(
                    code="quarantined_cost_share",
                    column=name,
                    expected=f"At most {limit * 100:f} % of the {currency} cost set aside; "
                    f"it is {share:f} % ({_money(aside)} of {_money(whole)}, absolute amounts).",
                    hint="Mend the rows in quarantine, or raise the limit in the settings.",
                )


def _against(
    connection: duckdb.DuckDBPyConnection, total: ControlTotal, limits: Limits
) -> Iterator[Fault]:
    """The fault of an account whose delivered cost is not what its invoice says."""
    rows = connection.execute(
        "SELECT day, sum(billed) FROM totals WHERE account = ? AND currency = ? "
        "AND day >= ? AND day < ? GROUP BY day ORDER BY day",
        [total.billing_account_id, total.billing_currency, total.start, total.end],
    ).fetchall()
    by_day = {day: amount or Decimal(0) for day, amount in rows}
    billed = sum(by_day.values(), Decimal(0))
    owed = total.billed_cost
    days = (total.end - total.start).days
    if days <= 0:
        yield _empty_window(total)
        return
    window = f"from {total.start} to {total.end} (exclusive)"
    currency = total.billing_currency
    if owed > 0 and billed <= owed * FAR_BELOW:
        yield Fault(
            code="spend_far_below_invoice",
            column="BilledCost",
            expected=f"Account {total.billing_account_id!r} spends {_money(owed / days)} "
            f"{currency} a day by its invoice {window}; the delivery has "
            f"{_money(billed / days)} a day, {_percent(owed - billed, owed)} % less.",
            hint="Rows are missing: have the export run again.",
        )
        return
    if abs(billed - owed) <= max(abs(owed) * limits.invoice_tolerance, CENT):
        return
    low = [
        str(day) for day, amount in by_day.items() if amount <= owed / days * FAR_BELOW
    ] if billed < owed else []  # fmt: skip
    named = f" Days far below the mean: {', '.join(low[:_DAYS_NAMED])}." if low else ""
    missing = days - len(by_day)
    unseen = f" {missing} of {days} days have no charge." if missing and billed < owed else ""
    yield Fault(
        code="invoice_differs",
        column="BilledCost",
        expected=f"Account {total.billing_account_id!r} owes {_money(owed)} {currency} {window}; "
        f"the delivery has {_money(billed)}, a difference of {_percent(billed - owed, owed)} %, "
        f"{limits.invoice_tolerance * 100:f} % is allowed.{named}{unseen}",
        hint="Have the export run again, or correct the invoice total.",
    )


def _empty_window(total: ControlTotal) -> Fault:
    return Fault(
        code="invoice_window_empty",
        expected=f"An invoice window with a day in it; account {total.billing_account_id!r} has "
        f"{total.start} to {total.end} (exclusive).",
        hint="Correct the control total in the delivery's note.",
    )


def _money(amount: Decimal) -> str:
    """For people: up to six decimals, without trailing zeros."""
    text = f"{amount:.6f}".rstrip("0")
    return text + "00"[: max(0, 2 - len(text.partition(".")[2]))]


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole * 100:.2f}" if whole else "100"
