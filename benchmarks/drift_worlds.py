"""Simulated logs of a model with a known truth: worlds of no change, and shifts planted in them.

How they are judged is in `drift`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.windows import ModelWindow

EPOCH = date(2026, 1, 5)
SEGMENTS = ("sex", "region")
"""Group columns: 2 and 4 groups, six segments."""
_COMMON, _WEEKEND, _LABEL_DAYS, _KEPT = 0.15, 0.2, 0.1, 0.7

Floats = NDArray[np.float64]
Change = Callable[["Inputs", np.random.Generator, int], None]
"""Changes rows of the days from `start` on, in place."""


@dataclass
class Inputs:
    """Rows of all days, before labels."""

    day: NDArray[np.int64]
    features: pd.DataFrame
    groups: pd.DataFrame

    def later(self, start: int) -> NDArray[np.bool_]:
        return np.asarray(self.day >= start)


@dataclass(frozen=True)
class Shift:
    """A change planted on day `start`: of inputs, of what is true for them, or of who asks."""

    kind: Literal["data", "prediction", "label", "concept"]
    """What of it has to be named."""
    change: Change | None = None
    unit_only: bool = False
    """Whether the log alone is changed: the model reads the wrong unit, truth stays as it was."""
    logit: Callable[[Inputs, int], Floats] | None = None
    """Added to the true logit of each row."""
    small: bool = False
    """Whether it is less than what the product takes to matter, and so should not be told."""
    positives: float = 1.0
    """How many times as likely a row with a true label is to be seen from then on."""


def inputs(rng: np.random.Generator, days: int, per_day: int, *, resembling: bool) -> Inputs:
    """Six inputs, skewed, heavy, whole, rare and textual ones; days and weekdays differ by
    themselves, as they do in logs. resembling: each day's common part is 0.7 of the day before's
    and something new, with the same spread."""
    common = _COMMON * rng.normal(size=days)
    if resembling:
        for one in range(1, days):
            common[one] = _KEPT * common[one - 1] + np.sqrt(1 - _KEPT**2) * common[one]
    day = np.repeat(np.arange(days), per_day)
    of_row = common[day] + _WEEKEND * np.isin(day % 7, (5, 6))
    size = len(day)
    features = pd.DataFrame(
        {
            "score": rng.normal(size=size) + of_row,
            "amount": np.exp(rng.normal(size=size) + of_row),
            "wait": rng.pareto(1.5, size=size),
            "count": rng.poisson(3, size=size).astype(float),
            "rare": (rng.random(size) < 0.03).astype(float),
            "channel": rng.choice(["web", "app", "shop"], size=size, p=[0.5, 0.35, 0.15]),
        }
    )
    groups = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], size=size),
            "region": rng.choice(["north", "east", "south", "west"], size=size,
                                 p=[0.35, 0.3, 0.2, 0.15]),
        }
    )  # fmt: skip
    return Inputs(day, features.astype({"channel": object}), groups.astype(object))


def logit(features: pd.DataFrame) -> Floats:
    """What is true of a row where nothing changed; a missing amount counts as the middle one."""
    amount = np.log(features["amount"].fillna(1.0).to_numpy())
    shop = (features["channel"] == "shop").to_numpy()
    return np.asarray(0.9 * features["score"] + 0.3 * amount - 0.3 * shop, dtype=np.float64)


class World:
    """One model's log over `days`, with `shift` planted on day `start` where there is one."""

    def __init__(
        self,
        seed: tuple[int, ...],
        days: int,
        per_day: int,
        shift: Shift | None = None,
        start: int = 0,
        *,
        resembling: bool = False,
    ) -> None:
        rng = np.random.default_rng(seed)
        spare = shift.positives if shift is not None else 1.0
        drawn = per_day * (3 if spare != 1 else 1)
        rows = inputs(rng, days, drawn, resembling=resembling)
        truth = logit(rows.features)
        if shift is not None and shift.change is not None:
            shift.change(rows, rng, start)
            if not shift.unit_only:
                truth = logit(rows.features)
        answer = 1 / (1 + np.exp(-logit(rows.features)))
        if shift is not None and shift.logit is not None:
            truth = truth + np.where(rows.later(start), shift.logit(rows, start), 0.0)
        truth = truth + _LABEL_DAYS * rng.normal(size=days)[rows.day]
        label = (rng.random(len(truth)) < 1 / (1 + np.exp(-truth))).astype(float)
        kept = self._seen(rng, rows.day, label, per_day, spare, start)
        self._edges = np.arange(days + 1) * per_day
        self._features = rows.features.iloc[kept].reset_index(drop=True)
        self._groups = rows.groups.iloc[kept].reset_index(drop=True)
        self._outcomes = pd.DataFrame(
            {
                "day": np.array([EPOCH + timedelta(int(d)) for d in range(days)])[rows.day[kept]],
                "prediction": (answer[kept] > 0.5).astype(float),
                "probability": answer[kept],
                "label": label[kept],
            }
        )

    @staticmethod
    def _seen(
        rng: np.random.Generator,
        day: NDArray[np.int64],
        label: Floats,
        per_day: int,
        positives: float,
        start: int,
    ) -> NDArray[np.int64]:
        """The rows of each day that are asked: by chance, or more often those with a label of 1."""
        weight = np.where((day >= start) & (label > 0.5), positives, 1.0)
        key = rng.random(len(day)) ** (1 / weight)  # P. S. Efraimidis and P. G. Spirakis 2006
        order = np.lexsort((-key, day)).reshape(day[-1] + 1, -1)
        return np.asarray(np.sort(order[:, :per_day], axis=1).ravel(), dtype=np.int64)

    def window(self, first: int, last: int) -> ModelWindow:
        """Days [first, last)."""
        rows = slice(self._edges[first], self._edges[last])
        return ModelWindow(
            model="m",
            first=EPOCH + timedelta(first),
            last=EPOCH + timedelta(last - 1),
            features=self._features.iloc[rows].reset_index(drop=True),
            groups=self._groups.iloc[rows].reset_index(drop=True),
            outcomes=self._outcomes.iloc[rows].reset_index(drop=True),
        )


def _move(deviations: float) -> Change:
    def change(rows: Inputs, rng: np.random.Generator, start: int) -> None:
        rows.features.loc[rows.later(start), "score"] += deviations

    return change


def _slowly(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    rows.features["score"] += np.clip(rows.day - start, 0, 28) / 28


def _widen(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    rows.features.loc[rows.later(start), "score"] *= 2.0


def _unit(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    rows.features.loc[rows.later(start), "wait"] *= 3.0


def _channel(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    chosen = rows.later(start) & (rng.random(len(rows.day)) < 0.3)
    rows.features.loc[chosen, "channel"] = "kiosk"


def _lost(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    chosen = rows.later(start) & (rng.random(len(rows.day)) < 0.2)
    rows.features.loc[chosen, "amount"] = np.nan


def _west(rows: Inputs) -> NDArray[np.bool_]:
    return np.asarray(rows.groups["region"] == "west")


def _west_moves(rows: Inputs, rng: np.random.Generator, start: int) -> None:
    rows.features.loc[rows.later(start) & _west(rows), "score"] += 1.0


SHIFTS: dict[str, Shift] = {
    "covariate sudden, +0.25 sd": Shift("data", _move(0.25), small=True),
    "covariate sudden, +0.5 sd": Shift("data", _move(0.5)),
    "covariate sudden, +1 sd": Shift("data", _move(1.0)),
    "covariate slow, +1 sd over 28 days": Shift("data", _slowly),
    "label shift, positives x 3": Shift("label", positives=3.0),
    "concept sudden, logit +1": Shift("concept", logit=lambda rows, start: np.ones(len(rows.day))),
    "concept slow, logit +1.5 over 28 days": Shift(
        "concept",
        logit=lambda rows, start: np.asarray(
            1.5 * np.clip(rows.day - start, 0, 28) / 28, dtype=np.float64
        ),
    ),
    "concept turned round": Shift(
        "concept",
        logit=lambda rows, start: np.asarray(-1.5 * rows.features["score"], dtype=np.float64),
    ),
    "one segment of 15 %, data +1 sd": Shift("data", _west_moves),
    "one segment of 15 %, concept logit +2": Shift(
        "concept", logit=lambda rows, start: 2.0 * _west(rows).astype(np.float64)
    ),
    "spread x 2": Shift("data", _widen),
    "new category, 30 %": Shift("data", _channel),
    "missing, 20 %": Shift("data", _lost),
    "unit, heavy tail x 3": Shift("data", _unit, unit_only=True),
}
