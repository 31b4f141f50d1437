"""Energy of one model by version, and what it buys in quality, from one row per day and version.

Quality is counted in *gains*: what the model's answers are better than those of a predictor that
looks at no input. Of a classifier a gain is one right answer more than always saying the commoner
class gets right; of a regressor, one answer whose whole error, as the best constant makes it, is
gone. So a coin that is tossed with energy buys nothing, and neither does a rare class by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.money import Money
from finops_dagster.responsible_ai.energy.results import DayEnergy, VersionEnergy
from finops_dagster.responsible_ai.results import Interval, Task

Floats = NDArray[np.float64]

MIN_LABELLED = 50
"""Labelled answers under which no gain is told; as many as `performance.labelled` asks for."""
METERED_SHARE = 0.5
"""Share of answers whose energy is in the log under which it does not stand for the rest."""
KILOJOULES_PER_WH = 3.6
MONTH_DAYS = 30
_DRAWS = 999
_SEED = 0


def trivial_answer(labels: Sequence[float], task: Task) -> float | None:
    """What a predictor without inputs says: the commoner class, or the median, which has the
    smallest mean absolute error of all constants. None without a label."""
    known = np.asarray([one for one in labels if np.isfinite(one)], dtype="float64")
    if len(known) == 0:
        return None
    return float(known.mean() > 0.5) if task == "classification" else float(np.median(known))


def day_rows(answers: pd.DataFrame, task: Task, trivial: float | None) -> list[DayEnergy]:
    """One row per day and version, the oldest first.

    answers: day, version, prediction, label (NaN where not known), energy_wh (NaN likewise; what is
    negative counts as not metered). trivial: of `trivial_answer`, over the labels of the reference.
    A regressor's gain is (|label - trivial| - |label - prediction|) over the mean of the former.
    """
    known = np.isfinite(answers["label"]) & np.isfinite(answers["prediction"])
    if trivial is None:
        gain = pd.Series(0.0, index=answers.index)
    elif task == "classification":
        truth = answers["label"] > 0.5
        gain = ((answers["prediction"] > 0.5) == truth).astype("float64") - (
            truth == (trivial > 0.5)
        ).astype("float64")
    else:
        by_constant = (answers["label"] - trivial).abs()
        usual = float(by_constant[known].mean()) if known.any() else 0.0
        error = (answers["label"] - answers["prediction"]).abs()
        gain = (by_constant - error) / usual if usual > 0 else by_constant * 0
    energy = answers["energy_wh"].where(
        np.isfinite(answers["energy_wh"]) & (answers["energy_wh"] >= 0)
    )
    table = pd.DataFrame(
        {
            "day": answers["day"],
            "version": answers["version"].astype(str),
            "answers": 1,
            "metered": energy.notna(),
            "energy_wh": energy.fillna(0.0),
            "labelled": known,
            "gain": gain.where(known, 0.0),
        }
    )
    summed = table.groupby(["day", "version"], sort=True).sum()
    return [
        DayEnergy(
            day=day,
            version=version,
            answers=int(row["answers"]),
            metered=int(row["metered"]),
            energy_wh=float(row["energy_wh"]),
            labelled=int(row["labelled"]),
            gain=float(row["gain"]),
        )
        for (day, version), row in zip(summed.index, summed.to_dict("records"), strict=True)
    ]


def version_energy(
    version: str,
    rows: Sequence[DayEnergy],
    *,
    kg_co2e: float | None = None,
    cost: Iterable[Money] = (),
    training_kwh: float | None = None,
    training_kg_co2e: float | None = None,
    training_cost: Iterable[Money] = (),
) -> VersionEnergy | Abstained:
    """Sums of one version's days. Carbon and cost are of serving it on these days.

    Cost and carbon per thousand gains: of all its answers, over gains per labelled answer times all
    answers, so that late labels make it no dearer; they leave out training, which is told beside.
    """
    answers = sum(row.answers for row in rows)
    metered = sum(row.metered for row in rows)
    if metered < METERED_SHARE * answers or not metered:
        return Abstained(
            subject=version,
            reason=f"the log has the energy of {metered:,} of {answers:,} answers of version "
            f"{version}",
        )
    energy = _sums(rows, "energy_wh")
    gain, per_kilojoule = gain_per_answer(rows), gain_per_kilojoule(rows)
    gains = gain.value * answers / 1000 if gain is not None and gain.value > 0 else None
    paid = tuple(cost)
    return VersionEnergy(
        version=version,
        first=min(row.day for row in rows),
        last=max(row.day for row in rows),
        answers=answers,
        kwh=float(energy.sum()) / metered * answers / 1000,
        wh_per_thousand=_ratio(energy, _sums(rows, "metered"), 1000.0),
        kg_co2e=kg_co2e,
        cost=paid,
        training_kwh=training_kwh,
        training_kg_co2e=training_kg_co2e,
        training_cost=tuple(training_cost),
        gain_per_answer=gain,
        gain_per_kilojoule=per_kilojoule,
        kg_co2e_per_thousand_gains=None if gains is None or kg_co2e is None else kg_co2e / gains,
        cost_per_thousand_gains=()
        if gains is None
        else tuple(one.times(1 / Decimal(repr(gains))) for one in paid),
    )


def gain_per_answer(rows: Sequence[DayEnergy]) -> Interval | None:
    """Gains over labelled answers, its interval by drawing whole days anew."""
    if sum(row.labelled for row in rows) < MIN_LABELLED:
        return None
    return _ratio(_sums(rows, "gain"), _sums(rows, "labelled"), 1.0)


def gain_per_kilojoule(rows: Sequence[DayEnergy]) -> Interval | None:
    """Gains per answer over kilojoules per answer; None where either is not known."""
    drawn = draws(rows)
    return None if drawn is None else _interval(*drawn)


def draws(rows: Sequence[DayEnergy]) -> tuple[float, Floats] | None:
    """Gains per kilojoule, and as they come out of whole days drawn anew (bootstrap by day)."""
    rows = [row for row in rows if row.labelled and row.metered]
    if sum(row.labelled for row in rows) < MIN_LABELLED or not any(r.energy_wh for r in rows):
        return None
    sums = {name: _sums(rows, name) for name in ("gain", "labelled", "energy_wh", "metered")}

    def value(weights: Floats) -> Floats:
        one = {name: weights @ column for name, column in sums.items()}
        joules = one["energy_wh"] * KILOJOULES_PER_WH / one["metered"]
        found: Floats = one["gain"] / one["labelled"] / joules
        return found

    return float(value(np.ones((1, len(rows))))[0]), value(_weights(len(rows)))


def month_kwh(rows: Iterable[DayEnergy], as_of: date) -> tuple[float | None, int]:
    """Energy of the 30 days up to `as_of` in kWh, and the days of log that it rests on.

    Answers without energy count at the mean of those with it. Where the log is shorter, 30 days at
    the mean of a day of it; None where less than half the answers are metered.
    """
    since = as_of - timedelta(days=MONTH_DAYS - 1)
    rows = [row for row in rows if since <= row.day <= as_of]
    answers, metered = sum(row.answers for row in rows), sum(row.metered for row in rows)
    if not rows or not metered or metered < METERED_SHARE * answers:
        return None, 0
    days = (as_of - min(row.day for row in rows)).days + 1
    kwh = sum(row.energy_wh for row in rows) / metered * answers / 1000
    return kwh * MONTH_DAYS / days, days


def by_version(rows: Iterable[DayEnergy]) -> Mapping[str, list[DayEnergy]]:
    """Rows of each version, the version that answered last first."""
    found: dict[str, list[DayEnergy]] = {}
    for row in sorted(rows, key=lambda one: (one.day, one.version)):
        found.setdefault(row.version, []).append(row)
    ordered = sorted(found.items(), key=lambda one: (one[1][-1].day, one[1][0].day), reverse=True)
    return dict(ordered)


def _sums(rows: Sequence[DayEnergy], name: str) -> Floats:
    return np.array([float(getattr(row, name)) for row in rows], dtype=np.float64)


def _weights(count: int) -> Floats:
    """How often each of `count` days is drawn, in each of the draws."""
    generator = np.random.default_rng(_SEED)
    return generator.multinomial(count, np.full(count, 1 / count), _DRAWS).astype(np.float64)


def _ratio(above: Floats, below: Floats, times: float) -> Interval:
    weights = _weights(len(above))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = times * (weights @ above) / (weights @ below)
    return _interval(times * float(above.sum() / below.sum()), drawn)


def _interval(value: float, drawn: Floats) -> Interval:
    """Percentiles of the draws; no ends where they are too few or all the same day."""
    usable = drawn[np.isfinite(drawn)]
    if len(usable) < _DRAWS / 2 or np.ptp(usable) == 0:
        return Interval(value)
    low, high = np.quantile(usable, (0.025, 0.975))
    return Interval(value, min(value, float(low)), max(value, float(high)))
