"""Gathers what a day has kept into the data of its report.

How it is laid out and worded is the report's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs import line, rebuild, showback
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.alerting import EXPLAINED
from finops_dagster.defs.insight.forecasted import backtest_rows, named
from finops_dagster.defs.insight.models.registering import write_ai_pages
from finops_dagster.domain.decisions import (
    Abstained,
    Counted,
    Finding,
    GateResult,
    Proposal,
    Verdict,
)
from finops_dagster.domain.incidents import Incident
from finops_dagster.domain.periods import month_start
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.report import (
    BacktestRow,
    FreshnessRow,
    Link,
    ReportData,
    StageGate,
    render_report,
)
from finops_dagster.report import forecasts as forecast_page
from finops_dagster.report import incidents as incident_pages
from finops_dagster.report.data import (
    COVERAGE_COLUMNS,
    FORECAST_COLUMNS,
    RESTATED_COLUMNS,
    SPEND_COLUMNS,
    TOTAL,
)
from finops_dagster.settings import ReportClock
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import or_empty

_RESTATED_SINCE = timedelta(days=31)
"""Restatements told on a page: older ones were told on the pages of their days."""
_ENGINES = (
    "forecasts", "budget_forecasts", "incidents", "telemetry_anomalies",
    "policy_violations", "findings", "models",
)  # fmt: skip
_NOTES = (
    "Forecasts are of usage at effective cost: purchases, taxes, credits and refunds are in the "
    "spend shown, and not forecast.",
)


def report_data(
    estate: Estate, as_of: date, pull_requests: Sequence[PullRequest] = ()
) -> ReportData:
    """Everything the page of `as_of` is made of; `pull_requests`: those that are open by now."""
    day = estate.day(as_of)
    reader = rebuild.reader(estate, as_of)
    chosen = rebuild.chosen_for(estate, as_of)
    by_billing_period = estate.settings.report_clock is ReportClock.BILLING
    spend = facts.spend(reader, as_of, by_billing_period=by_billing_period)
    restated = facts.restatements(reader, estate.cutoff(as_of) - _RESTATED_SINCE)
    coverage = facts.tag_coverage(reader, as_of)
    incidents, explained = (day.items(name, Incident) for name in ("incidents", EXPLAINED))
    return ReportData(
        estate=estate.settings.estate,
        as_of=as_of,
        spend=or_empty(spend, SPEND_COLUMNS),
        publication_id=chosen.get("publication_id", ""),
        published_at=reader.manifest.published_at,
        reconstructed=bool(chosen.get("reconstructed")),
        acting=estate.acts,
        forecast=_forecast(day),
        backtest=_backtest(day),
        budgets=tuple(showback.budgets(reader, day, month_start(as_of))),
        gates=_gates(estate, day, as_of),
        incidents=tuple(incidents),
        explained=tuple(explained),
        incident_pages={one.id: incident_pages.place(one) for one in [*incidents, *explained]},
        telemetry=day.frame("telemetry_anomalies"),
        findings=tuple(day.items("findings", Finding)),
        counted={
            one.finding_id: one.saving_per_month for one in day.items("findings_counted", Counted)
        },
        proposals=tuple(day.items("proposals", Proposal)),
        verdicts={one.subject: one for one in day.items("verdicts", Verdict)},
        pull_requests=tuple(pull_requests),
        not_proposed=tuple(day.items("proposals_abstained", Abstained)),
        abstained=tuple(
            one
            for name in (
                *(f"{table}_late" for table in LANDING_TABLES),
                *(f"{engine}_abstained" for engine in _ENGINES),
            )
            for one in day.items(name, Abstained)
        ),
        coverage=or_empty(coverage, COVERAGE_COLUMNS),
        restated=or_empty(restated, RESTATED_COLUMNS),
        by_billing_period=by_billing_period,
        freshness=_freshness(estate),
        links=_links(estate, as_of),
        forecasts=_page(estate.report_folder(as_of), forecast_page.PAGE, "every series"),
        packs=_packs(estate.report_folder(as_of)),
        notes=(*_NOTES, *_events(day)),
    )


def write_report(estate: Estate, as_of: date, pull_requests: Sequence[PullRequest] = ()) -> Path:
    """Write the page of a day, again once its pull requests are known; returns its path."""
    write_ai_pages(estate, as_of)
    data = report_data(estate, as_of, pull_requests)
    return render_report(data, estate.report_folder(as_of))


def _forecast(day: DayStore) -> pd.DataFrame:
    frame = day.frame("forecasts")
    if frame is None or frame.empty:
        return pd.DataFrame(columns=list(FORECAST_COLUMNS))
    parts = frame["unique_id"].str.split("|", n=2, expand=True)
    frame = frame.assign(
        scope=parts[0],
        currency=parts[1],
        series=parts[2].where(parts[0] != "total", TOTAL),
        date=pd.to_datetime(frame["ds"]).dt.date,
    )
    return frame.loc[frame["scope"] != "service", list(FORECAST_COLUMNS)]


def _events(day: DayStore) -> tuple[str, ...]:
    """Which known events are in the forecast."""
    made = day.frame("forecasts") is not None
    record = (day.document("forecast_record") if made else None) or {}
    told = [f"{one['name']} from {one['from']}" for one in record.get("events", ())]
    return (f"Known events in the forecast: {'; '.join(told)}.",) if told else ()


def _backtest(day: DayStore) -> tuple[BacktestRow, ...]:
    """Of totals and teams: the rest is on the page of forecasts."""
    return tuple(
        row
        for unique_id, rows in backtest_rows(day).items()
        if named(unique_id)[0] in ("total", "team")
        for row in rows
    )


def _gates(estate: Estate, day: DayStore, as_of: date) -> tuple[StageGate, ...]:
    kept = DayStore(estate.layout.insight(estate.settings.decided_day()))
    return tuple(
        StageGate(stage=stage, gate=gate)
        for stage, store, name in (
            ("landing", kept, "gates_landing"),
            ("audit", kept, "gates_audit"),
            ("ai", day, "gates"),
        )
        for gate in store.items(name, GateResult)
    )


def _freshness(estate: Estate) -> tuple[FreshnessRow, ...]:
    rows = []
    for clock in (line.BILLING, line.SIGNALS):
        for table in clock.tables:
            by_source: dict[str, list[Any]] = {}
            for one in estate.lake.records(table):
                by_source.setdefault(one.delivery.source, []).append(one)
            for source in estate.sources(table):
                landed = by_source.get(source.name, [])
                rows.append(
                    FreshnessRow(
                        source=source.name,
                        table=table,
                        rows=sum(one.rows_landed for one in landed),
                        latest=max((one.delivery.known_at for one in landed), default=None),
                        quarantined=sum(one.rows_quarantined for one in landed),
                    )
                )
    return tuple(rows)


def _page(folder: Path, name: str, text: str) -> Link | None:
    return Link(text=text, href=name) if (folder / name).exists() else None


def _packs(folder: Path) -> tuple[Link, ...]:
    pages = sorted(folder.glob("packs/*/index.html"))
    return tuple(
        Link(text=page.parent.name, href=page.relative_to(folder).as_posix()) for page in pages
    )


def _links(estate: Estate, as_of: date) -> tuple[Link, ...]:
    from finops_dagster.responsible_ai.cards.card import FOLDER, INDEX
    from finops_dagster.responsible_ai.governance.pages import FOLDER as AI_FOLDER
    from finops_dagster.responsible_ai.governance.pages import INDEX as AI_INDEX

    folder = estate.report_folder(as_of)
    pages = sorted(folder.glob("audit/*.html"))
    audits = [Link(text=f"audit: {page.stem}", href=f"audit/{page.name}") for page in pages]
    named = estate.day(as_of).document("model_pages") or {}
    cards = _page(folder, f"{FOLDER}/{INDEX}", "model cards of our own engines")
    models = (Link(text=name, href=href) for name, href in named.items())
    register = _page(folder, f"{AI_FOLDER}/{AI_INDEX}", "AI systems")
    return (*(one for one in (register, cards) if one), *audits, *models)
