"""Reads a CSV of machine types and what an hour of each costs. Nothing is guessed.

What the prices are used for is not known here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pandas as pd

from finops_dagster.domain.errors import Fault, SettingsError

COLUMNS = ("instance_type", "region", "currency", "price_per_hour")
OPTIONAL = (
    "vcpus", "memory_gib", "what", "software", "network_gbps", "disk_mib_per_second", "valid_from",
    "valid_to",
)  # fmt: skip
WHATS = ("machine", "database")
_AMOUNTS = ("price_per_hour", "vcpus", "memory_gib", "network_gbps", "disk_mib_per_second")


def read_machine_list(path: Path, as_of: date) -> pd.DataFrame:
    """COLUMNS and OPTIONAL of the rows in force on `as_of`; other columns are ignored.

    Amounts are Decimal, or None where a cell is empty; `what` is machine where it is; `valid_from`
    is the first day of a row and `valid_to` the first after it, each open where it is empty. A
    database's type loses its `db.`. Raises SettingsError with one Fault per cell that is wrong.
    """
    faults: list[Fault] = []
    rows: list[dict[str, object]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            faults += [_fault(path, None, name, "a column of this name") for name in missing]
            for number, cells in enumerate(reader if not missing else (), start=1):
                row = {name: (cells.get(name) or "").strip() for name in (*COLUMNS, *OPTIONAL)}
                wrong = [_fault(path, number, name, why) for name, why in _wrong(row)]
                faults += wrong
                if not wrong and _in_force(row, as_of):
                    rows.append(_read(row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fault = _fault(path, None, None, f"CSV in UTF-8: {error}")
        raise SettingsError(f"{path} cannot be read", (fault,)) from error
    if faults:
        raise SettingsError(f"{path} is no list of machine types", tuple(faults))
    return pd.DataFrame(rows, columns=[*COLUMNS, *OPTIONAL])


def _wrong(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Columns that are wrong, and what was expected there."""
    for name in ("instance_type", "region"):
        if not row[name]:
            yield name, "a value"
    if not (len(row["currency"]) == 3 and row["currency"].isascii() and row["currency"].isupper()):
        yield "currency", "an ISO 4217 code such as EUR"
    if row["what"] not in ("", *WHATS):
        yield "what", " or ".join(WHATS)
    for name in _AMOUNTS:
        if (row[name] or name == "price_per_hour") and _amount(row[name]) is None:
            yield name, "a decimal number above zero"
    for name in ("valid_from", "valid_to"):
        if row[name] and _day(row[name]) is None:
            yield name, "a day, YYYY-MM-DD"


def _in_force(row: Mapping[str, str], as_of: date) -> bool:
    first, end = _day(row["valid_from"]), _day(row["valid_to"])
    return (first is None or first <= as_of) and (end is None or as_of < end)


def _read(row: Mapping[str, str]) -> dict[str, object]:
    amounts = {name: _amount(row[name]) for name in _AMOUNTS}
    what = row["what"] or "machine"
    kind = row["instance_type"].removeprefix("db.") if what == "database" else row["instance_type"]
    return {**row, **amounts, "what": what, "instance_type": kind,
            "software": row["software"].lower()}  # fmt: skip


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < Decimal(10) ** 18 else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _fault(path: Path, row: int | None, column: str | None, expected: str) -> Fault:
    return Fault(
        code="machine_list",
        file=str(path),
        row=row,
        column=column,
        expected=f"Expected {expected}.",
        hint="Correct the file; it is named by sizing.machine_types in the settings.",
    )
