"""The company's planted correction of a closed month, by the clock of charges and of bills."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.settings import load
from tests.e2e.estate import World


def _months(frame: pd.DataFrame) -> dict[tuple[str, date], Decimal]:
    sums: dict[tuple[str, date], Decimal] = {}
    for row in frame.itertuples(index=False):
        place = (str(row.billing_currency), row.charge_date.replace(day=1))
        sums[place] = sums.get(place, Decimal(0)) + row.effective_cost
    return sums


def test_a_correction_is_billed_now_and_was_charged_then(world: World) -> None:
    """Moved to the month of its bill it falsifies the trend; left where it was, the invoice."""
    estate = Estate(load(world.folder / "finops.yaml"))
    manifest = estate.publications.current()
    assert manifest is not None
    reader = estate.publications.reader(manifest)
    as_of = estate.settings.decided_day()
    corrections = reader.frame(
        "fct_costs_daily",
        "select billing_period, date_trunc('month', charge_date)::date as month,"
        " billing_currency, sum(effective_cost) as cost from mart"
        " where charge_class = 'Correction' group by all",
    )
    assert corrections is not None
    assert len(corrections)
    assert (corrections["month"] < corrections["billing_period"]).all()
    assert (corrections["cost"] != 0).any()
    charged = facts.spend(reader, as_of)
    billed = facts.spend(reader, as_of, by_billing_period=True)
    assert charged is not None
    assert billed is not None
    moved = _months(charged)
    other = reader.frame(
        "fct_costs_daily",
        f"""select billing_period, charge_date, billing_currency, sum(effective_cost) as cost
        from mart where date_trunc('month', charge_date) <> billing_period
        and charge_date <= date '{as_of}' group by all""",
    )
    assert other is not None
    for row in other.itertuples(index=False):
        moved[str(row.billing_currency), row.charge_date.replace(day=1)] -= row.cost
        moved[str(row.billing_currency), row.billing_period] += row.cost
    assert moved == _months(billed)
