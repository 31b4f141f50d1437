"""Rule models of any version: how rules, conditions, criteria and slips of a model are taken.

The published 1.2 rules are held in test_conformance_rules; here models are made up, and small.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.quality.conformance import Report, Verdict, load_model
from tests.unit.quality.focus_bill import judged, published


def check(function: str, column: str, **more: Any) -> dict[str, Any]:
    return {"CheckFunction": function, "ColumnName": column, **more}


def value(column: str, wanted: Any, *, is_not: bool = False) -> dict[str, Any]:
    return check("CheckNotValue" if is_not else "CheckValue", column, Value=wanted)


def refer(rule: str) -> dict[str, Any]:
    return {"CheckFunction": "CheckModelRule", "ModelRuleId": rule}


def both(*items: dict[str, Any], function: str = "AND") -> dict[str, Any]:
    return {"CheckFunction": function, "Items": list(items)}


def of(report: Report, rule: str) -> Verdict:
    return next(one for one in report.verdicts if one.rule == rule)


def verdicts(report: Report) -> dict[str, str]:
    return {one.rule: one.verdict for one in report.verdicts}


def judge_rows(tmp_path: Path, rows: list[dict[str, str]], /, **rules: Any) -> Report:
    return judged(rows, load_model(published(tmp_path, **rules)))


def test_a_composite_hands_its_condition_down(tmp_path: Path) -> None:
    """Judged without it, "MUST NOT be null" accuses every row the rule is not about."""
    report = judge_rows(
        tmp_path,
        [{"A": "", "B": "x"}, {"A": "1", "B": "x"}, {"A": "", "B": ""}],
        A_0={"Function": "Composite", "Requirement": both(refer("A_1")),
             "Condition": value("B", None, is_not=True)},
        A_1={"Requirement": value("A", None, is_not=True)},
    )  # fmt: skip
    one = of(report, "A_1")
    assert (one.verdict, one.rows, one.judged) == ("fail", 1, 2)
    assert of(report, "A_0").reason == "Fails in A_1."


def test_no_value_is_another_value_in_a_condition(tmp_path: Path) -> None:
    """A charge without a class is not a correction: most rows have none."""
    report = judge_rows(
        tmp_path,
        [{"A": "", "B": ""}, {"A": "", "B": "Correction"}],
        A_1={"Requirement": value("A", None, is_not=True),
             "Condition": value("B", "Correction", is_not=True)},
    )  # fmt: skip
    assert of(report, "A_1").rows == 1
    assert [one.row for one in of(report, "A_1").examples] == [1]


def test_one_of_alternatives_is_enough(tmp_path: Path) -> None:
    """Alternatives judged each for itself contradict one another in every row."""
    report = judge_rows(
        tmp_path,
        [{"A": "x"}, {"A": "y"}, {"A": "z"}],
        A_0={"Function": "Composite",
             "Requirement": both(refer("A_1"), refer("A_2"), function="OR")},
        A_1={"Requirement": value("A", "x")},
        A_2={"Requirement": value("A", "y")},
    )  # fmt: skip
    assert verdicts(report) == {"A_0": "fail", "A_1": "skipped", "A_2": "skipped"}
    assert of(report, "A_0").rows == 1
    assert "A_0" in of(report, "A_1").reason


def test_what_cannot_be_judged_says_why(tmp_path: Path) -> None:
    """Whatever is left out without a word counts as kept in a reader's mind."""
    report = judge_rows(
        tmp_path,
        [{"A": "x", "B": ""}],
        A_1={"Type": "Dynamic"},
        A_2={"Keyword": "MAY", "Requirement": value("A", None)},
        A_3={"Requirement": check("CheckMoonPhase", "A")},
        A_4={"Requirement": value("Gone", "x"), "Reference": "Gone"},
        A_5={"Requirement": value("A", "y"), "Condition": value("B", "z")},
        A_6={"Requirement": value("B", "y")},
        A_7={"Requirement": value("A", "y"), "Status": "Deprecated"},
        A_8={"Requirement": value("B", "y"), "ApplicabilityCriteria": ["NAMING"], "Reference": "C"},
    )
    assert set(verdicts(report).values()) == {"skipped"}
    reasons = [one.reason for one in report.verdicts]
    for reason, word in zip(
        reasons,
        ("knowledge", "permission", "CheckMoonPhase", "Gone", "condition", "No value", "in force",
         "NAMING"),
        strict=True,
    ):  # fmt: skip
        assert word in reason
    assert report.counts["pass"] == 0


def test_an_empty_file_passes_nothing(tmp_path: Path) -> None:
    """A bill of no rows keeps every rule only on paper."""
    path = published(tmp_path, A_1={"Requirement": value("A", None, is_not=True)})
    rows = [{"A": "x"}]
    assert of(judged(rows, load_model(path)), "A_1").verdict == "pass"
    none = [{"A": None}]
    assert of(judged(none, load_model(path)), "A_1").verdict == "fail"


def test_criteria_are_read_off_the_columns_or_told(tmp_path: Path) -> None:
    """A provider without names must not be asked for them; one with names must give all."""
    rules = {"A_1": {"Requirement": value("A", None, is_not=True),
                     "ApplicabilityCriteria": ["NAMING"]}}  # fmt: skip
    model = load_model(published(tmp_path, **rules))
    some, none = [{"A": "x"}, {"A": ""}], [{"A": ""}]
    assert of(judged(some, model), "A_1").verdict == "fail"
    assert of(judged(none, model), "A_1").verdict == "skipped"
    told = judged(none, model, supports={"NAMING": True})
    assert of(told, "A_1").verdict == "fail"
    assert "as told" in told.supported[0].how
    assert of(judged(some, model, supports={"NAMING": False}), "A_1").verdict == "skipped"


def test_rules_of_another_dataset_are_left_aside(tmp_path: Path) -> None:
    """Models from 1.3 on hold several datasets: a bill is no list of contracts."""
    path = published(
        tmp_path,
        A_0={"Function": "Composite", "Requirement": both(refer("A_1"))},
        A_1={"Requirement": value("A", "x")},
        B_0={"Function": "Composite", "Requirement": both(refer("B_1"))},
        B_1={"Requirement": value("B", "x")},
    )
    document = json.loads(path.read_text())
    document["ModelDatasets"] = {"Bill": {"ModelRules": ["A_0"]}, "Plan": {"ModelRules": ["B_0"]}}
    path.write_text(json.dumps(document))
    report = judged([{"A": "x"}], load_model(path))
    assert report.dataset == "Bill"
    assert verdicts(report) == {
        "A_0": "pass", "A_1": "pass", "B_0": "skipped", "B_1": "skipped",
    }  # fmt: skip
    assert "Bill" in of(report, "B_1").reason


def test_what_is_allowed_keeps_its_rows_and_reason(tmp_path: Path) -> None:
    """An allow-list that hides counts lets an old exception grow unseen."""
    model = load_model(published(tmp_path, A_1={"Requirement": value("A", "y")}))
    report = judged([{"A": "x"}], model, allowed={"A_1": "agreed"})
    one = of(report, "A_1")
    assert (one.verdict, one.rows, one.reason) == ("allowed", 1, "agreed")
    assert report.conforms and report.counts["allowed"] == 1


@pytest.mark.parametrize("given", [{"allowed": {"B_1": "why"}}, {"supports": {"FLYING": True}}])
def test_a_misspelt_option_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """An allowance with a typo would allow nothing and look as if it did."""
    model = load_model(published(tmp_path, A_1={"Requirement": value("A", "y")}))
    with pytest.raises(SettingsError) as refused:
        judged([{"A": "x"}], model, **given)
    assert next(iter(next(iter(given.values())))) in str(refused.value.faults[0])


def test_only_a_must_breaks_conformance(tmp_path: Path) -> None:
    """Advice not followed must not stop who pays for it to be followed."""
    rules = {"A_1": {"Keyword": "SHOULD", "Requirement": value("A", "y")}}
    report = judge_rows(tmp_path, [{"A": "x"}], **rules)
    assert report.conforms and report.counts["advice"] == 1
    assert of(report, "A_1").verdict == "fail"


@pytest.mark.parametrize(
    ("text", "requirement", "condition", "failing"),
    [
        ("A MUST be null when B is null.", value("A", None, is_not=True), value("B", None), [2]),
        ('A MUST NOT be null when B is "x" or "y".', value("A", None, is_not=True),
         value("B", "x"), [3]),
        ("A MUST be a valid decimal value.", value("A", None, is_not=True), {}, [2, 4]),
    ],
)  # fmt: skip
def test_a_check_that_contradicts_its_text_gives_way(
    tmp_path: Path, text: str, requirement: Any, condition: Any, failing: list[int]
) -> None:
    """Published models have such slips: following them accuses right rows."""
    rows = [{"A": "", "B": ""}, {"A": "a", "B": ""}, {"A": "", "B": "y"}, {"A": "a", "B": "z"}]
    rules = {"A_1": {"MustSatisfy": text, "Requirement": requirement, "Condition": condition},
             "B_1": {"Requirement": value("B", "y")}}  # fmt: skip
    one = of(judge_rows(tmp_path, rows, **rules), "A_1")
    assert [example.row for example in one.examples] == failing
    assert "text" in one.note


def test_a_condition_in_words_alone_is_not_taken_for_none(tmp_path: Path) -> None:
    """ "When the charge is on an invoice" without a test of it would accuse every other row."""
    rules = {"A_1": {"MustSatisfy": "A MUST NOT be null when the charge is on an invoice.",
                     "Requirement": value("A", None, is_not=True)}}  # fmt: skip
    one = of(judge_rows(tmp_path, [{"A": ""}], **rules), "A_1")
    assert one.verdict == "skipped" and "words" in one.reason


def test_misspelt_arguments_are_read_and_told(tmp_path: Path) -> None:
    """A model's slip of the pen must not take a rule out, nor stop the rest."""
    rules = {
        "A_1": {"Requirement": value("A", None, is_not=True),
                "Condition": {"CheckFunction": "CheckNotValue", "CheckCondition": "B",
                              "Value": None}},
        "A_2": {"Requirement": value("A", None, is_not=True),
                "Condition": {"AND": [value("B", "x")]}},
        "B_1": {"Requirement": value("B", "x")},
    }  # fmt: skip
    report = judge_rows(tmp_path, [{"A": "", "B": "x"}, {"A": "", "B": ""}], **rules)
    assert of(report, "A_1").rows == of(report, "A_2").rows == 1
    assert "misspelt" in of(report, "A_1").note


def test_a_list_is_completed_by_what_the_model_relies_on(tmp_path: Path) -> None:
    """The 1.2 model's list of a status lacks the two values its other rules name."""
    allowed = both(value("A", "x"), value("A", "y"), function="OR")
    rules = {"A_1": {"Requirement": allowed},
             "B_1": {"Requirement": value("B", "1"), "Condition": value("A", "z")}}  # fmt: skip
    rows = [{"A": "z", "B": "1"}, {"A": "w", "B": "1"}]
    one = of(judge_rows(tmp_path, rows, **rules), "A_1")
    assert (one.rows, [example.row for example in one.examples]) == (1, [2])
    assert "z" in one.note


ELEMENTS = {
    "fine": '{"Elements": [{"Ratio": 0.5, "Unit": "Hours", "x_Own": 1}]}',
    "text": '{"Elements": [{"Ratio": "half", "Unit": "Hours"}]}',
    "no key": '{"Elements": [{"Ratio": 0.5, "Unit": "Hours"}, {"Unit": "Hours"}]}',
    "foreign key": '{"Elements": [{"Ratio": 0.5, "Unit": "Hours", "Own": 1}]}',
    "nested": '{"Elements": [{"Ratio": 0.5, "Unit": "Hours", "x_Own": {"a": 1}}]}',
    "no list": '{"Elements": {"Ratio": 0.5, "Unit": "Hours"}}',
    "unit": '{"Elements": [{"Ratio": 0.5, "Unit": "1.5 Hours"}]}',
    "list": "[1]",
}


@pytest.mark.parametrize(
    ("requirement", "failing"),
    [
        (check("FormatJSONFormat", "A"), {"list"}),
        (check("JSONCheckPathType", "A", Path="$.Elements", ExpectedType="Array"), {"no list"}),
        (check("JSONCheckPathType", "A", Path="$.Elements[*].Ratio", ExpectedType="Decimal"),
         {"text"}),
        (check("JSONCheckPathKeyExists", "A", Path="$.Elements[*].Ratio"), {"no key"}),
        (check("JSONCheckPathKeyStartsWith", "A", Path="$.Elements[*]", Prefix="x_",
               IgnoreKeys=["Ratio", "Unit"]), {"foreign key"}),
        (check("JSONCheckPathKeyValueFormat", "A", Path="$.Elements[*]"), {"nested"}),
        (check("JSONCheckPathUnitFormat", "A", Path="$.Elements[*].Unit"), {"unit"}),
        (check("JSONFormatNumeric", "A", Path="$.Elements[*].Ratio"), {"text"}),
        (check("JSONCheckPathNotValue", "A", Path="$.Elements[*].Ratio", Value="half"), {"text"}),
        (check("JSONCheckPathValue", "A", Path="$.Elements[*].Unit", Value="Hours"), {"unit"}),
    ],
    ids=lambda one: one["CheckFunction"] if isinstance(one, dict) else "",
)  # fmt: skip
def test_checks_inside_json_of_later_models(
    tmp_path: Path, requirement: dict[str, Any], failing: set[str]
) -> None:
    """Models from 1.3 on look into allocation and contract details."""
    rows = [{"A": text} for text in ELEMENTS.values()] + [{"A": ""}]
    one = of(judge_rows(tmp_path, rows, A_1={"Requirement": requirement}), "A_1")
    names = list(ELEMENTS)
    assert {names[example.row - 1] for example in one.examples} == failing


def test_values_that_must_differ_row_by_row(tmp_path: Path) -> None:
    """A key that comes twice is found with all its rows."""
    rows = [{"A": "x"}, {"A": "y"}, {"A": "x"}, {"A": ""}, {"A": ""}]
    rules = {"A_1": {"Requirement": check("CheckNoDuplicates", "A")}}
    one = of(judge_rows(tmp_path, rows, **rules), "A_1")
    assert (one.rows, {example.row for example in one.examples}) == (2, {1, 3})


def test_columns_that_must_be_equal(tmp_path: Path) -> None:
    """The 1.2 model asks it in a permission alone; a later one may demand it."""
    same = {"CheckFunction": "CheckSameValue", "ColumnAName": "A", "ColumnBName": "B"}
    rows = [{"A": "x", "B": "x"}, {"A": "x", "B": "y"}, {"A": "x", "B": ""}]
    one = of(judge_rows(tmp_path, rows, A_1={"Requirement": same}), "A_1")
    assert [example.row for example in one.examples] == [2]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ModelRules": {"A": {}}}', "\x00"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    """Any other JSON taken for a model would judge nothing and pass."""
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_model(path)
    assert "releases" in refused.value.faults[0].hint


HOSTILE = "<script>alert(1)</script>{{ 7*7 }}'\"; DROP TABLE raw; --\u202e" + "x" * 500


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    """Values, column names and a model are other people's text."""
    name = "A\"';--<b>"
    rules = {"A_1": {"MustSatisfy": f"{HOSTILE} MUST", "Requirement": value(name, "it's")}}
    report = judge_rows(tmp_path, [{name: HOSTILE}, {name: "it's"}], **rules)
    one = of(report, "A_1")
    assert one.rows == 1
    shown = one.examples[0].values[name]
    assert shown is not None and len(shown) <= 121 and HOSTILE.startswith(shown[:-1])
    page = report.html()
    assert "<script" not in page and "<b>" not in page
    assert "{{ 7*7 }}" in page and "&lt;script&gt;" in page
