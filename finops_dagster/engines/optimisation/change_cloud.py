"""What a change of a machine's type or of a function's memory costs a month.

Containers are next door.
"""

from __future__ import annotations

from decimal import Decimal

from finops_dagster.domain.changes import FieldChange
from finops_dagster.engines.optimisation.change_rates import (
    FUNCTION,
    NO_CARBON_FIGURE,
    NO_PRICE,
    Priced,
    Rates,
)
from finops_dagster.engines.optimisation.machine_stand import METER as MACHINE
from finops_dagster.engines.optimisation.prices import times


def type_changed(resource: str, before: str, after: str, rates: Rates) -> Priced:
    """Another type: its own cost times what the types' prices say of each other."""
    if resource not in rates.machines or rates.type_prices is None or rates.machine_prices is None:
        return Priced(None, None, "no machine or database on the bill is surely this one")
    market, billed = rates.machines[resource]
    # the bill and the catalogues leave out what says that it is a database
    before, after = before.removeprefix("db."), after.removeprefix("db.")
    if billed != before:
        return Priced(None, None, f"it is billed as {billed}, not as {before}")
    found = rates.type_prices.compare(market, before, after)
    if found is None:
        return Priced(None, None, f"what {after} costs there is neither billed nor listed")
    cost = rates.machine_prices.cost_per_month(resource, (MACHINE,))
    if cost is None:
        return Priced(None, None, rates.machine_prices.why_not(resource, MACHINE) or NO_PRICE)
    return Priced(
        times(cost, float(found.ratio - 1)),
        None,
        f"prices of both types: {found.evidence}; {NO_CARBON_FIGURE}",
    )


def memory_changed(resource: str, change: FieldChange, rates: Rates) -> Priced:
    if rates.functions is None or not (change.before and change.after):
        return Priced(None, None, NO_PRICE)
    try:
        was, now = Decimal(change.before), Decimal(change.after)
    except ArithmeticError:
        return Priced(None, None, "its memory cannot be read")
    cost = rates.functions.cost_per_month(resource, (FUNCTION,))
    if cost is None or was <= 0:
        return Priced(None, None, rates.functions.why_not(resource, FUNCTION) or NO_PRICE)
    reason = f"if it takes as long as with the memory it has; {NO_CARBON_FIGURE}"
    return Priced(times(cost, float((now - was) / was)), None, reason)
