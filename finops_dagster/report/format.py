"""Money, quantities, shares and dates as text that people read, the same on page and terminal.

Escaping for HTML or Markdown is the business of whoever writes those.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from finops_dagster.domain.money import Money, MoneyRange, Range

_MINOR_UNITS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND",
         "VUV", "XAF", "XOF", "XPF"), 0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
"""Digits after the point where they are not two: ISO 4217, list one."""

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def total(values: Iterable[Decimal]) -> Decimal:
    """The sum of amounts of one currency; raises TypeError for a float among them."""
    return sum(values, Decimal(0))


def places(currency: str) -> int:
    """Digits after the point that `currency` is written with."""
    return _MINOR_UNITS.get(currency, 2)


def amount(value: Decimal, digits: int = 2) -> str:
    """`1,234.50`: half-even to `digits`, thousands separated, never `-0.00`."""
    rounded = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return f"{abs(rounded) if rounded == 0 else rounded:,.{digits}f}"


def money(value: Money) -> str:
    """`1,234.50 USD`: to the currency's own digits; for what was billed."""
    return f"{amount(value.amount, places(value.currency))} {value.currency}"


def money_brief(value: Money) -> str:
    """`1,235 USD`: without cents from a hundred upwards; for headlines and tables of totals."""
    digits = 0 if abs(value.amount) >= 100 else places(value.currency)
    return f"{amount(value.amount, digits)} {value.currency}"


def _step(*values: Decimal) -> Decimal:
    """The unit to round an estimate to: two significant digits of its largest end, at most 1."""
    largest = max(abs(value) for value in values)
    if largest == 0:
        return Decimal(1)
    exponent = largest.adjusted() - 1
    return Decimal(1).scaleb(max(exponent, -2))


def _round(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * step


def _estimate(value: Decimal, step: Decimal) -> str:
    digits = max(-int(step.adjusted()), 0)
    return amount(_round(value, step), digits)


def money_range(value: MoneyRange) -> str:
    """`410 to 560 USD`: a 95 % interval, to two significant digits of its largest end."""
    step = _step(value.low, value.high)
    low, high = _estimate(value.low, step), _estimate(value.high, step)
    text = low if low == high else f"{low} to {high}"
    return f"{text} {value.currency}"


def money_middle(value: MoneyRange) -> str:
    """`480 USD`: the middle of an estimate, rounded as `money_range` rounds its ends."""
    return f"{_estimate(value.mid, _step(value.low, value.high))} {value.currency}"


def saving(value: MoneyRange) -> str:
    """`saves 410 to 560 USD a month, 95 %`, or what it costs, or both ends where they differ.

    Where the interval has no width, no confidence is claimed.
    """
    sure = "" if value.low == value.high else ", 95 %"
    if value.low >= 0:
        return f"saves {money_range(value)} a month{sure}"
    if value.high <= 0:
        turned = MoneyRange(
            low=-value.high, mid=-value.mid, high=-value.low, currency=value.currency
        )
        return f"costs {money_range(turned)} a month more{sure}"
    step = _step(value.low, value.high)
    costs, saves = _estimate(-value.low, step), _estimate(value.high, step)
    return f"between {costs} {value.currency} more and {saves} less a month{sure}"


def quantity(value: float, unit: str) -> str:
    """`1,234 kWh`, `0.42 cores`: three significant digits; `unknown` when there is none."""
    if not math.isfinite(value):
        return "unknown"
    magnitude = abs(value)
    if magnitude >= 100 or value == 0:
        text = f"{value:,.0f}"
    else:
        digits = 2 - math.floor(math.log10(magnitude))
        text = f"{value:.{min(digits, 6)}f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".rstrip()


def carbon(value: Range) -> str:
    """`saves 12 to 18 kg CO2e a month`; `no change` when it is nothing."""
    if value.low == value.high == 0:
        return "no change in CO2e"
    if value.low >= 0 or value.high <= 0:
        verb = "saves" if value.low >= 0 else "adds"
        ends = sorted((abs(value.low), abs(value.high)))
        low, high = (quantity(end, "") for end in ends)
        span = low if low == high else f"{low} to {high}"
        return f"{verb} {span} kg CO2e a month"
    adds, saves = quantity(-value.low, ""), quantity(value.high, "")
    return f"between {adds} kg CO2e more and {saves} less a month"


def share(part: float, digits: int = 0) -> str:
    """`42 %` of a fraction 0.42; tiny shares are `< 1 %`, never a false `0 %`."""
    if not math.isfinite(part):
        return "unknown"
    if 0 < abs(part) < 0.5 * 10 ** -(digits + 2):
        return f"{'< ' if part > 0 else '> -'}{10**-digits:.{digits}f} %"
    return f"{part * 100:.{digits}f} %"


def chance(probability: float) -> str:
    """`42 %`, `under 1 %`, `over 99 %`: an estimated probability, never as sure as 0 or 100 %."""
    if probability < 0.01:
        return "under 1 %"
    return "over 99 %" if probability > 0.99 else share(probability)


def change(part: float) -> str:
    """`+14 %`, `-0.3 %`, `unchanged`: a fraction by which something moved."""
    if not math.isfinite(part):
        return "unknown"
    if abs(part) < 0.0005:
        return "unchanged"
    return f"{part * 100:+,.{0 if abs(part) >= 0.1 else 1}f} %"


def size(value: float) -> str:
    """`1.5 GiB` of bytes: binary units, three significant digits."""
    if not math.isfinite(value):
        return "unknown"
    for unit in _BYTES[:-1]:
        if abs(value) < 1024:
            return quantity(value, unit)
        value /= 1024
    return quantity(value, _BYTES[-1])


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 workload`, `1,204 workloads`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def words(name: str) -> str:
    """`Rightsize CPU` of `rightsize_cpu`: a snake_case code as words."""
    text = name.replace("_", " ").strip()
    for short in ("cpu", "gpu", "ai"):
        text = " ".join(part.upper() if part == short else part for part in text.split(" "))
    return text[:1].upper() + text[1:]


def when(value: datetime | date) -> str:
    """`2026-10-31` or `2026-10-31 06:00 UTC`."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value.isoformat()


def month(value: date) -> str:
    """`Oct 2026`, in English whatever the machine's locale."""
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{names[value.month - 1]} {value.year}"


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"
