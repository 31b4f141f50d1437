"""The published FOCUS 1.2 rules: what is broken is named, what is clean is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finops_dagster.quality.conformance import Report, RuleModel, load_model
from finops_dagster.quality.conformance.predicates import KNOWN
from tests.unit.quality.focus_bill import BROKEN, CLEAN, MODEL, judged, row

pytestmark = pytest.mark.skipif(not MODEL.exists(), reason="the published rule model is not here")

FIRST = len(CLEAN) + 1
"""Row number of the first broken row, after the clean ones."""


@pytest.fixture(scope="module")
def model() -> RuleModel:
    return load_model(MODEL)


@pytest.fixture(scope="module")
def report(model: RuleModel) -> Report:
    """One bill of the clean rows and every broken one."""
    return judged([*CLEAN.values(), *map(row, BROKEN)], model)


def leaves(report: Report) -> dict[str, Any]:
    return {
        one.rule: one
        for one in report.verdicts
        if one.verdict == "fail" and one.function != "Composite"
    }


def test_clean_rows_are_not_accused(model: RuleModel) -> None:
    """A report that accuses right rows is read once."""
    clean = judged(list(CLEAN.values()), model)
    assert leaves(clean) == {}
    assert clean.conforms and clean.counts["pass"] > 300
    assert clean.rows == len(CLEAN)


@pytest.fixture(scope="module")
def found(model: RuleModel) -> dict[int, dict[str, Any]]:
    """What is said of each broken row: judged in bills that break no rule twice."""
    bills: list[list[int]] = []
    for place, one in enumerate(BROKEN):
        for bill in bills:
            if not any(set(one.rules) & set(BROKEN[other].rules) for other in bill):
                bill.append(place)
                break
        else:
            bills.append([place])
    said: dict[int, dict[str, Any]] = {place: {} for place in range(len(BROKEN))}
    for bill in bills:
        report = judged([*CLEAN.values(), *(row(BROKEN[place]) for place in bill)], model)
        for rule, verdict in leaves(report).items():
            assert verdict.rows == len(verdict.examples) == 1, rule
            said[bill[verdict.examples[0].row - FIRST]][rule] = verdict
    return said


@pytest.mark.parametrize(
    "place", range(len(BROKEN)), ids=[f"{one.rules[0]}:{dict(one.change)}" for one in BROKEN]
)
def test_each_violation_is_found_and_named(found: dict[int, dict[str, Any]], place: int) -> None:
    """A violation that no rule names is one nobody mends; a name too many sends people astray."""
    assert set(found[place]) == set(BROKEN[place].rules)
    for verdict in found[place].values():
        assert verdict.hint and verdict.text


def test_together_they_are_told_apart(report: Report) -> None:
    """Counts of rules that several rows break must be the sum, and touch no clean row."""
    found = leaves(report)
    wanted: dict[str, int] = {}
    for one in BROKEN:
        for rule in one.rules:
            wanted[rule] = wanted.get(rule, 0) + 1
    assert {rule: one.rows for rule, one in found.items()} == wanted
    assert all(example.row >= FIRST for one in found.values() for example in one.examples)


def test_the_broken_rows_reach_every_check_function(model: RuleModel) -> None:
    """A function nobody ever saw fail may be one that cannot."""
    named = {rule for one in BROKEN for rule in one.rules}
    reached = {
        check.function
        for rule in named
        for part in (model.rules[rule].requirement, model.rules[rule].condition)
        if part
        for check in part.walk()
    }
    used = {
        check.function
        for rule in model.rules.values()
        if rule.requirement
        for check in rule.requirement.walk()
    }
    elsewhere = {
        "ColumnPresent", "CheckModelRule", "CheckDistinctCount", "TypeString",
        "CheckSameValue",  # in a permission alone, which nothing can break
    }  # fmt: skip
    assert used - reached == elsewhere
    assert used <= KNOWN


def test_every_rule_has_a_verdict_or_a_reason(report: Report, model: RuleModel) -> None:
    """A rule passed over in silence looks kept."""
    assert [one.rule for one in report.verdicts] == list(model.rules)
    for one in report.verdicts:
        assert one.verdict != "skipped" or one.reason, one.rule
        assert one.verdict in ("pass", "skipped") or one.function == "Composite" or one.hint


def test_a_missing_column_is_named_once(model: RuleModel) -> None:
    """Fifty rules that fail for one absent column hide which column it is."""
    rows = [{k: v for k, v in one.items() if k != "ChargeCategory"} for one in CLEAN.values()]
    report = judged(rows, model)
    found = leaves(report)
    assert list(found) == ["CostAndUsage-D-008-M"]
    assert "bill.csv" in found["CostAndUsage-D-008-M"].reason
    waiting = [one for one in report.verdicts if "ChargeCategory" in one.reason]
    assert len(waiting) > 10 and {one.verdict for one in waiting} == {"skipped"}
    composites = [one.rule for one in report.of("fail") if one.function == "Composite"]
    assert "CostAndUsage-D-001-M" in composites


def test_a_price_with_two_skus_and_a_service_in_two_categories(model: RuleModel) -> None:
    """A key that means two things breaks every sum that groups by it."""
    other = CLEAN["usage"] | {"SkuId": "S2"}
    found = leaves(judged([*CLEAN.values(), other], model))
    assert set(found) == {"SkuPriceId-C-008-M"}
    moved = CLEAN["usage"] | {
        "ServiceCategory": "Storage",
        "ServiceSubcategory": "Block Storage",
        "ServiceName": "Disks",
    }
    twice = moved | {"ServiceCategory": "Databases", "ServiceSubcategory": "Caching"}
    found = leaves(judged([*CLEAN.values(), moved, twice], model))
    assert {rule: one.rows for rule, one in found.items()} == {
        "ServiceName-C-005-C": 2,
        "ServiceName-C-008-C": 2,
    }


def test_types_of_a_typed_file_are_judged(model: RuleModel) -> None:
    """Ids as numbers lose their leading zeros; costs as text are no decimals."""
    numbers = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice",
               "ContractedUnitPrice", "PricingQuantity", "ConsumedQuantity",
               "CommitmentDiscountQuantity", "PricingCurrencyContractedUnitPrice",
               "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice")  # fmt: skip
    times = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    types = dict.fromkeys(numbers, "DECIMAL(30,12)") | dict.fromkeys(times, "TIMESTAMPTZ")
    rows = [{k: v or None for k, v in one.items()} for one in CLEAN.values()]
    assert leaves(judged(rows, model, text_file=False, types=types)) == {}
    doubles = types | dict.fromkeys(numbers, "DOUBLE")
    assert leaves(judged(rows, model, text_file=False, types=doubles)) == {}
    wrong = types | {"SubAccountId": "BIGINT", "BilledCost": "VARCHAR"}
    found = leaves(judged(rows, model, text_file=False, types=wrong))
    assert set(found) == {"SubAccountId-C-001-M", "BilledCost-C-001-M"}


def test_goldens_of_others_keep_the_rules(model: RuleModel) -> None:
    """Bills that another project holds to be right: an accusation here is ours to explain.

    Those of 1.3 keep what 1.2 asks of the columns that both have.
    """
    import csv

    folder = MODEL.parents[2] / "focus_goldens_1_2_and_1_3"
    files = sorted(folder.rglob("*_1_[23]_cost_and_usage_*.csv"))
    if not files:
        pytest.skip("the goldens are not here")
    for file in files:
        with Path(file).open(encoding="utf-8", newline="") as text:
            report = judged(list(csv.DictReader(text)), model)
        assert leaves(report) == {}, file.name
        assert report.counts["pass"] > 300, file.name
