"""How the charges are delivered: closed months once, the current month as daily snapshots.

A snapshot holds the month to date and replaces the one before it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from finops_dagster.demo.charges import CLOSING, Book
from finops_dagster.demo.delivery import ControlTotal, write
from finops_dagster.demo.focus import COST_SCALE, Rows, month_number, table
from finops_dagster.demo.noise import Ints
from finops_dagster.demo.seasons import day_number, day_of, month_end

SNAPSHOT_DAYS = 40
"""Days before the end of the estate for which daily snapshots are kept."""
CLOSED_ON = 4
"""Day of the next month on which a month is closed."""
_KNOWN = time(3)


def _billing_month(rows: Rows) -> Ints:
    """Day number of the first of the month each row is billed in: when it became visible."""
    shown = np.where(rows.visible >= CLOSING, rows.visible - CLOSING - 1, rows.visible)
    numbers, at = np.unique(shown, return_inverse=True)
    result: Ints = np.array([month_number(int(n)) for n in numbers])[at]
    return result


def write_exports(
    out: Path, books: dict[str, Book], first: date, last: date, *, since: date
) -> tuple[int, int]:
    """Write every delivery known after `since`'s own day; returns (charges, rows delivered).

    `first` is the first day of the estate. Months closed by `last` are written once, and the days
    of the last SNAPSHOT_DAYS as month-to-date snapshots.
    """
    charges = delivered = 0
    for key, book in books.items():
        rows = book.rows()
        months = _billing_month(rows)
        for month in np.unique(months):
            end = month_end(int(month))
            picked = rows.pick(np.flatnonzero(months == month))
            picked = picked.pick(np.argsort(picked.visible, kind="stable"))
            charges += int((picked.start <= day_number(last)).sum())
            folder = out / "exports" / key / f"billing_period={day_of(int(month)).isoformat()}"
            begin = max(int(month), day_number(first))
            closed = day_of(end) + timedelta(days=CLOSED_ON - 1)
            for day in _snapshot_days(int(month), end, last):
                if day < since:
                    continue
                upto = int(np.searchsorted(picked.visible, day_number(day), side="right"))
                delivered += _deliver(
                    folder / f"known={(day + timedelta(days=1)).isoformat()}",
                    picked.pick(np.arange(upto)),
                    book,
                    int(month),
                    end,
                    (begin, day_number(day) + 1),
                    datetime.combine(day + timedelta(days=1), _KNOWN, tzinfo=UTC),
                    None,
                )
            # Known at 03:00 on the day it closes, so the decision for the day before can use it.
            if since < closed <= last + timedelta(days=1):
                delivered += _deliver(
                    folder / "final",
                    picked,
                    book,
                    int(month),
                    end,
                    (begin, end),
                    datetime.combine(closed, _KNOWN, tzinfo=UTC),
                    f"INV-{key.upper()}-{day_of(int(month)):%Y%m}",
                )
    return charges, delivered


def _snapshot_days(month: int, end: int, last: date) -> list[date]:
    oldest = max(month, day_number(last) - SNAPSHOT_DAYS + 1)
    return [day_of(n) for n in range(oldest, min(end, day_number(last) + 1))]


def _deliver(
    folder: Path,
    rows: Rows,
    book: Book,
    month: int,
    end: int,
    window: tuple[int, int],
    known_at: datetime,
    invoice: str | None,
) -> int:
    if not len(rows):
        return 0
    billed = Decimal(int(rows.billed_cost.sum())).scaleb(-COST_SCALE)
    # Corrections reach back before the month: the window holds them, as the total does.
    total = ControlTotal(
        book.provider.billing_account_id,
        book.provider.currency,
        day_of(min(window[0], int(rows.start.min()))),
        day_of(window[1]),
        billed,
    )
    write(folder, table(rows, book.templates, month, end, invoice), known_at, [total])
    return len(rows)
