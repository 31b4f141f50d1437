"""What the model was given lately, beside what it was given before: for judging drift.

Judging is not done here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import daily
from finops_dagster.engines.forecasting.grid import Grid, lay_out
from finops_dagster.engines.forecasting.recipes import RECIPES
from finops_dagster.engines.forecasting.rungs import POOLED

BLOCK = "block: day"
"""Column that says which rows were seen at the same time."""
_CURRENT, _REFERENCE = 4, 12
"""Origins of either frame."""
_EVERY = 7
"""Steps between origins: those in between tell almost the same."""
_LONG = ("56", "112")
_OF_THE_CALENDAR = {
    "horizon",
    "weekday",
    "day_of_month",
    "days_to_month_end",
    "history_length",
}


def model_inputs(
    history: pd.DataFrame, *, scale_floor: float = 0.01
) -> tuple[pd.DataFrame, pd.DataFrame] | Abstained:
    """Features of daily series one day ahead: of the 12 weeks before the last 4, and of these.

    `history`: unique_id, ds, y. One row per series and origin, one origin a week, a column per
    feature and BLOCK. Left out is what the calendar alone sets, and what looks back further than
    the frames reach. Abstains where the history is too short for both.
    """
    recipe = RECIPES["daily"]
    grid = lay_out(history, recipe, 1)
    grid = grid.of(np.flatnonzero(grid.rungs == POOLED))
    last = grid.y.shape[1] - 1 if grid.ids else -1
    origins = [last - _EVERY * k for k in range(_CURRENT + _REFERENCE)]
    if origins[-1] < recipe.min_context:
        return Abstained(
            subject="inputs of the cost forecaster",
            reason=f"comparing 4 weeks with the 12 before takes "
            f"{recipe.min_context + last - origins[-1] + 1} days of history; there are {last + 1}",
        )
    frames = [_seen(grid, origin, scale_floor) for origin in origins]
    return (
        pd.concat(frames[_CURRENT:], ignore_index=True),
        pd.concat(frames[:_CURRENT], ignore_index=True),
    )


def _seen(grid: Grid, origin: int, floor: float) -> pd.DataFrame:
    """What the model would have been given at one origin; series without context are left out."""
    windows = daily.windows(grid.y, origin, np.ones(1), grid.calendar, floor)
    known = np.isfinite(grid.y[:, : origin + 1]).sum(1) >= RECIPES["daily"].min_context
    frame = pd.DataFrame(windows.features[known, 0], columns=list(windows.names))
    kept = [
        name
        for name in frame.columns
        if name not in _OF_THE_CALENDAR
        and not name.endswith(_LONG)
        and not name.endswith("_x_horizon")
    ]
    return frame[kept].assign(**{BLOCK: grid.calendar.stamps[origin].date().isoformat()})
