"""Money with its currency, and ranges of money and of plain quantities.

Amounts are Decimal, never clipped at zero, never summed across currencies.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, model_validator

MONEY_PRECISION = 38
MONEY_SCALE = 20
"""DECIMAL(38,20): the widest decimal of DuckDB and Parquet, 18 digits before the point."""

Amount = Annotated[Decimal, PlainSerializer(lambda v: format(v, "f"), return_type=str)]

_ALL_DIGITS = 100
"""More than any sum of money has: Python's own 28 would round it."""


def exact_sum(*amounts: Decimal) -> Decimal:
    """The sum of amounts in one currency to its last digit."""
    with localcontext() as context:
        context.prec = _ALL_DIGITS
        return sum(amounts, Decimal(0))


NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency: of what nothing is billed for."""


class Money(BaseModel):
    """An amount in one ISO 4217 currency (or a virtual currency a provider bills in)."""

    model_config = ConfigDict(frozen=True)

    amount: Amount
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(amount=self.amount - other.amount, currency=self.currency)

    def __neg__(self) -> Money:
        return Money(amount=-self.amount, currency=self.currency)

    def times(self, factor: Decimal | int) -> Money:
        """This amount times a dimensionless factor, at full working precision."""
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            return Money(amount=self.amount * factor, currency=self.currency)

    def rounded(self, places: int = 2) -> Money:
        """Half-even to `places` decimals: for people, never for further sums."""
        step = Decimal(1).scaleb(-places)
        return Money(
            amount=self.amount.quantize(step, rounding=ROUND_HALF_EVEN), currency=self.currency
        )

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise MixedCurrenciesError(
                f"cannot add {other.currency} to {self.currency}: convert first"
            )


class MixedCurrenciesError(ValueError):
    """Amounts of several currencies were to be added: convert first."""


def total(amounts: Iterable[Money]) -> Money:
    """The sum of amounts of one currency, to its last digit; every sum over rows goes through here.

    Raises MixedCurrenciesError for several currencies, ValueError for no amount at all.
    """
    rows = list(amounts)
    currencies = sorted({one.currency for one in rows})
    if not currencies:
        raise ValueError("no amount, so no currency to have a sum in")
    if len(currencies) > 1:
        raise MixedCurrenciesError(f"no sum over {', '.join(currencies)}: convert first")
    return Money(amount=exact_sum(*(one.amount for one in rows)), currency=currencies[0])


class MoneyRange(BaseModel):
    """A central amount and the ends of its 95 % interval, in one currency."""

    model_config = ConfigDict(frozen=True)

    low: Amount
    mid: Amount
    high: Amount
    currency: str

    @model_validator(mode="after")
    def _ordered(self) -> MoneyRange:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"not a range: {self.low} <= {self.mid} <= {self.high} is false")
        return self


class Range(BaseModel):
    """A central quantity and the ends of its 95 % interval; the unit is in the field's name."""

    model_config = ConfigDict(frozen=True)

    low: float
    mid: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"not a range: {self.low} <= {self.mid} <= {self.high} is false")
        return self


NO_MONEY = MoneyRange(low=Decimal(0), mid=Decimal(0), high=Decimal(0), currency=NO_CURRENCY)
"""Of what is done for another reason than money."""
NO_CARBON = Range(low=0.0, mid=0.0, high=0.0)


def to_decimal(value: float, places: int = 10) -> Decimal:
    """A model's float as Decimal, rounded to `places`; only for estimates, never for bills."""
    return Decimal(repr(round(float(value), places)))
