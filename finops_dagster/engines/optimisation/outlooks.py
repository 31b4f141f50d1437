"""What cost forecasts say of the level of usage: of each service, beside its last quarter.

Forecasts are made elsewhere, and so is what follows from them for a commitment.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation.committable import HISTORY_DAYS
from finops_dagster.engines.optimisation.offers import Outlook


def outlooks(
    forecasts: pd.DataFrame, series: pd.DataFrame
) -> dict[tuple[str, str], tuple[float, Outlook]]:
    """(service, currency) -> cost a day of its last `HISTORY_DAYS`, and what is forecast over it.

    `forecasts`: unique_id, mean, lo95, hi95 by day. `series`: scope, name, currency, unique_id, ds,
    y. Ends of days are taken for ends of their mean, as if all days erred alike: the widest that it
    can be. A service without a positive history or lower end has none.
    """
    ahead = forecasts.groupby("unique_id", sort=True)
    means = {str(name): rows[["lo95", "mean", "hi95"]].mean() for name, rows in ahead}
    days = {str(name): float(len(rows)) for name, rows in ahead}
    found = {}
    services = series.loc[series["scope"] == "service"]
    for key, rows in services.groupby(["unique_id", "name", "currency"], sort=True):
        unique_id, name, currency = (str(text) for text in key)
        if unique_id not in means:
            continue
        level = float(rows.sort_values("ds")["y"].tail(HISTORY_DAYS).mean())
        low, mid, high = means[unique_id].to_numpy(dtype=float)
        if level > 0 and 0 < low <= mid <= high and np.isfinite(high):
            ratio = Outlook(low / level, mid / level, high / level, days[unique_id])
            found[name, currency] = level, ratio
    return found
