"""The register: what each check is evidence for, what a system lacks, how long a breach stands."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.models import Breach, Check, RiskClass
from finops_dagster.responsible_ai.governance import export
from finops_dagster.responsible_ai.governance.evidence import OF_CHECK, OF_RULE, checks_for
from finops_dagster.responsible_ai.governance.obligations import (
    ARTICLES,
    CATEGORIES,
    NOT_ADVICE,
    articles_for,
)
from finops_dagster.responsible_ai.governance.pages import write_register
from finops_dagster.responsible_ai.governance.register import (
    Kind,
    Link,
    System,
    merged,
    open_breaches,
    registered,
)

ROOT = Path(__file__).parents[4]
AS_OF = date(2026, 5, 31)
HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>'


def breach(check: Check = Check.FAIRNESS, segment: str = "sex=female") -> Breach:
    return Breach(check=check, grade="fail", reason="too few are selected", segment=segment)


def gate(*breaches: Breach) -> GateResult:
    result = "fail" if breaches else "pass"
    reasons = tuple(one.reason for one in breaches)
    return GateResult(gate="m", result=result, reasons=reasons, breaches=breaches)


@pytest.mark.parametrize("check", Check)
def test_each_check_is_evidence_for_something_that_is_in_the_law(check: Check) -> None:
    """A check that is mapped to nothing, or to an article that no page shows, convinces no one."""
    one = OF_CHECK[check]
    assert set(one.articles) <= {article.name for article in ARTICLES}
    assert set(one.categories) <= {category.name for category in CATEGORIES}
    assert one.articles
    assert one.categories
    for reference in one.references:
        assert re.fullmatch(r"(Article \d+|Annex IV)(\(\w+\))*", reference), reference


def test_each_folder_of_rules_about_ai_is_mapped() -> None:
    """A rule that is added and not mapped is missing from the evidence of every system."""
    folders = {f"ai/{one.name}" for one in (ROOT / "policies" / "ai").iterdir() if one.is_dir()}
    assert folders <= set(OF_RULE)
    assert all((ROOT / "policies" / rule).is_dir() for rule in OF_RULE)
    known = {article.name for article in ARTICLES}
    assert all(set(one.articles) <= known for one in OF_RULE.values())


def test_the_table_in_the_docs_is_the_mapping() -> None:
    """Two tables that differ: one of them is wrong, and an auditor reads that one."""
    text = (ROOT / "docs" / "ai-register.md").read_text(encoding="utf-8")
    for name, one in (
        *((f"`{check.value}`", one) for check, one in OF_CHECK.items()),
        *((f"policy `{rule}`", one) for rule, one in OF_RULE.items()),
    ):
        row = f"| {name} | {', '.join(one.references)} | {', '.join(one.categories)} |"
        assert row in text, row
    assert NOT_ADVICE in text.replace("\n", " ")


def test_obligations_follow_the_risk_class() -> None:
    """A chat bot shown the duties of a credit score, or the other way round, misleads."""
    names = {risk: [one.name for one in articles_for(risk)] for risk in RiskClass}
    assert [f"Article {number}" for number in (9, 10, 11, 12, 13, 14, 15)] == [
        name
        for name in names[RiskClass.HIGH]
        if name.split()[1] in ["9", "10", "11", "12", "13", "14", "15"]
    ]
    assert "Article 9" not in names[RiskClass.MINIMAL]
    assert "Article 50" in names[RiskClass.LIMITED]
    assert "Article 50" not in names[RiskClass.MINIMAL]
    assert "Article 5" in names[RiskClass.PROHIBITED]
    assert set(names[RiskClass.HIGH]) <= set(names[RiskClass.UNKNOWN])


def test_fairness_is_evidence_of_data_governance() -> None:
    """The literal references, so that no edit of the table goes unseen."""
    assert "Article 10(2)(f)" in OF_CHECK[Check.FAIRNESS].references
    assert OF_CHECK[Check.FAIRNESS].categories[0] == "MEASURE 2.11"
    assert OF_CHECK[Check.ENERGY].categories == ("MEASURE 2.12",)
    assert OF_CHECK[Check.LOGGING].articles == ("Article 12", "Article 19", "Article 26")
    assert Check.LOGGING in checks_for("Article 12")


def test_a_breach_is_as_old_as_the_days_on_which_it_stood() -> None:
    """An age that starts anew with every new figure hides how long people have waited."""
    days = {AS_OF - timedelta(days=back): [gate(breach())] for back in (0, 1, 2, 5)}
    days[AS_OF - timedelta(days=6)] = [gate()]
    days[AS_OF - timedelta(days=7)] = [gate(breach())]
    days[AS_OF + timedelta(days=1)] = [gate()]
    (one,) = open_breaches("m", days, AS_OF)
    assert (one.since, one.days) == (AS_OF - timedelta(days=5), 6)
    two = (Breach(check=Check.FAIRNESS, grade="fail", reason=name, segment="g=b", figures={name: 1})
           for name in ("selection_ratio", "odds_difference"))  # fmt: skip
    assert len(open_breaches("m", {AS_OF: [gate(*two)]}, AS_OF)) == 2
    assert open_breaches("another", days, AS_OF) == ()
    assert open_breaches("m", {AS_OF - timedelta(days=1): [gate(breach())]}, AS_OF) == ()


def test_what_is_missing_depends_on_the_risk() -> None:
    """A list that asks a parcel forecast for an impact on rights is not read a second time."""
    bare = System("m", Kind.MONITORED, logged=True)
    assert "an owner (Article 26(2); GOVERN 2.1)" in bare.missing
    assert "a risk class (Article 6)" in bare.missing
    whole = System(
        "m", Kind.MONITORED, "risk", "Says who may pay later.", RiskClass.HIGH, "Bills of 2025",
        card="models/m.yaml", protected=("sex",), stoppable=True, logged=True, gate=gate(),
    )  # fmt: skip
    assert whole.missing == ()
    minimal = System("m", Kind.DECLARED, "ops", "Counts parcels.", RiskClass.MINIMAL)
    assert minimal.missing == ()


def test_evidence_says_what_is_open_and_what_was_judged() -> None:
    """`judged` on a check that was not made would be false evidence."""
    days = {AS_OF: [gate(breach())]}
    one = System(
        "m", Kind.MONITORED, risk_class=RiskClass.HIGH, gate=gate(breach()),
        judged=(Check.FAIRNESS, Check.LOGGING), breaches=open_breaches("m", days, AS_OF),
        place="Deployment/a/m",
    )  # fmt: skip
    told = {each.article: " ".join(each.evidence) for each in one.obligations}
    assert "fairness: fail, 1 open since 2026-05-31" in told["Article 10"]
    assert "logging: judged, within limits" in told["Article 12"]
    assert "quality" not in told["Article 15"]
    assert "policy approval/required" in told["Article 14"]


def test_a_manifest_fills_what_the_settings_leave_open() -> None:
    """Two entries for one model, each with half of it, are two gaps."""
    card = System(
        "m", Kind.DECLARED, "ops", "Counts.", RiskClass.LIMITED, "Parcels", card="models/m.yaml"
    )
    made = merged(card, System("m", Kind.MONITORED, "risk", risk_class=RiskClass.HIGH))
    assert (made.kind, made.owner, made.purpose) == (Kind.MONITORED, "risk", "Counts.")
    assert (made.risk_class, made.card) == (RiskClass.HIGH, "models/m.yaml")


def test_those_that_need_somebody_come_first() -> None:
    """On page two nobody finds the model that fails."""
    some = [
        System("a", Kind.MONITORED, gate=gate()),
        System("b", Kind.LANGUAGE),
        System("c", Kind.MONITORED, gate=gate(breach())),
        System("d", Kind.UNREGISTERED),
    ]
    assert [one.name for one in registered("e", AS_OF, some).systems] == ["d", "c", "b", "a"]


def test_no_cell_of_the_csv_is_a_formula() -> None:
    """A model's name that a spreadsheet runs reads the disk of the auditor who opens it."""
    register = registered("e", AS_OF, [System(HOSTILE, Kind.DECLARED, owner="@x", purpose="-1+2")])
    (row,) = csv.DictReader(io.StringIO(export.table(register)))
    assert row["name"] == "'" + HOSTILE
    assert (row["owner"], row["purpose"]) == ("'@x", "'-1+2")


@given(st.text())
def test_any_text_survives_the_csv_as_text(text: str) -> None:
    """A quote too few breaks the row, one too many changes a name."""
    written = export.cell(text)
    assert written in (text, f"'{text}")
    assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))


def test_pages_escape_and_reach_nowhere(tmp_path: Path) -> None:
    """The page of an auditor must not run what a model is called."""
    days = {AS_OF: [gate(breach(segment=f"g={HOSTILE}"))]}
    one = System(
        HOSTILE, Kind.MONITORED, HOSTILE, HOSTILE, versions=(HOSTILE,), found=(HOSTILE,),
        gate=gate(breach()), breaches=open_breaches("m", days, AS_OF),
        links=(Link(HOSTILE, "../models/model-1/model.html"),),
    )  # fmt: skip
    index = write_register(tmp_path, registered(HOSTILE, AS_OF, [one]), back="../report.html")
    for page in (index, tmp_path / "system-1.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "&lt;script" in text
        assert NOT_ADVICE in text
        assert not re.search(r'(href|src)="(https?:)?//', text)
    write_register(tmp_path, registered("e", AS_OF, []))
    assert not (tmp_path / "system-1.html").exists()
    assert "No AI system is known" in index.read_text(encoding="utf-8")


def test_the_export_has_everything_that_the_pages_have() -> None:
    """An export without obligations is a list of names."""
    days = {AS_OF: [gate(breach())]}
    one = System("m", Kind.MONITORED, gate=gate(breach()), judged=(Check.FAIRNESS,),
                 breaches=open_breaches("m", days, AS_OF))  # fmt: skip
    made = export.document(registered("e", AS_OF, [one]))
    assert made["note"] == NOT_ADVICE
    (row,) = made["systems"]
    assert row["breaches"][0]["stands_since"] == "2026-05-31"
    assert {each["article"] for each in row["obligations"]} >= {"Article 9", "Article 15"}
    assert len(made["evidence"]) == len(Check) + len(OF_RULE)
