"""One decided day as one static HTML page: no script, no network, light and dark, prints.

What is on it is added up in `summary`; text from bills and tags is escaped here, all of it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from finops_dagster.domain.decisions import Decision
from finops_dagster.report import charts, format, restated, summary, telemetry
from finops_dagster.report import spend as spending
from finops_dagster.report.data import ReportData, StageGate
from finops_dagster.report.landing import STATES

FILE_NAME = "report.html"

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
"""Control, zero-width and direction-changing characters: they make text look like other text."""

STAGES = {
    "landing": "Landing: is what arrived whole and readable?",
    "audit": "Audit: may the marts be published?",
    "ai": "AI: are forecasts and monitored models still to be trusted?",
}

VERDICTS = {
    Decision.ALLOW: ("Allowed", "Policy lets these become pull requests."),
    Decision.NEEDS_APPROVAL: ("Need approval", "A person has to agree before they are merged."),
    Decision.DENY: ("Denied", "Policy forbids these; nothing is opened."),
    None: ("Not judged", "Policy was not asked, or could not be evaluated: nothing is opened."),
}


def render_report(data: ReportData, out_dir: Path) -> Path:
    """Write `report.html` into `out_dir`, atomically, and return its path.

    The same data give the same bytes. Sections without data say so.
    """
    return written(out_dir / FILE_NAME, render_text(data))


def written(target: Path, text: str) -> Path:
    """Write a file of UTF-8 text, atomically, and return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".report-")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def render_text(data: ReportData) -> str:
    """The page as text."""
    return rendered("page.html.j2", _view(data))


def rendered(template: str, view: Mapping[str, Any]) -> str:
    """A page of this package's templates, whatever text is put into it escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("finops_dagster.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    for name in ("money", "money_brief", "money_range", "money_middle", "saving", "carbon",
                 "count", "words", "chance", "when", "month", "quantity", "amount"):  # fmt: skip
        environment.filters[name] = getattr(format, name)
    environment.filters["share"] = _share
    environment.filters["change"] = _change
    environment.filters["href"] = safe_href
    environment.filters["breakable"] = breakable
    return environment.get_template(template).render(**view)


def visible(value: Any) -> Any:
    """Text with every invisible character replaced by a visible one."""
    if type(value) is str:  # markup made here is left as it is
        return _INVISIBLE.sub("\ufffd", value)
    return value


def safe_href(url: str) -> str:
    """`url` if a browser may follow it: http, https or relative; else nothing."""
    scheme = re.match(r"\s*([^/?#:]*):", url)
    return url if scheme is None or scheme.group(1).lower() in ("http", "https") else ""


def _share(part: float, digits: int = 0) -> str:
    return format.share(part, digits).replace(" %", "\u00a0%")


def _change(part: float) -> str:
    return format.change(part).replace(" %", "\u00a0%")


def breakable(text: str) -> Markup:
    """`text` escaped, with places to break a line after dots, slashes and brackets."""
    return Markup(re.sub(r"([./\]])", r"\1<wbr>", str(escape(visible(text)))))


def _view(data: ReportData) -> dict[str, Any]:
    spend = spending.spend_by_currency(data)
    findings = summary.by_currency(data.findings, [one.currency for one in spend])
    return {
        "data": data,
        "spend": spend,
        "month_charts": {s.currency: _month_chart(s) for s in spend},
        "spend_charts": {s.currency: _spend_chart(s) for s in spend},
        "team_charts": {
            s.currency: [(row, _team_chart(row, s.currency)) for row in s.team_series]
            for s in spend
        },
        "findings": data.findings,
        "findings_by_currency": findings,
        "waste": summary.waste_total(data.counted),
        "waste_by_owner": summary.waste_by_owner(data.findings, data.counted),
        "judged": summary.judged(data.proposals, data.verdicts, data.pull_requests),
        "verdict_words": VERDICTS,
        "gates": _gates(data.gates),
        "not_proposed": summary.reasons(data.not_proposed),
        "abstained": summary.reasons(data.abstained),
        "no_forecast": [one for one in data.abstained if "forecast" in one.subject.lower()],
        "coverage": summary.coverage(data),
        "restated": restated.restatements(data),
        "telemetry": telemetry.telemetry(data),
        "chart_days": spending.CHART_DAYS,
        "budgets": [(None, one) for one in data.budgets],
        "states": STATES,
    }


@dataclass(frozen=True)
class _Stage:
    """The gates of one stage: those with something to say, and those that passed in silence."""

    spoke: tuple[StageGate, ...]
    silent: tuple[StageGate, ...]


def _gates(gates: tuple[StageGate, ...]) -> dict[str, _Stage]:
    """By stage, in the order of the line; within one, what failed first."""
    order = {"fail": 0, "warn": 1, "pass": 2}
    ranked = sorted(gates, key=lambda one: (order[one.gate.result], one.gate.gate))
    stages = [*STAGES, *sorted({one.stage for one in gates} - set(STAGES))]
    found = {}
    for stage in stages:
        rows = [one for one in ranked if one.stage == stage]
        silent = [one for one in rows if one.gate.result == "pass" and not one.gate.reasons]
        spoke = [one for one in rows if one not in silent]
        if rows:
            found[STAGES.get(stage, format.words(stage))] = _Stage(tuple(spoke), tuple(silent))
    return found


def _month_chart(spend: spending.CurrencySpend) -> Any:
    rows = [(row.first, float(row.amount.amount), row.whole) for row in spend.months]
    return charts.month_chart(rows, f"Spend by month in {spend.currency}")


def _spend_chart(spend: spending.CurrencySpend) -> Any:
    title = f"Daily spend in {spend.currency}, all teams"
    if spend.total.forecast:
        title += f", and forecast for {len(spend.total.forecast)} days"
    return charts.spend_chart(spend.total.history, spend.total.forecast, title)


def _team_chart(row: spending.SeriesRow, currency: str) -> Any:
    title = f"Daily spend of {visible(row.name)} in {currency}, with forecast"
    return charts.spend_chart(row.history, row.forecast, title, charts.SMALL)
