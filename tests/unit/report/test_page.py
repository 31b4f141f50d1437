"""The page says what the data say, runs nothing, loads nothing."""

from __future__ import annotations

import dataclasses
import html
import re
import shutil
import subprocess
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import Abstained, FindingKind
from finops_dagster.domain.money import MoneyRange
from finops_dagster.report import ReportData, render_report, spend, summary
from finops_dagster.report.page import render_text, safe_href

VOID = {"meta", "line", "path", "rect", "circle", "wbr", "br", "i"}


class _Balance(HTMLParser):
    """Checks that tags close in order; collects what could load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}:
            self.loads.append(tag)
        self.loads += [name for name in named if name.startswith("on") or name == "src"]
        if named.get("id"):
            self.ids.append(str(named["id"]))
        if tag == "a":
            self.targets.append(str(named.get("href")))
        if tag not in VOID or tag == "i":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return


def parsed(text: str) -> _Balance:
    page = _Balance()
    page.feed(text)
    assert page.open == []
    return page


def visible(text: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<wbr>|<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("name", ["full", "sparse", "empty"])
def test_page_is_whole_and_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    """A page that fetches or runs anything leaks who reads which bill; a broken one hides rows."""
    page = parsed(render_text(request.getfixturevalue(name)))
    assert page.loads == []
    assert len(page.ids) == len(set(page.ids))
    assert {target[1:] for target in page.targets if target.startswith("#")} <= set(page.ids)


def test_hostile_text_stays_text(full: ReportData) -> None:
    """Tags of a bill are written by whoever can write tags."""
    text = render_text(full)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "javascript:" not in text
    turned = dataclasses.replace(full, estate="acme \u202egnp.exe\x00")
    assert "\u202e" not in render_text(turned)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.org/pr/1", True),
        ("audit/index.html", True),
        ("/path/to/repo", True),
        ("javascript:alert(1)", False),
        (" JavaScript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("\x01javascript:alert(1)", False),
        ("data:text/html,x", False),
    ],
)
def test_only_safe_links_are_kept(url: str, kept: bool) -> None:
    """A link of a forge's answer is input like any other."""
    assert bool(safe_href(url)) is kept


def test_figures_are_those_of_the_data(full: ReportData) -> None:
    """A report that adds wrongly is worse than none."""
    text = visible(render_text(full))
    for currency in ("USD", "EUR"):
        rows = full.spend[full.spend["billing_currency"] == currency]
        october = sum(
            (cost for day, cost in zip(rows["charge_date"], rows["effective_cost"], strict=True)
             if day >= date(2026, 10, 1)), Decimal(0)
        )  # fmt: skip
        assert f"{october:,.0f} {currency}" in text
    assert "saves 410 to 560 USD a month, 95 %" in text
    assert "costs 31 to 48 USD a month more, 95 %" in text
    assert "Expensive GPU types need a budget label" in text
    assert "No manifest declares it." in text
    assert "selection ratio of group B to A is 0.71, limit 0.80" in text


def test_budgets_say_how_likely_and_when(full: ReportData, sparse: ReportData) -> None:
    """Whoever answers for a budget asks whether and when, before by how much."""
    shown = visible(render_text(full))
    assert "will exceed on 2026-10-30" in shown
    assert "76 % to be exceeded 80 %: 2026-10-29 or later, or not" in shown
    assert "80 %: 197.00 to 215.00" in shown
    assert "90 days of history are too few to check sums of 9 days on" in shown
    assert "Budgets" not in visible(render_text(sparse))


def test_currencies_are_never_added(full: ReportData) -> None:
    """One total over two currencies is a number of nothing."""
    rows = spend.spend_by_currency(full)
    assert [row.currency for row in rows] == ["USD", "EUR"]
    usd, eur = (row.current.amount.amount for row in rows)
    both = usd + eur
    assert f"{both:,.0f}" not in render_text(full)
    assert all(row.amount.currency == s.currency for s in rows for row in s.teams)


def test_parts_sum_to_the_whole(full: ReportData) -> None:
    """A team that is lost between table and total is a team nobody asks."""
    for one in spend.spend_by_currency(full):
        assert sum(row.amount.amount for row in one.teams) == one.current.amount.amount
        assert sum(row.amount.amount for row in one.services) == one.current.amount.amount


def test_sparse_input_says_why_not(sparse: ReportData) -> None:
    """A first look at one file must tell what is missing, not show blanks."""
    text = visible(render_text(sparse))
    assert "One month only" in text
    assert "22 days of spend; a forecast needs 56." in text
    assert "No telemetry is configured." in text
    assert "so far" in text
    assert "Nothing was opened" in text


def test_empty_input_is_a_page_too(empty: ReportData) -> None:
    """The first run of an estate whose bill has not come yet."""
    assert "No charge has been published" in visible(render_text(empty))


def test_credits_below_zero_are_drawn_and_shown(sparse: ReportData) -> None:
    """A month of refunds clipped at zero hides money."""
    turned = sparse.spend.assign(effective_cost=[-cost for cost in sparse.spend["effective_cost"]])
    text = visible(render_text(dataclasses.replace(sparse, spend=turned)))
    assert re.search(r"-5\d,\d{3} USD spent in Oct 2026", text)


def test_totals_are_of_what_each_finding_adds(full: ReportData) -> None:
    """Stopping a workload and halving it do not save one and a half of it."""

    def money(low: int, mid: int, high: int) -> MoneyRange:
        return MoneyRange(low=Decimal(low), mid=Decimal(mid), high=Decimal(high), currency="USD")

    sized, short, other = full.findings[0], full.findings[4], full.findings[3]
    stop = sized.model_copy(
        update={"kind": FindingKind.IDLE_WORKLOAD, "saving_per_month": money(900, 950, 990)}
    )
    found = [sized, stop, short, other]
    counted = {
        stop.id: stop.saving_per_month,
        short.id: short.saving_per_month,
        other.id: money(50, 60, 70),
    }
    assert summary.waste_total(counted) == {"USD": money(950, 1010, 1060)}
    rows = {row.owner: row for row in summary.waste_by_owner(found, counted)["USD"]}
    assert rows[stop.owner].findings == 2
    assert rows[stop.owner].saving == stop.saving_per_month
    assert rows[other.owner].saving == money(50, 60, 70)
    assert (rows[short.owner].saving, rows[short.owner].cost) == (None, money(31, 40, 48))


def test_reasons_are_grouped_and_complete() -> None:
    """A subject missing from the list of reasons is a silent nothing."""
    given = [Abstained(subject=f"w{n}", reason="a" if n % 3 else "b") for n in range(9)]
    rows = summary.reasons(given)
    assert [row.reason for row in rows] == ["a", "b"]
    assert sorted(s for row in rows for s in row.subjects) == sorted(g.subject for g in given)


def test_same_data_same_bytes(full: ReportData, tmp_path: Path) -> None:
    """A report that differs by nothing but the clock cannot be compared."""
    first = render_report(full, tmp_path / "a").read_bytes()
    assert render_report(full, tmp_path / "b").read_bytes() == first
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "report.html"]


@pytest.mark.browser
def test_a_browser_shows_it_without_complaint(full: ReportData, tmp_path: Path) -> None:
    """What a parser accepts, a browser may still show as nothing."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    page = render_report(full, tmp_path)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={tmp_path / 'profile'}", "--window-size=400,900"]  # fmt: skip
    done = subprocess.run(
        [chromium, *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    assert done.stdout.count('<svg class="chart"') == render_text(full).count('<svg class="chart"')
    assert "Northwind Robotics" in done.stdout
