"""What the choice among the day's changes says of itself.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from importlib import import_module

from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.optimisation import candidates, portfolio, programme, queue
from finops_dagster.engines.optimisation.inputs import ENGINE

_PROPOSE = import_module("finops_dagster.engines.optimisation.propose")
"""The package has a function of this name."""

PORTFOLIO = EngineDescription(
    name="portfolio",
    title="Which changes are proposed, and in what order",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="The best set of the day's changes that go together, in what order, and how many of "
    "them today.",
    method="An integer programme (HiGHS, Huangfu and Hall 2018) over what excludes and what needs "
    "what; money is counted to the last digit outside of it.",
    features=("the day's findings", "which changes exclude or need each other",
              "limits of a day", "what earlier days have begun"),
    parameters=fields_of(queue.DailyLimits()) | constants(candidates, portfolio, programme, queue, _PROPOSE),
    limits=(
        "Amounts of different currencies are not compared: each currency is chosen by itself.",
        "What a change is worth to a team beside money is not known here.",
    ),
    modules=("finops_dagster.engines.optimisation.portfolio",
             "finops_dagster.engines.optimisation.propose"),
)  # fmt: skip
