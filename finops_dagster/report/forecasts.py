"""Every forecast of a day on one page: with its interval, its error on days unseen, its reasons.

Which series there are and what was said of them is handed in by the shell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from finops_dagster.domain.decisions import Abstained
from finops_dagster.report import charts
from finops_dagster.report.charts import Point
from finops_dagster.report.data import TOTAL, BacktestRow
from finops_dagster.report.page import rendered, visible, written
from finops_dagster.report.summary import reasons

PAGE = "forecasts.html"


@dataclass(frozen=True)
class Driver:
    """How far one feature moved the forecast of one day from its base, in the series' currency."""

    feature: str
    contribution: float


@dataclass(frozen=True)
class Explained:
    """One day of a forecast: its mean is `base` and the contributions of all features."""

    step: int
    mean: float
    base: float
    drivers: tuple[Driver, ...]
    """All of them, the farthest first."""


@dataclass(frozen=True)
class Why:
    """Why a series is forecast as it is: one sentence or two, and where the picture is."""

    words: str
    href: str
    """Relative to the page."""


@dataclass(frozen=True)
class SeriesForecast:
    """One series with what is ahead of it and how far that is to be trusted."""

    id: str
    scope: str
    """total, team or service."""
    name: str
    currency: str
    history: tuple[tuple[date, float], ...]
    ahead: tuple[Point, ...]
    backtest: tuple[BacktestRow, ...] = ()
    """Ours and seasonal naive; none where there was too little history to hold it against."""
    explained: tuple[Explained, ...] = ()
    """For scripts: people read `because`."""
    because: Why | None = None
    rung: str = "pooled"
    """pooled: the model of all series; seasonal or level: a rule on its own last steps."""
    why: str = ""
    """Why it is on that rung, and what its intervals rest on."""

    @property
    def title(self) -> str:
        return "All spend" if self.name == TOTAL else self.name

    @property
    def expected(self) -> float:
        """Of all days ahead: means may be added, ends of intervals may not."""
        return sum(point.mean for point in self.ahead)

    def tested(self, model: str) -> BacktestRow | None:
        """How a forecaster did on days that it had not seen."""
        return next((row for row in self.backtest if row.model == model), None)


@dataclass(frozen=True)
class ForecastsPage:
    """What the page is made of."""

    estate: str
    as_of: date
    series: Sequence[SeriesForecast]
    abstained: Sequence[Abstained]
    explanation: str
    """How contributions were made out: exact or approximate."""


def write_forecasts(page: ForecastsPage, folder: Path) -> Path:
    """Write the page into `folder`, atomically, and return its path."""
    ordered = sorted(page.series, key=_place)
    view = {
        "page": page,
        "groups": list(_groups(ordered)),
        "chart": _chart,
        "not_forecast": reasons(page.abstained),
    }
    return written(folder / PAGE, rendered("forecasts.html.j2", view))


def _place(one: SeriesForecast) -> tuple[str, int, float, str]:
    scopes = ("total", "team", "service")
    rank = scopes.index(one.scope) if one.scope in scopes else len(scopes)
    return one.currency, rank, -one.expected, one.name


def _groups(
    ordered: Sequence[SeriesForecast],
) -> Iterator[tuple[str, list[tuple[str, list[SeriesForecast]]]]]:
    for currency, mine in groupby(ordered, key=lambda one: one.currency):
        yield (
            currency,
            [(scope, list(some)) for scope, some in groupby(mine, key=lambda one: one.scope)],
        )


def _chart(one: SeriesForecast) -> object:
    title = f"Daily cost of {visible(one.title)} in {one.currency}, with forecast"
    return charts.spend_chart(one.history, one.ahead, title, charts.SMALL)
