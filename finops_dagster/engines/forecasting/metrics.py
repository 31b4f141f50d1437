"""Errors of point forecasts and intervals, one row a series, and the naive forecast beside them.

No model here; the same origins serve every forecast that is compared.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats, mean

_Z = {80: 1.2815515655446004, 95: 1.959963984540054}
"""Standard normal quantiles of two-sided 80 and 95 % intervals."""


def seasonal_naive(window: Floats, season: int, horizon: int) -> dict[str, Floats]:
    """The last season repeated, with normal intervals; arrays (series, horizon).

    Spread grows with the cycles ahead: sigma sqrt(k), Hyndman and Athanasopoulos, Forecasting:
    Principles and Practice (3rd ed.), 5.5. A missing value takes that of a season earlier.
    """
    filled = window.copy()
    for column in range(filled.shape[1]):
        if column >= season:
            gap = np.isnan(filled[:, column])
            filled[gap, column] = filled[gap, column - season]
    steps = np.arange(horizon)
    point = filled[:, filled.shape[1] - season + steps % season]
    differences = window[:, season:] - window[:, :-season]
    width = np.sqrt(mean(differences**2))[:, None] * np.sqrt(steps // season + 1)
    out = {"mean": point}
    for level, quantile in _Z.items():
        out[f"lo{level}"] = point - quantile * width
        out[f"hi{level}"] = point + quantile * width
    return out


def seasonal_scale(window: Floats, season: int) -> Floats:
    """MASE's scale: mean |y_t - y_(t - season)| of each series over what came before."""
    return mean(np.abs(window[:, season:] - window[:, :-season]))


def score(
    actual: Floats, forecast: dict[str, Floats], scale: Floats, levels: tuple[int, ...]
) -> pd.DataFrame:
    """Sums by series over (series, windows x horizon): one row a series, in the series' order.

    mae in the series' unit; mase by `scale` (Hyndman and Koehler 2006; missing where the scale is
    0); smape in percent, 0 where both are 0 (M4); coverage as shares; pinball = mean quantile loss
    over the interval ends and the median, in the series' unit, and scaled_pinball over `scale`.
    """
    known = np.isfinite(actual) & np.isfinite(forecast["mean"])
    positive = np.where(scale > 0, scale, np.nan)

    def average(values: Floats) -> Floats:
        count = known.sum(1)
        return np.where(
            count > 0, np.where(known, values, 0.0).sum(1) / np.maximum(count, 1), np.nan
        )

    error = np.abs(actual - forecast["mean"])
    size = np.abs(actual) + np.abs(forecast["mean"])
    smape = np.where(size > 0, 200 * error / np.where(size > 0, size, 1), 0.0)
    out = {"n": known.sum(1), "mae": average(error), "smape": average(smape)}
    out["mase"] = out["mae"] / positive
    losses = [error / 2]
    for level in levels:
        low, high, tail = forecast[f"lo{level}"], forecast[f"hi{level}"], (1 - level / 100) / 2
        inside = (actual >= low) & (actual <= high)
        out[f"coverage_{level}"] = average(inside.astype(float))
        for bound, alpha in ((low, tail), (high, 1 - tail)):
            gap = actual - bound
            losses.append(np.maximum(alpha * gap, (alpha - 1) * gap))
    out["pinball"] = average(np.mean(losses, axis=0))
    out["scaled_pinball"] = out["pinball"] / positive
    return pd.DataFrame(out)
