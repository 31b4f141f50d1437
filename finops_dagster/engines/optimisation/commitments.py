"""How much of a scope's usage to commit to, for how long and paid how: the newsvendor's problem.

Which usage an offer may pay for is said by whoever hands both in; nothing is bought here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import MoneyRange, Range, to_decimal
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.engines.optimisation.offers import (
    DAYS_PER_MONTH,
    InForce,
    Offer,
    Outlook,
    segments,
)

_SCENARIOS = 41
"""Levels of future usage, of equal probability: at .0122, .0366, ..., .9878."""
_STEP = Decimal("0.0001")
"""Commitments are bought in such amounts an hour; rounded down."""

Scope = tuple[str, str]
"""(scope, currency)."""


@dataclass(frozen=True)
class CommitmentConfig:
    """Limits of what is advised; shares and probabilities are in [0, 1]."""

    min_history_days: int = 30
    max_age_days: int = 7
    """The newest usage may be so many days older than the day decided for."""
    max_fall_share: float = 0.05
    """A certain fall over the history by more than this and the engine abstains."""
    underused_share: float = 0.9
    """A commitment used by less than this is called underused: providers' own pages warn there."""
    max_loss_risk: float = 0.05
    """An offer that costs more than it saves with a higher probability is not advised."""
    capital_rate_per_year: float = 0.0
    """What money paid early could earn elsewhere."""


@dataclass(frozen=True)
class Option:
    """One offer at its best amount."""

    offer: Offer
    covers_per_hour: Decimal
    """Usage that it pays for, at the price on demand."""
    pays_per_hour: Decimal
    """What is paid for it in every hour of the term, used or not, upfront spread evenly."""
    upfront: Decimal
    critical_ratio: float
    """Share of hours in which usage is at most `covers_per_hour`."""
    saving_per_month: MoneyRange
    """Beside staying on demand; money paid early at its cost of capital."""
    utilisation: Range
    """Share of the commitment that is used over the term."""
    break_even_utilisation: float
    """Used by less, it costs more than it saves."""
    break_even_months: float
    """Of expected use until the whole commitment is paid for by what it replaced; above the term
    where it never is."""
    underused_risk: float
    """Probability that less than `underused_share` of it is used."""
    loss_risk: float
    """Probability that it costs more than it saves."""


@dataclass(frozen=True)
class Advice:
    """The best option for one scope, and the others it was chosen from."""

    scope: str
    currency: str
    best: Option
    options: tuple[Option, ...]
    """All, best expected saving first, those with too high a risk of loss included."""
    hourly: bool
    """False: only days are known, and what is short of the mean within a day is not seen."""
    reason: str
    wrong_if: str


def advise(
    usage: pd.DataFrame,
    offers: Sequence[Offer],
    as_of: date,
    *,
    in_force: Sequence[InForce] = (),
    planned_per_month: Mapping[Scope, Decimal] | None = None,
    outlooks: Mapping[Scope, Outlook] | None = None,
    config: CommitmentConfig | None = None,
) -> tuple[list[Advice], list[Abstained]]:
    """The best commitment for each scope, or why there is none.

    `usage`: scope, currency, time (UTC; hours, or days where hours are not known), cost: all usage
    that offers of the scope could pay for, what commitments pay for already included, at its price
    on demand. Missing times between the first and the last were not used. `in_force` is taken off
    while it lasts, `planned_per_month` (what sizing and stops will take away, at the same price)
    throughout. `outlooks`: from a forecast; beyond it, or without one, the level of usage is a
    random walk of its own weekly changes.

    With price p a unit and usage D, c committed saves min(c, D) - p c an hour. Its mean is highest
    where P(D <= c) = 1 - p: understocking costs 1 - p a unit, overstocking p (Arrow, Harris,
    Marschak, Optimal Inventory Policy, Econometrica 19, 1951). D is all hours of the history times
    all scenarios of the level, so the quantile has both spreads in it. The interval of the saving
    and all risks are over scenarios: hours average out over a term, its level does not.
    """
    config = config or CommitmentConfig()
    advices: list[Advice] = []
    abstained: list[Abstained] = []
    for key, rows in usage.groupby(["scope", "currency"], sort=True):
        scope: Scope = (str(key[0]), str(key[1]))
        try:
            advices.append(
                _advise(
                    scope,
                    _history(rows, as_of, config),
                    _offers(scope, offers),
                    [one for one in in_force if (one.scope, one.currency) == scope],
                    float((planned_per_month or {}).get(scope, Decimal(0))) / HOURS_PER_MONTH,
                    (outlooks or {}).get(scope),
                    as_of,
                    config,
                )
            )
        except _Unfit as why:
            abstained.append(Abstained(subject=" ".join(scope), reason=str(why)))
    return advices, abstained


class _Unfit(Exception):
    """Why nothing is advised for a scope."""


@dataclass(frozen=True)
class _History:
    """Usage per hour, at equal steps without gaps."""

    per_hour: np.ndarray
    hourly: bool

    @property
    def days(self) -> np.ndarray:
        """Means of whole days."""
        step = 24 if self.hourly else 1
        whole = len(self.per_hour) // step * step
        recent = self.per_hour[len(self.per_hour) - whole :]
        return np.asarray(recent.reshape(-1, step).mean(axis=1))


def _history(rows: pd.DataFrame, as_of: date, config: CommitmentConfig) -> _History:
    time = pd.to_datetime(rows["time"], utc=True)
    known = time < pd.Timestamp(as_of + timedelta(days=1), tz="UTC")
    cost = rows["cost"].astype(float).to_numpy()[known.to_numpy()]
    if not len(cost) or not np.isfinite(cost).all() or (cost < 0).any():
        raise _Unfit("its usage has no amounts, or negative or missing ones")
    times = pd.DatetimeIndex(time[known])
    hourly = bool((times != times.normalize()).any())
    series = pd.Series(cost, index=times).groupby(level=0).sum()
    series = series.asfreq("h" if hourly else "D", fill_value=0.0)
    if series.empty or float(series.sum()) < cost.sum() * (1 - 1e-9):
        raise _Unfit("its times are neither whole hours nor whole days")
    span = len(series) / (24 if hourly else 1)
    if span < config.min_history_days:
        raise _Unfit(f"{span:.0f} days of usage, {config.min_history_days} are needed")
    newest = series.index[-1].date()
    if (as_of - newest).days > config.max_age_days:
        raise _Unfit(f"its newest usage is of {newest.isoformat()}")
    history = _History(series.to_numpy() / (1 if hourly else 24), hourly)
    fall = _fall(history.days)
    if fall > config.max_fall_share:
        raise _Unfit(
            f"its usage falls, by {fall:.0%} in {len(history.days)} days: "
            "what is committed to now may not be used later"
        )
    return history


def _fall(days: np.ndarray) -> float:
    """Share of the median by which usage certainly fell over the history; 0 if not certain.

    Theil-Sen's slope and its 95 % interval (Sen, JASA 63, 1968): certain if all of it is negative.
    """
    from scipy import stats

    slope = stats.theilslopes(days, np.arange(len(days)), 0.95)
    middle = float(np.median(days))
    if slope.high_slope >= 0 or middle <= 0:
        return 0.0
    return float(-slope.slope * (len(days) - 1) / middle)


def _offers(scope: Scope, offers: Sequence[Offer]) -> list[Offer]:
    mine = [one for one in offers if (one.scope, one.currency) == scope]
    if mine:
        return mine
    others = sorted({one.currency for one in offers if one.scope == scope[0]})
    if others:
        raise _Unfit(f"its offers are in {', '.join(others)}: no rates in its own currency")
    raise _Unfit("no rates of commitments that could pay for it are known")


def _over_term(outlook: Outlook | None, days: np.ndarray, term_months: int) -> Outlook:
    """The outlook for the whole term: what it does not look at is a random walk of the level.

    ln of the mean of such a walk over h weeks has variance s^2 h / 3: s is the standard deviation
    of weekly changes of ln usage, h / 3 the variance of the mean of a standard Brownian motion
    over [0, h]. It is independent of how far off the outlook is, so variances add up.
    """
    outlook = outlook or Outlook(1.0, 1.0, 1.0, 0.0)
    if outlook.days is None:
        return outlook
    weeks = days[len(days) % 7 :].reshape(-1, 7).mean(axis=1)
    if (weeks <= 0).any():
        raise _Unfit("there are weeks without any usage: nothing steady to commit to")
    spread = float(np.std(np.diff(np.log(weeks)), ddof=1))
    ahead = max(0.0, term_months * DAYS_PER_MONTH - outlook.days) / 7
    walk = 1.96 * spread * np.sqrt(ahead / 3)
    below = float(np.exp(np.hypot(np.log(outlook.mid / outlook.low), walk)))
    above = float(np.exp(np.hypot(np.log(outlook.high / outlook.mid), walk)))
    return Outlook(outlook.mid / below, outlook.mid, outlook.mid * above)


def _levels(outlook: Outlook) -> np.ndarray:
    """Scenarios of equal probability of a two-piece lognormal with the outlook's quantiles."""
    from scipy import special

    z = special.ndtri((np.arange(_SCENARIOS) + 0.5) / _SCENARIOS) / special.ndtri(0.975)
    below, above = np.log(outlook.mid / outlook.low), np.log(outlook.high / outlook.mid)
    return np.asarray(outlook.mid * np.exp(np.where(z < 0, z * below, z * above)))


def _advise(
    scope: Scope,
    history: _History,
    offers: Sequence[Offer],
    in_force: Sequence[InForce],
    planned: float,
    outlook: Outlook | None,
    as_of: date,
    config: CommitmentConfig,
) -> Advice:
    options = []
    for offer in offers:
        levels = _levels(_over_term(outlook, history.days, offer.term_months))
        option = _option(offer, history, levels, segments(in_force, as_of, offer.term_months),
                         planned, config)  # fmt: skip
        if option is not None:
            options.append(option)
    if not options:
        raise _Unfit(
            "what commitments in force and planned sizing leave is used in too few hours: at no "
            "price offered is it worth to commit to any of it"
        )
    options.sort(key=lambda one: (-one.saving_per_month.mid, one.offer.term_months, one.offer.name))
    safe = [one for one in options if one.loss_risk <= config.max_loss_risk]
    if not safe:
        least = min(options, key=lambda one: one.loss_risk)
        raise _Unfit(
            f"every offer may cost more than it saves: {least.offer.name} with "
            f"{least.loss_risk:.0%} probability, {config.max_loss_risk:.0%} are accepted"
        )
    best = safe[0]
    return Advice(
        scope=scope[0],
        currency=scope[1],
        best=best,
        options=tuple(options),
        hourly=history.hourly,
        reason=(
            f"{best.covers_per_hour} {scope[1]} an hour of usage is there in "
            f"{1 - best.critical_ratio:.0%} of hours, and {best.offer.name} costs "
            f"{best.break_even_utilisation:.0%} of the price on demand. It is used by less than "
            f"{config.underused_share:.0%} with {best.underused_risk:.0%} probability."
        ),
        wrong_if=f"usage over the term is below {best.break_even_utilisation:.0%} of the commitment"
        + ("" if history.hourly else ", or hours of a day differ much: only days are known"),
    )


def _option(
    offer: Offer,
    history: _History,
    levels: np.ndarray,
    in_segments: Sequence[tuple[float, float]],
    planned: float,
    config: CommitmentConfig,
) -> Option | None:
    """The offer at its best amount; None where that is nothing."""
    price = offer.effective_price(config.capital_rate_per_year)
    if price >= 1:
        return None
    # scenarios x segments x hours
    taken = planned + np.array([covers for _, covers in in_segments])
    left = np.maximum(
        0.0, levels[:, None, None] * history.per_hour[None, None, :] - taken[None, :, None]
    )
    weights = np.array([share for share, _ in in_segments])
    amount = _quantile(left, weights, 1 - price)
    covers = to_decimal(amount).quantize(_STEP, ROUND_DOWN)
    if covers <= 0:
        return None
    used = np.minimum(float(covers), left).mean(axis=2) @ weights
    saved = (used - price * float(covers)) * HOURS_PER_MONTH
    utilisation = used / float(covers)
    expected = float(utilisation.mean())
    pays = covers * offer.price_share
    months = offer.term_months
    return Option(
        offer=offer,
        covers_per_hour=covers,
        pays_per_hour=pays,
        upfront=pays * offer.upfront_share * months * HOURS_PER_MONTH,
        critical_ratio=1 - price,
        saving_per_month=_money(saved, offer.currency),
        utilisation=Range(**_ends(utilisation)),
        break_even_utilisation=price,
        break_even_months=price * months / expected,
        underused_risk=float((utilisation < config.underused_share - 1e-9).mean()),
        loss_risk=float((saved < -1e-9).mean()),
    )


def _quantile(left: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The least amount with P(D <= amount) >= level, each hour weighing as its segment."""
    flat = left.transpose(1, 0, 2).reshape(len(weights), -1)
    mass = np.repeat(weights / flat.shape[1], flat.shape[1])
    values = flat.ravel()
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(mass[order])
    place = int(np.searchsorted(reached, level - 1e-12))
    return float(values[order[min(place, len(values) - 1)]])


def _ends(values: np.ndarray) -> dict[str, float]:
    """Mean and the 95 % of scenarios around it."""
    mid = float(values.mean())
    low, high = (float(v) for v in np.quantile(values, (0.025, 0.975)))
    return {"low": min(low, mid), "mid": mid, "high": max(high, mid)}


def _money(values: np.ndarray, currency: str) -> MoneyRange:
    ends = {name: to_decimal(value, 4) for name, value in _ends(values).items()}
    return MoneyRange(**ends, currency=currency)
