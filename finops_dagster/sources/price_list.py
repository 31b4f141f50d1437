"""A dated price list: what a unit of each SKU costs and when, depreciation and power included.

How use is multiplied by it is in `rate_card`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from pathlib import Path

from finops_dagster.domain.errors import Fault
from finops_dagster.sources.parsing import squeeze

SCALE = 18
"""Decimals of a rate; more are refused in a price, and rounded off what is computed."""

MAX_ROWS = 10_000
"""A price list is looked through for every use: longer ones are another kind of file."""

KINDS = ("price", "depreciation", "power")
_COLUMNS = (
    "kind", "sku", "unit", "currency", "valid_from", "valid_to", "unit_price", "asset_cost",
    "salvage", "months", "watts", "price_per_kwh", "pue", "units_per_hour", "service", "category",
)  # fmt: skip
_FOREVER = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rate:
    """What a unit of a SKU costs from `start` until before `end`, for one reason (`kind`)."""

    kind: str
    sku: str
    unit: str
    currency: str
    start: datetime
    end: datetime
    price: Decimal
    service: str
    category: str
    row: int


@dataclass
class PriceList:
    """The rates of a file, and what is wrong with it."""

    rates: list[Rate] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class _BadCellError(ValueError):
    def __init__(self, column: str, expected: str) -> None:
        super().__init__(expected)
        self.column = column
        self.expected = expected


def read_price_list(path: Path) -> PriceList:
    """Read the CSV at `path`; every cell that cannot be used and every overlap is a fault."""
    found = PriceList()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        found.faults.append(_fault(path, None, None, f"A CSV file in UTF-8; {error}"))
        return found
    if len(rows) > MAX_ROWS:
        found.faults.append(_fault(path, None, None, f"At most {MAX_ROWS} rows; it has more"))
        return found
    known = {squeeze(name): name for name in _COLUMNS}
    for name in dict.fromkeys(key for row in rows for key in row):
        if name is None or squeeze(name) not in known:
            expected = f"Columns {', '.join(_COLUMNS)}; found {name or 'more cells than columns'}"
            found.faults.append(_fault(path, None, name, expected))
    if found.faults:
        return found
    for number, row in enumerate(rows, 1):
        cells = {known[squeeze(name)]: (value or "").strip() for name, value in row.items()}
        if not any(cells.values()):
            continue
        try:
            found.rates.extend(_rates(cells, number))
        except _BadCellError as error:
            found.faults.append(_fault(path, number, error.column, error.expected))
    found.faults.extend(_overlaps(path, found.rates))
    if not found.rates and not found.faults:
        found.faults.append(_fault(path, None, None, "At least one rate; it has none"))
    return found


def _rates(cells: Mapping[str, str], row: int) -> Iterator[Rate]:
    kind = cells.get("kind", "").lower() or "price"
    if kind not in KINDS:
        raise _BadCellError("kind", f"One of {', '.join(KINDS)}; found {kind!r}")
    start = _day(cells, "valid_from")
    end = _day(cells, "valid_to") if cells.get("valid_to") else _FOREVER
    if end <= start:
        raise _BadCellError("valid_to", "A day after valid_from: the first that is not covered")
    currency = _text(cells, "currency")
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise _BadCellError("currency", f"An ISO 4217 code such as EUR; found {currency!r}")

    def rate(begin: datetime, until: datetime, price: Decimal) -> Rate:
        return Rate(
            kind, _text(cells, "sku"), _text(cells, "unit"), currency, begin, until, price,
            cells.get("service", ""), cells.get("category", ""), row,
        )  # fmt: skip

    if kind == "price":
        price = _number(cells, "unit_price")
        if price.normalize().as_tuple().exponent < -SCALE:  # type: ignore[operator] # it is finite
            raise _BadCellError("unit_price", f"At most {SCALE} decimals; found {price}")
        yield rate(start, end, price)
    elif kind == "power":
        kilowatts = _number(cells, "watts") / 1000
        hourly = kilowatts * _number(cells, "price_per_kwh") * _number(cells, "pue", Decimal(1))
        yield rate(start, end, _per_unit(hourly, cells))
    else:
        # straight line over the hours of the asset's life; afterwards it is written off
        written_off = _months_after(start, cells)
        hours = Decimal(int((written_off - start).total_seconds())) / 3600
        loss = _number(cells, "asset_cost") - _number(cells, "salvage", Decimal(0))
        with localcontext() as context:
            context.prec = 60
            hourly = loss / hours
        yield rate(start, min(end, written_off), _per_unit(hourly, cells))
        if written_off < end:
            yield rate(written_off, end, Decimal(0))


def _per_unit(hourly: Decimal, cells: Mapping[str, str]) -> Decimal:
    units = _number(cells, "units_per_hour", Decimal(1))
    if units <= 0:
        raise _BadCellError("units_per_hour", f"More than zero; found {units}")
    with localcontext() as context:
        context.prec = 60
        return (hourly / units).quantize(Decimal(1).scaleb(-SCALE), ROUND_HALF_EVEN)


def _months_after(start: datetime, cells: Mapping[str, str]) -> datetime:
    months = _number(cells, "months")
    if months != months.to_integral_value() or not 1 <= months <= 600:
        raise _BadCellError("months", f"A whole number from 1 to 600; found {months}")
    place = start.year * 12 + start.month - 1 + int(months)
    year, month = divmod(place, 12)
    if start.day > 28:
        raise _BadCellError("valid_from", "A day up to the 28th: months are counted from it")
    return start.replace(year=year, month=month + 1)


def _text(cells: Mapping[str, str], column: str) -> str:
    if not cells.get(column):
        raise _BadCellError(column, "A value; it is empty")
    return cells[column]


def _number(cells: Mapping[str, str], column: str, default: Decimal | None = None) -> Decimal:
    text = cells.get(column, "")
    if not text and default is not None:
        return default
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= Decimal(10) ** SCALE:
        raise _BadCellError(column, f"A decimal number such as 0.0425; found {text!r}")
    return number


def _day(cells: Mapping[str, str], column: str) -> datetime:
    text = _text(cells, column)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year < 2200:
        raise _BadCellError(column, f"A day, YYYY-MM-DD; found {text!r}")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _overlaps(path: Path, rates: list[Rate]) -> Iterator[Fault]:
    """Two rates of one kind for one SKU and unit at one time: which holds is anybody's guess."""
    last: dict[tuple[str, str, str], Rate] = {}
    for rate in sorted(rates, key=lambda r: (r.start, r.row)):
        key = (rate.kind, *key_of(rate))
        held = last.get(key)
        if held is not None and rate.start < held.end:
            yield _fault(
                path, rate.row, "valid_from",
                f"One {rate.kind} for {rate.sku} in {rate.unit} at a time; row {held.row} holds "
                f"until {held.end:%Y-%m-%d}",
            )  # fmt: skip
        if held is None or rate.end > held.end:
            last[key] = rate


def key_of(rate: Rate) -> tuple[str, str]:
    """What a use is matched by: SKU and unit, whatever their case."""
    return rate.sku.lower(), rate.unit.lower()


def _fault(path: Path, row: int | None, column: str | None, expected: str) -> Fault:
    return Fault(
        code="price_list",
        file=path.name,
        row=row,
        column=column,
        expected=f"{expected}.",
        hint="Correct the price list; the next run prices the use anew.",
    )
