"""The page of an incident answers what people ask of it, and its text stays text."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from finops_dagster.domain.alerts import Alert, Held
from finops_dagster.domain.changes import By, Change, Commit, FieldChange
from finops_dagster.domain.incidents import Channel, Effects, Explained, Incident, Part
from finops_dagster.domain.money import Money, MoneyRange
from finops_dagster.report import render_plot_course
from finops_dagster.report.charts import course_chart
from finops_dagster.report.incidents import Course, IncidentPage, place, write_incident
from tests.builders import incident
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.test_page import parsed, visible

SINCE = date(2026, 10, 18)
DAYS = tuple(SINCE - timedelta(days=n) for n in range(9, -5, -1))


def alert(one: Incident, held: Held | None = None, because: str = "") -> Alert:
    return Alert(
        incident=one.id, owner=one.owner, parts=(), severity=one.severity, held=held,
        because=because, as_of=one.as_of,
    )  # fmt: skip


def course(part: Part) -> Course:
    usual = tuple(None if day < SINCE else 10.0 for day in DAYS)
    cost = tuple(10.0 if day < SINCE else 35.0 for day in DAYS)
    return Course(part, DAYS, cost, usual)


def page(folder: Path, one: Incident, held: Held | None = None, because: str = "") -> str:
    courses = [course(part) for part in one.dimensions]
    made = IncidentPage("estate", one, alert(one, held, because), courses)
    path = write_incident(made, folder)
    assert path == folder / place(one)
    return path.read_text("utf-8")


def test_it_says_what_since_when_how_much_why_whose_and_what_to_do(tmp_path: Path) -> None:
    """Who is called has a minute: a page without one of these is a page to search elsewhere."""
    one = incident(
        amount="100",
        ongoing=True,
        saving_per_month=MoneyRange(
            low=Decimal(700), mid=Decimal(760), high=Decimal(820), currency="USD"
        ),
        effects=Effects(price=Decimal(-5), quantity=Decimal(90), mix=Decimal(15)),
        what_to_do="Look for what was deployed.",
        by_month_end=Money(amount=Decimal(425), currency="USD"),
    )
    text = page(tmp_path, one)
    parsed(text)
    said = visible(text)
    for answer in (
        "Twice what was expected.",
        "+100 USD beyond what was usual, since 2026-10-18",
        "2026-10-18 and it goes on",
        "760 USD a month if it stays (700 to 820 USD, 95 %)",
        "search owner",
        "Found as a day far from what its level, weekday and day of month make expected",
        "On normal days so much happens in 1.00 % of cases at most.",
        "Low severity: 425 USD by the end of the month",
        "Look for what was deployed.",
        "search is told of it today.",
        "dearer or cheaper units -5.00 USD",
        "more or fewer units +90.00 USD",
        "other units of the same measure +15.00 USD",
        f"finops incident acknowledge {one.id}",
    ):
        assert answer in said, answer


def test_it_says_why_nobody_is_called_and_what_is_not_known(tmp_path: Path) -> None:
    """Silence without its reason looks like a fault of the product."""
    one = incident(effects_unknown="quantities of 1234/compute/search are not known")
    said = visible(page(tmp_path, one, Held.COOLING_OFF, "told on 2026-10-25"))
    assert "Nobody was called: told on 2026-10-25." in said
    assert "cannot be told apart: quantities of 1234/compute/search are not known." in said
    assert "a month if it stays" not in said


def test_what_nobody_owns_is_said_to_be_nobodys(tmp_path: Path) -> None:
    """An untagged service has no team to call, and must not look as if it had."""
    said = visible(page(tmp_path, incident(team="(untagged)", kind=Channel.NEW)))
    assert "compute of nobody" in said
    assert "No team owns it" in said
    assert "in 1.00 % of cases" not in said


def test_names_from_bills_stay_text(tmp_path: Path) -> None:
    """Whoever may write a tag must not write the page."""
    text = page(tmp_path, incident(service=HOSTILE, team=HOSTILE, cause=HOSTILE))
    assert parsed(text).loads == []
    assert "<script" not in text


def test_where_a_page_lies_is_no_text_of_a_bill() -> None:
    """A service called ../../x must not choose the file."""
    assert place(incident(service="../../x")).count("/") == 1
    assert ".." not in place(incident(service="../../x"))


def test_the_day_it_began_is_drawn_where_it_is() -> None:
    """A mark on another day sends people to the wrong deployment."""
    drawn = course_chart(DAYS, [1.0] * 14, [None] * 14, DAYS[0], "t")
    assert 'class="mark" x1="56.0"' in drawn
    outside = course_chart(DAYS, [1.0] * 14, [None] * 14, DAYS[0] - timedelta(days=1), "t")
    assert "mark" not in outside
    assert course_chart((), (), (), SINCE, "t") == ""


def test_its_plot_is_a_picture() -> None:
    """The asset's page shows it beside the table."""
    one = incident(service="$HOME_$x^2$")
    assert render_plot_course(course(one.dimensions[0]), one).startswith(b"\x89PNG")


def test_one_that_is_explained_names_the_change_and_the_commit(tmp_path: Path) -> None:
    """A rise that somebody merged is looked up in Git by hand unless the page names it."""
    change = Change(
        key="Deployment/shop/web",
        by=By.GIT,
        fields=(FieldChange(field="spec.replicas", before="2", after="4"),),
        commits=(Commit(sha="a" * 40, on=SINCE, subject=HOSTILE),),
    )
    explained = Explained(by=(By.GIT,), because="web has 4 replicas", changes=(change,))
    text = page(tmp_path, incident(explained=explained, what_to_do="Undo it."))
    parsed(text)
    said = visible(text)
    for words in (
        "It was to be expected: web has 4 replicas.",
        "2 to 4",
        "aaaaaaaaaa",
        "If it was not meant",
        "Undo it.",
    ):
        assert words in said
    assert "Deployment/<wbr>shop/<wbr>web" in text
    assert "spec.<wbr>replicas" in text
    assert "<script>" not in text
