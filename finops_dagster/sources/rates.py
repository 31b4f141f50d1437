"""Reads a CSV of currency rates: date, from, to, rate, taken_at. Nothing is guessed.

What a rate is lives in domain.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pydantic import ValidationError

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.rates import Rate, Rates

COLUMNS = ("date", "from", "to", "rate", "taken_at")
_HINT = "Correct the row; the file is named by currencies.rates in the settings."


def read_rates(path: Path) -> Rates:
    """The rates of a CSV with a header; other columns than COLUMNS are ignored.

    Raises SettingsError with one Fault per row that is no rate, or that says another rate for the
    same day, currencies and time it was taken.
    """
    faults: list[Fault] = []
    rows: dict[tuple[date, str, str, datetime], Rate] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise SettingsError(
                    f"{path} holds no rates",
                    (
                        Fault(
                            code="rates_unreadable",
                            file=str(path),
                            column=missing[0],
                            expected=f"Expected the columns {', '.join(COLUMNS)}.",
                            hint="Name them so in the first line.",
                        ),
                    ),
                )
            for number, row in enumerate(reader, start=1):
                rate = _rate(row)
                if isinstance(rate, str):
                    faults.append(_fault(path, number, rate))
                    continue
                key = (rate.day, rate.source, rate.target, rate.taken_at)
                if rows.setdefault(key, rate) != rate:
                    faults.append(_fault(path, number, "the same rate with another value"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fault = Fault(
            code="rates_unreadable",
            file=str(path),
            expected=f"Expected CSV in UTF-8: {error}.",
            hint="Correct currencies.rates in the settings, or the file.",
        )
        raise SettingsError(f"{path} cannot be read", (fault,)) from error
    if faults:
        raise SettingsError(f"{path} has {len(faults)} rows that are no rates", tuple(faults))
    return Rates(tuple(rows.values()))


def _rate(row: dict[str, str | None]) -> Rate | str:
    values = {name: (row[name] or "").strip() for name in COLUMNS}
    try:
        taken = datetime.fromisoformat(values["taken_at"])
        return Rate(
            day=date.fromisoformat(values["date"]),
            source=values["from"].upper(),
            target=values["to"].upper(),
            rate=Decimal(values["rate"]),
            taken_at=taken if taken.tzinfo else taken.replace(tzinfo=UTC),
        )
    except (ValueError, InvalidOperation, ValidationError):
        return ", ".join(_wrong(values)) or "values that are no rate"


def _wrong(values: dict[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name} {value[:30]!r}"


def _fault(path: Path, number: int, found: str) -> Fault:
    return Fault(
        code="rate_unreadable",
        file=str(path),
        row=number,
        expected="Expected a date, two ISO 4217 codes, a decimal rate above zero and the time it "
        f"was taken; found {found}.",
        hint=_HINT,
    )
