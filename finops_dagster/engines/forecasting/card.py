"""What the forecasters say of themselves, for their model cards.

What they scored on a day is measured elsewhere.
"""

from __future__ import annotations

from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.forecasting import (
    artefact,
    daily,
    engine,
    events,
    pool,
    reconcile,
    sums,
)
from finops_dagster.engines.forecasting.recipes import RECIPES

_METHOD = (
    "One pooled, direct gradient-boosted model (XGBoost, Chen and Guestrin 2016) over all series, "
    "trained for quantiles; intervals are corrected on windows that an earlier-trained model had "
    "not seen (conformalised quantile regression, Romano, Patterson and Candes 2019)."
)
_LICENCE = (
    "Trained on the company's own bills alone. Its constants were chosen on the training parts of "
    "the M4 competition's series and on simulated cost; no series of M4 is shipped or learnt from."
)
_SHARED_LIMITS = (
    "Usage at effective cost alone: purchases, taxes, credits and refunds are not forecast.",
    "It knows no plans but the events that the settings name: another launch or migration to come "
    "is not in it.",
)

COST = EngineDescription(
    name="cost-forecaster",
    title="Cost forecaster",
    kind=EngineKind.FORECASTER,
    version=artefact.ENGINE,
    purpose="Daily cost of a team, a service or an estate for the next 30 days, with intervals; to "
    "see what a month will come to, and what a change should save.",
    method=f"{_METHOD} Known events are added, and teams and services are moved as little as makes "
    "them sum to their total (Wickramasuriya et al. 2019).",
    features=("daily cost of each series up to the newest day billed in full", "the calendar"),
    parameters=fields_of(RECIPES["daily"]) | constants(daily, engine, events, pool, reconcile),
    limits=(
        *_SHARED_LIMITS,
        "A series of less than four weeks is forecast by its own last weeks or days, not by this "
        "model, and has no backtest of its own.",
        "Costs are forecast by team and by service, not by environment: its error by environment "
        "is not known.",
    ),
    modules=("finops_dagster.engines.forecasting.engine",
             "finops_dagster.engines.forecasting.events",
             "finops_dagster.engines.forecasting.reconcile"),
    learns=True,
    data_licence=_LICENCE,
)  # fmt: skip
BUDGET = EngineDescription(
    name="budget-forecaster",
    title="Budget forecaster",
    kind=EngineKind.FORECASTER,
    version=artefact.ENGINE,
    purpose="What each budget will use until its period ends, at most 30 days ahead: its days and "
    "their sum, with intervals; to warn before it is used up.",
    method=f"{_METHOD} How far sums of days are off is told by forecasts from earlier days (split "
    "conformal prediction of the sum, pooled over series).",
    features=("allocated daily cost of each budget", "large series beside them", "the calendar"),
    parameters=fields_of(RECIPES["daily"]) | constants(daily, engine, events, pool, sums),
    limits=(
        *_SHARED_LIMITS,
        "With few budgets, and few large series beside them, how far sums are off rests on few "
        "windows: intervals are then wide.",
        "At most 30 days ahead: of a budget that ends later, the rest is not forecast.",
    ),
    modules=("finops_dagster.engines.forecasting.engine",
             "finops_dagster.engines.forecasting.events",
             "finops_dagster.engines.forecasting.sums"),
    learns=True,
    data_licence=_LICENCE,
)  # fmt: skip
DESCRIPTIONS = (COST, BUDGET)
