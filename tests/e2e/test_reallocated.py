"""A changed allocation rule: what is built again, and both versions side by side.

What rules mean is asked beside dbt; here is what follows from a change of their file.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml

from finops_dagster.defs.jobs import ALLOCATE_JOB, BILLING_JOB
from finops_dagster.defs.line import ALLOCATION
from tests.e2e.bills import Company, row
from tests.e2e.estate import finops

pytestmark = pytest.mark.conformance

MONTHS = ("2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01")
ALLOCATED, CHANGES = "fct_allocated_costs_daily", "fct_cost_changes_monthly"


def write(company: Company, budgets: list[dict[str, Any]] | None = None, **rule: str) -> None:
    """The allocation file, whose first rule gives an account to a team."""
    rules = [
        {"name": "moved", "when": {"sub_account_id": "sub-2"}, "set": {"team": "blue"}, **rule},
        {"name": "accounts", "set": {"team": {"column": "sub_account_id"}}},
    ]
    shared = [{"name": "desk", "when": {"service_name": "Desk"}, "split": "even"}]
    text = yaml.safe_dump({"rules": rules, "shared": shared, "budgets": budgets or []})
    (company.folder / "allocation.yaml").write_text(text)


def versions(company: Company) -> dict[tuple[str, str], tuple[str, Any]]:
    """(mart, month) -> hash of its rows and when they were known, of what is in force."""
    manifest = company.estate.publications.current()
    assert manifest is not None
    return {
        (one.mart, one.partition.isoformat()): (one.sha256, one.recipe) for one in manifest.versions
    }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Four closed months, allocated by a rule that is in force since February."""
    made = Company(tmp_path_factory.mktemp("company"), "2026-04-10")
    for month in MONTHS:
        rows = [
            row(month, f"{month[:8]}05", "10.01"),
            row(month, f"{month[:8]}28", "20", account="sub-2"),
            row(month, f"{month[:8]}28", "3.33", service="Desk"),
        ]
        made.deliver(month, "final", "2026-04-04T03:00:00Z", rows)
    write(made, **{"from": "2026-02-01"})
    made.decide("2026-04-10", allocation="allocation.yaml")
    made.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    return made


def teams(company: Company, month: str, *options: str) -> dict[str, dict[str, Any]]:
    answer = finops(company.folder, "allocation", "--month", month, *options, "--json")
    assert answer.code == 0, answer.err
    return {one["name"]: one for one in answer.items}


def test_only_what_depends_on_a_changed_rule_is_built_again(company: Company) -> None:
    """A year of history built anew for one month's rule is a day's budget gone, and a year of
    versions that nobody can tell apart."""
    assert set(teams(company, "2026-01")) == {"sub-1", "sub-2"}
    assert set(teams(company, "2026-02")) == {"sub-1", "blue"}
    before = versions(company)
    write(company, **{"from": "2026-01-15"})
    company.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    after = versions(company)
    changed = {place for place in after if after[place] != before[place]}
    rows = {place for place in after if after[place][0] != before[place][0]}
    # January has a day on which the rule is now in force; February is told beside January
    assert {month for _, month in changed} == {"2026-01-01", "2026-02-01"}
    assert {mart for mart, _ in changed} == set(ALLOCATION.marts)
    assert rows == {
        (ALLOCATED, "2026-01-01"),
        (CHANGES, "2026-01-01"),
        (CHANGES, "2026-02-01"),
        ("dim_teams", "2026-01-01"),
        ("fct_chargeback_monthly", "2026-01-01"),
    }
    # the second look at the same file finds nothing to do
    company.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    assert versions(company) == after

    compared = teams(company, "2026-01", "--against", "previous")
    assert Decimal(compared["blue"]["cost_against"]) == 0
    assert Decimal(compared["blue"]["difference"]) == Decimal("21.665")
    assert Decimal(compared["sub-2"]["cost"]) == 0
    assert sum(Decimal(one["difference"]) for one in compared.values()) == 0
    unknown = finops(company.folder, "allocation", "--month", "2026-02", "--against", "pub-0")
    assert unknown.code == 2
    assert "pub-0" in unknown.err


def test_a_budget_is_built_for_the_months_it_plans(company: Company) -> None:
    """Next year's budget must not build this year's months again, nor touch whose a cost is."""
    write(company, **{"from": "2026-01-15"})
    company.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    before = versions(company)
    budget = {"name": "desk", "of": {"team": "blue"}, "currency": "USD", "amount": 30,
              "period": "quarter", "from": "2026-04-01"}  # fmt: skip
    write(company, [budget], **{"from": "2026-01-15"})
    company.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    assert versions(company) == before
    write(company, [{**budget, "starts": 3, "from": "2026-03-01"}], **{"from": "2026-01-15"})
    company.run(jobs=[BILLING_JOB, ALLOCATE_JOB])
    after = versions(company)
    assert {month for mart, month in after if after[mart, month] != before[mart, month]} == {
        "2026-03-01"
    }
    rows = {mart for mart, month in after if after[mart, month][0] != before[mart, month][0]}
    assert rows == {"fct_budgets_monthly", "fct_budget_costs_daily"}
    answer = finops(company.folder, "budgets", "--month", "2026-03", "--json")
    (one,) = answer.items
    planned = (one["amount"], one["planned_by_month_end"])
    assert planned == ("30.00000000000000000000", "10.00000000000000000000")
    assert one["expected"] is None
    assert one["reason"] == "what is ahead of a month is forecast on its own days"
