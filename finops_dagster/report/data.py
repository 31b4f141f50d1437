"""What a report is made of: plain frames and domain types, handed in by the shell.

How it looks is the business of `page`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, GateResult, Proposal, Verdict
from finops_dagster.domain.incidents import Incident
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.report.landing import Landing

SPEND_COLUMNS = ("charge_date", "billing_currency", "team", "service_name", "effective_cost")
FORECAST_COLUMNS = ("currency", "series", "date", "mean", "lo80", "hi80", "lo95", "hi95")
COVERAGE_COLUMNS = ("billing_currency", "tag", "tagged_cost", "untagged_cost", "total_cost")
RESTATED_COLUMNS = (
    "source", "billing_period", "known_at", "before_known_at", "service_name",
    "billing_account_id", "sub_account_id", "billing_currency", "charge_class",
    "billed_difference", "effective_difference",
)  # fmt: skip
TELEMETRY_COLUMNS = (
    "class", "resource", "cluster", "container", "metric", "unit", "owner", "why", "from", "to",
    "began", "value", "expected", "z",
)  # fmt: skip
TOTAL = "total"
"""The `series` of a forecast frame that is the estate's whole spend in a currency."""


@dataclass(frozen=True)
class StageGate:
    """A gate and where in the line it stands: landing, audit or ai."""

    stage: str
    gate: GateResult


@dataclass(frozen=True)
class BacktestRow:
    """How well one forecaster did on days it had not seen; smaller errors are better."""

    series: str
    currency: str
    model: str
    error_share: float
    """Mean absolute error over mean spend, both over the backtest."""
    coverage_80: float | None = None
    coverage_95: float | None = None
    days: int = 0


@dataclass(frozen=True)
class FreshnessRow:
    """How far one source's data reach. `latest` is None where nothing has come."""

    source: str
    table: str
    rows: int
    latest: datetime | None
    quarantined: int = 0
    note: str = ""


@dataclass(frozen=True)
class Link:
    """A page beside the report. `href` is relative to the folder of the report."""

    text: str
    href: str


def _frame(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


@dataclass(frozen=True)
class ReportData:
    """Everything one page is made of. What is empty is said to be empty, with the reason given."""

    estate: str
    as_of: date
    """The day decided for."""
    spend: pd.DataFrame
    """Daily cost, columns SPEND_COLUMNS: charge_date (date), billing_currency, team and
    service_name (text or null), effective_cost (Decimal, in billing_currency). Any grain at or
    below day x team x service; fct_costs_daily as it is will do."""
    run_id: str = ""
    publication_id: str = ""
    published_at: datetime | None = None
    reconstructed: bool = False
    """True when a past day was decided again from rebuilt publications."""
    acting: bool = False
    """True when pull requests were opened, not only listed."""
    forecast: pd.DataFrame = field(default_factory=lambda: _frame(*FORECAST_COLUMNS))
    """Columns FORECAST_COLUMNS, one row per currency, series and day ahead. `series` is TOTAL or a
    team; amounts are floats in `currency`; lo and hi are ends of 80 % and 95 % intervals."""
    backtest: tuple[BacktestRow, ...] = ()
    budgets: tuple[Landing, ...] = ()
    """Of the month that `as_of` is in."""
    gates: tuple[StageGate, ...] = ()
    incidents: tuple[Incident, ...] = ()
    explained: tuple[Incident, ...] = ()
    """Incidents that were to be expected."""
    incident_pages: Mapping[str, str] = field(default_factory=dict)
    """By incident id: the page of it, from the folder of the report."""
    telemetry: pd.DataFrame | None = None
    """Columns TELEMETRY_COLUMNS at least, a row for each thing found: class is far or novel, `from`
    and `to` are times (UTC), value and expected in `unit`. None where nothing was watched."""
    findings: tuple[Finding, ...] = ()
    counted: Mapping[str, MoneyRange] = field(default_factory=dict)
    """By finding id, what it adds where all that go together are acted on; the rest add nothing."""
    proposals: tuple[Proposal, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By proposal id."""
    pull_requests: tuple[PullRequest, ...] = ()
    not_proposed: tuple[Abstained, ...] = ()
    """Findings that did not become proposals or pull requests, each with its reason."""
    abstained: tuple[Abstained, ...] = ()
    """What the engines could not judge, each with its reason."""
    coverage: pd.DataFrame = field(default_factory=lambda: _frame(*COVERAGE_COLUMNS))
    """Columns COVERAGE_COLUMNS, any number of rows per currency and tag; costs are Decimal."""
    restated: pd.DataFrame = field(default_factory=lambda: _frame(*RESTATED_COLUMNS))
    """Columns RESTATED_COLUMNS: what newer deliveries changed of bills whose period was over."""
    by_billing_period: bool = False
    """True where a charge of `spend` is dated in the period that bills it, not by its own day."""
    freshness: tuple[FreshnessRow, ...] = ()
    links: tuple[Link, ...] = ()
    forecasts: Link | None = None
    """The page of every series that is forecast."""
    packs: tuple[Link, ...] = ()
    """Pages that lead to the monthly packs of the teams."""
    notes: tuple[str, ...] = ()
    """Sentences for the top of the page, such as what kept a stage from running."""
