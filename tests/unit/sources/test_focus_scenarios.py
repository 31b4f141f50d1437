"""The FOCUS specification's worked scenarios: what it bills, and what that really cost.

Their rows are parts of bills, so `_completed` gives them what every bill has and they leave out:
an account and a currency. Dates that the specification writes for readers (4/1/25) become
timestamps, the sign is taken off amounts ($10,000.00), and an hour 30 that no day has is read as
hour 6 of the next day. Costs, quantities, words and NULLs stay as they are.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.landing import Estate

SPEC = Path("billing") / "focus_spec_1_2" / "specification" / "data"
FLEX = "commitment_discount_flexibility"
UTILISED = f"{FLEX}/one_hundred_percent_utilization"
COMMITMENT = "commitment_discount_scenarios/commitment_discount"
SAAS = "saas_examples"

SCENARIOS = {
    # what is bought is billed when it is bought, and costs what is used of it when it is used
    f"{UTILISED}_with_{FLEX}_with_1_resource": (3, "2.75", "2.75"),
    f"{UTILISED}_with_{FLEX}_with_2_resources": (3, "2", "2"),
    f"{UTILISED}_without_{FLEX}": (2, "1.5", "1.5"),
    f"{FLEX}/zero_percent_utilization_without_{FLEX}": (3, "3.5", "3.5"),
    # a dollar an hour for a year: all upfront, nothing upfront, half upfront
    f"{COMMITMENT}_purchase_scenario_1": (1, "8760", "0"),
    f"{COMMITMENT}_purchase_scenario_2": (3, "3", "0"),
    f"{COMMITMENT}_purchase_scenario_3": (4, "4381.5", "0"),
    # an hour of it: used, unused, used in part, used and more on demand
    f"{COMMITMENT}_usage_scenario_1": (1, "0", "1"),
    f"{COMMITMENT}_usage_scenario_2": (1, "0", "1"),
    f"{COMMITMENT}_usage_scenario_3": (2, "0", "1"),
    f"{COMMITMENT}_usage_scenario_4": (2, "0.5", "1.5"),
    # licences are paid and cost at once
    f"{SAAS}/simple_agreements/simple_saas_agreements_a1": (1, "10000", "10000"),
    f"{SAAS}/simple_agreements/simple_saas_agreements_a2": (1, "50000", "50000"),
    f"{SAAS}/simple_agreements/simple_saas_agreements_a3": (1, "1000", "1000"),
    f"{SAAS}/simple_agreements/simple_saas_agreements_b": (1, "50000", "50000"),
    f"{SAAS}/simple_agreements/simple_saas_agreements_c": (3, "35800", "35800"),
    # a promise to spend 1,200: billed as it is used and in the end, or upfront and used up
    f"{SAAS}/spend_agreements/saas_spend_agreements_a1": (4, "1200", "1200"),
    f"{SAAS}/spend_agreements/saas_spend_agreements_a2": (13, "1200", "1200"),
    f"{SAAS}/spend_agreements/saas_spend_agreements_b1": (5, "1200", "1200"),
    f"{SAAS}/spend_agreements/saas_spend_agreements_b2": (14, "1200", "1200"),
    # tokens are bought for money; what they are used for costs their price
    f"{SAAS}/virtual_currency_pricing_model_a1": (1, "200000", "0"),
    f"{SAAS}/virtual_currency_pricing_model_a2": (3, "0", "1230"),
    f"{SAAS}/virtual_currency_pricing_model_b1": (1, "100000", "0"),
    f"{SAAS}/virtual_currency_pricing_model_b2": (3, "0", "615"),
    f"{SAAS}/virtual_currency_pricing_model_b3": (3, "0", "495"),
    f"{SAAS}/virtual_currency_pricing_model_c": (2, "53000", "0"),
}
"""File -> rows, sum of BilledCost, sum of EffectiveCost, added by hand."""

WORKED: dict[str, tuple[str | None, ...]] = {
    f"{COMMITMENT}_usage_scenario_1": ("1", None, "1", "0", "0", "1", "1"),
    f"{COMMITMENT}_usage_scenario_2": (None, "1", "0", "1", "0", "0", None),
    f"{COMMITMENT}_usage_scenario_3": ("0.75", "0.25", "0.75", "0.25", "0", "0.75", "1"),
    f"{COMMITMENT}_usage_scenario_4": ("1", None, "1", "0", "0.5", "1", "0.666667"),
    # a third of a large machine's hour is covered, the rest is on demand: 3 and 2.25 at list
    f"{UTILISED}_with_{FLEX}_with_1_resource": ("1", None, "0.5", "0", "2.25", "1", "0.571429"),
    f"{UTILISED}_with_{FLEX}_with_2_resources": ("4", None, "2", "0", "0", "1", "1"),
    f"{UTILISED}_without_{FLEX}": ("1", None, "1.5", "0", "0", "1", "1"),
    f"{FLEX}/zero_percent_utilization_without_{FLEX}": (None, "1", "0", "1.5", "2", "0", "0"),
}
"""File -> quantity used and unused, cost used, unused and on demand, utilisation, coverage."""

TOKENS = {
    "virtual_currency_pricing_model_a2": "615",
    "virtual_currency_pricing_model_b2": "615",
    "virtual_currency_pricing_model_b3": "495",
}
"""Sum of PricingCurrencyEffectiveCost: 245 x 1 + 5 x 2 + 120 x 3 tokens, or x 2 in the last."""


def _completed(value: str) -> str:
    """One value as a bill would have it."""
    if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{2}", value):
        day = datetime.strptime(value, "%m/%d/%y").replace(tzinfo=UTC)
        return day.strftime("%Y-%m-%dT00:00:00Z")
    if over := re.fullmatch(r"(\d{4}-\d{2}-\d{2})T(2[4-9]|3\d):00:00Z", value):
        day = datetime.fromisoformat(over[1]) + timedelta(hours=int(over[2]))
        return day.strftime("%Y-%m-%dT%H:%M:%SZ")
    if re.fullmatch(r"\$[\d,]+\.\d\d ?", value):
        return value.strip().replace("$", "").replace(",", "")
    return value


def _rows(path: Path) -> list[dict[str, str]]:
    whole = {"BillingAccountId": "1", "BillingCurrency": "USD"}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {**whole, **{name: _completed(value) for name, value in row.items()}}
            for row in csv.DictReader(file)
        ]


def _landed(shared: Path, scenario: str, tmp_path: Path, write_csv, read_each) -> list[Any]:
    path = shared / SPEC / f"{scenario}.csv"
    if not path.is_file():
        pytest.skip("this scenario is not beside this checkout")
    reads = read_each("focus", write_csv(tmp_path / "b.csv", _rows(path)))
    assert all(read.set_codes == [] for read in reads)
    assert sum(read.landed.rows_quarantined for read in reads) == 0
    return [row for read in reads for row in read.rows.to_pylist()]


def test_every_scenario_is_here(shared: Path) -> None:
    """A scenario that nobody checks teaches nothing."""
    found = {
        str(path.relative_to(shared / SPEC).with_suffix(""))
        for path in (shared / SPEC).rglob("*.csv")
    }
    assert found <= set(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(shared: Path, scenario: str, tmp_path: Path, write_csv, read_each) -> None:
    """Adding what is billed to what is used counts a commitment twice; dropping it hides it."""
    rows = _landed(shared, scenario, tmp_path, write_csv, read_each)
    number, billed, effective = SCENARIOS[scenario]
    assert len(rows) == number
    assert sum(row["billed_cost"] for row in rows) == Decimal(billed)
    assert sum(row["effective_cost"] for row in rows) == Decimal(effective)
    for row in rows:
        if row["charge_category"] == "Purchase" and "simple" not in scenario:
            assert row["effective_cost"] == 0 < row["billed_cost"]
        if row["commitment_discount_status"] is not None:
            assert row["billed_cost"] == 0 < row["effective_cost"]
            assert row["charge_category"] == "Usage" and row["commitment_discount_id"]
        if scenario.startswith(SAAS):
            _priced(row)
    unpriced = TOKENS.get(Path(scenario).name)
    if unpriced is not None:
        assert {row["pricing_currency"] for row in rows} == {"Token"}
        assert sum(row["pricing_currency_effective_cost"] for row in rows) == Decimal(unpriced)


def _priced(row: dict[str, Any]) -> None:
    """Costs are prices times quantity, in the billing currency and in the pricing currency."""
    quantity = row["pricing_quantity"]
    assert row["list_cost"] == quantity * row["list_unit_price"]
    assert row["contracted_cost"] == quantity * row["contracted_unit_price"]
    if row["pricing_currency_effective_cost"]:
        price = row["pricing_currency_contracted_unit_price"]
        assert row["pricing_currency_effective_cost"] == quantity * price


@pytest.mark.parametrize(
    ("scenario", "used", "unused"),
    [
        (f"{COMMITMENT}_usage_scenario_1", "1", "0"),
        (f"{COMMITMENT}_usage_scenario_2", "0", "1"),
        (f"{COMMITMENT}_usage_scenario_3", "0.75", "0.25"),
        (f"{COMMITMENT}_usage_scenario_4", "1", "0"),
        (f"{FLEX}/zero_percent_utilization_without_{FLEX}", "0", "1.5"),
        (f"{UTILISED}_without_{FLEX}", "1.5", "0"),
    ],
)
def test_unused_commitment_costs_what_was_not_used(
    shared: Path, scenario: str, used: str, unused: str, tmp_path: Path, write_csv, read_each
) -> None:
    """Waste that is spread over those who used the rest is waste that nobody sees."""
    rows = _landed(shared, scenario, tmp_path, write_csv, read_each)
    cost = {"Used": Decimal(0), "Unused": Decimal(0)}
    for row in rows:
        if row["commitment_discount_status"] is not None:
            cost[row["commitment_discount_status"]] += row["effective_cost"]
    assert cost == {"Used": Decimal(used), "Unused": Decimal(unused)}


def test_marts_of_commitments_are_the_worked_figures(
    shared: Path, tmp_path: Path, write_csv, read_each
) -> None:
    """Coverage and waste that differ from the specification's are another company's figures."""
    estate = Estate(tmp_path / "estate")
    sources = {f"s{number}": scenario for number, scenario in enumerate(WORKED)}
    for source, scenario in sources.items():
        folder = tmp_path / source
        folder.mkdir()
        rows = _landed(shared, scenario, folder, write_csv, read_each)
        month = f"{rows[0]['charge_period_start']:%Y-%m}-01"
        rows = [{**row, "source": source, "delivery_id": "d"} for row in rows]
        estate.deliver("charges", month, "d", "2023-02-01T00:00", rows, source=source)
    result = estate.dbt(
        "build", "--select", "tag:billing", "--exclude-resource-type", "unit_test",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    used = {
        row[0]: row[1:]
        for row in estate.query(
            "select source, sum(used_quantity), sum(unused_quantity), sum(used_cost),"
            " sum(unused_cost), min(utilisation) from fct_commitments_daily group by all"
        )
    }
    covered = {
        row[0]: row[1:]
        for row in estate.query(
            "select source, sum(on_demand_cost), sum(committed_list_cost),"
            " sum(on_demand_list_cost) from fct_commitment_coverage_daily group by all"
        )
    }
    for source, scenario in sources.items():
        on_demand, committed_list, on_demand_list = covered[source]
        whole = committed_list + on_demand_list
        told = [
            *used[source][:4],
            on_demand,
            used[source][4],
            committed_list / whole if whole else None,
        ]
        assert told == [
            None if one is None else pytest.approx(type(two or 0)(one), abs=1e-6)
            for one, two in zip(WORKED[scenario], told, strict=True)
        ], scenario
