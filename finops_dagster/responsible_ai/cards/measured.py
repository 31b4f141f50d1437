"""Figures of our own engines by segment, from what a day has kept of their answers.

Whether they are good enough is the gate's to say; nothing is read or written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from finops_dagster.domain.alerts import Alert, Answer, Opinion
from finops_dagster.domain.decisions import Finding, GateResult
from finops_dagster.domain.incidents import Incident
from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.cards.card import CardData, SegmentMetrics

if TYPE_CHECKING:
    import pandas as pd

OURS = "ours"
POOLED = "(pooled)"
"""Row of a backtest that is the mean over series of what has no unit."""
_SCORES = ("mase", "smape", "coverage_80", "coverage_95", "scaled_pinball")
"""Of a backtest, those without a unit: series may be of several currencies."""
_INSTANT = timedelta(microseconds=1)
"""Windows end at midnight, before the day that begins then."""
_One = TypeVar("_One")


def of_backtest(
    backtest: pd.DataFrame | None, rungs: pd.DataFrame | None
) -> tuple[tuple[SegmentMetrics, ...], dict[str, dict[str, float]]]:
    """Scores of our model by series, and of simpler ones over all series.

    `backtest` and `rungs`: as a forecast's; series are SCOPE|CURRENCY|NAME. The currency is told
    where there are several.
    """
    forecast = {} if rungs is None or rungs.empty else _rungs(rungs)
    if backtest is None or "mase" not in backtest:
        return (SegmentMetrics(cases=0, values=forecast),) if forecast else (), {}
    ours = backtest.loc[backtest["model"] == OURS]
    names = [str(one).split("|", 2) for one in ours["unique_id"] if str(one) != POOLED]
    several = len({one[1] for one in names if len(one) == 3}) > 1
    found = []
    for row in ours.to_dict("records"):
        scope, _, rest = str(row["unique_id"]).partition("|")
        currency, _, name = rest.partition("|")
        segment = ALL
        if row["unique_id"] != POOLED:
            segment = f"{scope}={name}" + (f" ({currency})" if several else "")
        scores = _scores(row)
        if segment == ALL:
            scores |= forecast
        if scores:
            found.append(SegmentMetrics(segment=segment, cases=int(row["n"]), values=scores))
    others = backtest.loc[(backtest["model"] != OURS) & (backtest["unique_id"] == POOLED)]
    baselines = {str(row["model"]): _scores(row) for row in others.to_dict("records")}
    return _ordered(found), baselines


def of_incidents(
    incidents: Sequence[Incident],
    alerts: Sequence[Alert],
    anomalies: pd.DataFrame | None,
    abstained: int,
) -> tuple[SegmentMetrics, ...]:
    """What the cost detector found, over all and by team and service; and how often it could not
    judge something."""
    told = {one.incident for one in alerts if one.held is None}
    rows = [] if anomalies is None else anomalies[["team", "service"]].to_dict("records")
    found = []
    attributes: dict[str, Callable[[Incident], str]] = {
        "team": lambda one: one.owner,
        "service": lambda one: one.resource.split("/")[1],
    }
    for segment, mine in _by(incidents, attributes).items():
        attribute, _, group = segment.partition("=")
        count = sum(1 for row in rows if segment == ALL or str(row[attribute]) == group)
        values = {
            "incidents": float(len(mine)),
            "told": float(sum(one.id in told for one in mine)),
            "anomalies": float(count),
        }
        if segment == ALL:
            values["abstained"] = float(abstained)
        found.append(SegmentMetrics(segment=segment, cases=len(mine), values=values))
    return _ordered(found)


def of_alerts(
    alerts: Sequence[Alert], earlier: Iterable[Alert], answers: Iterable[Answer], as_of: date
) -> tuple[SegmentMetrics, ...]:
    """Who was told today, and what became of all that was ever told up to `as_of`, by team.

    Of an incident that was told, its newest answer counts; shares are of incidents.
    """
    said: dict[str, Opinion] = {}
    for answer in sorted(answers, key=lambda one: one.said_at):
        if answer.said_at.date() <= as_of:
            said[answer.incident] = answer.opinion
    before = [one for one in earlier if one.held is None and one.as_of <= as_of]
    today = _by(alerts, {"team": lambda one: one.owner})
    ever = _by([*before, *(one for one in alerts if one.held is None)], {"team": lambda a: a.owner})
    found = []
    for segment in {**today, **ever}:
        now = today.get(segment, [])
        told = {one.incident for one in ever.get(segment, [])}
        answered = [said[one] for one in told if one in said]
        judged = [one for one in answered if one is not Opinion.ACKNOWLEDGED]
        values = {
            "told": float(sum(one.held is None for one in now)),
            "held": float(sum(one.held is not None for one in now)),
        }
        if told:
            values["answered_share"] = len(answered) / len(told)
        if judged:
            useful = sum(one is Opinion.USEFUL for one in judged)
            values["useful_share"] = useful / len(judged)
        found.append(SegmentMetrics(segment=segment, cases=len(told), values=values))
    return _ordered(found)


def of_telemetry(
    found: pd.DataFrame, series: int, points: int, not_judged: int
) -> tuple[SegmentMetrics, ...]:
    """What the telemetry detector found, over all and by team; `found` has class and owner."""
    rows = found[["class", "owner"]].to_dict("records")
    watched = series + not_judged
    made = []
    for segment, mine in _by(rows, {"team": lambda row: str(row["owner"])}).items():
        classes = [row["class"] for row in mine]
        values = {name: float(classes.count(name)) for name in ("novel", "far")}
        if segment == ALL:
            values |= {"series": float(series), "points": float(points)}
            if watched:
                values["not_judged_share"] = not_judged / watched
        cases = watched if segment == ALL else len(mine)
        made.append(SegmentMetrics(segment=segment, cases=cases, values=values))
    return _ordered(made)


def of_findings(findings: Sequence[Finding]) -> tuple[SegmentMetrics, ...]:
    """What a family of rules found, over all and by team and environment."""
    made = []
    for segment, mine in _by(
        findings, {"team": lambda one: one.owner, "environment": lambda one: one.environment}
    ).items():
        values = {"findings": float(len(mine))}
        if mine:
            values |= {
                "editable_share": sum(bool(one.proposed) for one in mine) / len(mine),
                "confidence": sum(one.confidence for one in mine) / len(mine),
                "risk": sum(one.risk for one in mine) / len(mine),
            }
        made.append(SegmentMetrics(segment=segment, cases=len(mine), values=values))
    return _ordered(made)


def of_gates(gates: Sequence[GateResult], owners: Mapping[str, str]) -> tuple[SegmentMetrics, ...]:
    """What the judging of models said, over all and by the team that owns them."""
    made = []
    for segment, mine in _by(gates, {"team": lambda one: owners.get(one.gate, "")}).items():
        values = {
            "models": float(len(mine)),
            "warned": float(sum(one.result == "warn" for one in mine)),
            "failed": float(sum(one.result == "fail" for one in mine)),
        }
        made.append(SegmentMetrics(segment=segment, cases=len(mine), values=values))
    return _ordered(made)


def data_of(findings: Sequence[Finding], hash_: str) -> CardData:
    """The window that a family's findings rest on: from the first to the last of theirs."""
    if not findings:
        return CardData(hash=hash_)
    return CardData(
        first=min(one.evidence.window_start for one in findings).date(),
        last=(max(one.evidence.window_end for one in findings) - _INSTANT).date(),
        rows=sum(one.evidence.samples for one in findings),
        hash=hash_,
    )


def _rungs(rungs: pd.DataFrame) -> dict[str, float]:
    return {
        "forecast": float(len(rungs)),
        "simpler_share": float((rungs["rung"] != "pooled").mean()),
    }


def _scores(row: Mapping[Any, Any]) -> dict[str, float]:
    found = {}
    for name in _SCORES:
        value = row.get(name)
        if isinstance(value, int | float) and value == value:  # NaN: not measured
            found[name] = float(value)
    return found


def _by(
    items: Iterable[_One], attributes: Mapping[str, Callable[[_One], str]]
) -> dict[str, list[_One]]:
    """ALL, and ATTRIBUTE=GROUP of each attribute, with their items; a group without a name is
    `unknown`."""
    found: dict[str, list[_One]] = defaultdict(list, {ALL: []})
    for one in items:
        found[ALL].append(one)
        for attribute, of in attributes.items():
            found[f"{attribute}={of(one) or 'unknown'}"].append(one)
    return dict(found)


def _ordered(found: Iterable[SegmentMetrics]) -> tuple[SegmentMetrics, ...]:
    """ALL first, then teams, then other attributes; groups by name."""
    return tuple(
        sorted(
            found,
            key=lambda one: (one.segment != ALL, one.segment[:5] != "team=", one.segment),
        )
    )
