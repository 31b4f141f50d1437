"""The end of `finops run`: what was found, for a FinOps lead and for scripts.

It reads what the run has kept; it decides nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import pandas as pd

from finops_dagster.cli.output import console, envelope, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import (
    Abstained,
    Counted,
    Finding,
    GateResult,
    Proposal,
    Verdict,
)
from finops_dagster.domain.incidents import Incident
from finops_dagster.domain.money import Money, MoneyRange, to_decimal
from finops_dagster.report.format import money, money_brief, money_range, seconds, size, words
from finops_dagster.runner import Outcome
from finops_dagster.settings import Settings
from finops_dagster.storage.days import DayStore

_RESULTS = ("pass", "warn", "fail")
_REASONS_SHOWN = 5
_ACTIONS = ("opened", "updated", "closed", "unchanged", "deferred", "withheld", "automerged")
_TOLD = ("opened", "updated", "closed", "automerged")
"""Kinds of actions that change something, each told by itself."""


def document(settings: Settings, outcome: Outcome) -> dict[str, Any]:
    """The promised JSON answer of `finops run`."""
    estate = Estate(settings)
    day = estate.decided(outcome.as_of) if outcome.exit_code == 0 else None
    chosen = (day.document("publication") or {}) if day else {}
    verdicts = day.items("verdicts", Verdict) if day else []
    actions = (day.document("actions") or {}) if day else {}
    abstained = [
        one
        for name in ("forecasts", "incidents", "findings", "models", "proposals", "change_sets")
        for one in (day.items(f"{name}_abstained", Abstained) if day else [])
    ]
    return envelope(
        "run",
        [asdict(stage) for stage in outcome.stages],
        as_of=outcome.as_of,
        run_id=outcome.run_id,
        abstained=abstained,
        errors=outcome.faults,
        publication_id=chosen.get("publication_id"),
        verdicts=dict(Counter(v.decision.value for v in verdicts)),
        acted=actions.get("acted", False),
        seconds=round(outcome.seconds, 3),
        stopped=outcome.stopped or None,
        **{name: len(actions.get(name, [])) for name in _ACTIONS},
        tripped=[trip["scope"] for trip in actions.get("trips", [])],
    )


def show(settings: Settings, outcome: Outcome) -> None:
    """Print what a person wants to know after a run."""
    out = console()
    estate = Estate(settings)
    if outcome.stopped:
        out.print(f"\n{outcome.stopped}", markup=False)
        return
    day = estate.day(outcome.as_of)
    out.print(f"\n{settings.estate}, decided for {outcome.as_of}", style="bold", markup=False)
    _age(estate, outcome.as_of)
    _spend(day, outcome.as_of)
    _gates(day)
    _incidents(day)
    _findings(day)
    _proposals(day)
    _not_judged(day)
    _actions(day)
    report = estate.report_folder(outcome.as_of) / "report.html"
    out.print(f"\nReport: {report}", markup=False, soft_wrap=True)
    out.print(
        "`make ui` (or `finops ui`) shows every step in Dagster: its data, checks, plots and "
        "history.",
        markup=False,
    )
    _times(outcome)


def _age(estate: Estate, as_of: date) -> None:
    """Say that the newest bill is old, and how to decide for its own day instead."""
    known = [one.delivery.known_at for one in estate.lake.records("charges") if not one.set_faults]
    if not known:
        return
    newest = max(known).date() - timedelta(days=1)
    days = (as_of - newest).days
    if days > estate.settings.limits.publication_age_days:
        console().print(
            f"The newest bill ends {days} days before that. To see it as it was then: the same "
            f"command with --as-of {newest}",
            style="yellow",
            markup=False,
        )


def _spend(day: DayStore, as_of: date) -> None:
    series, ahead = day.frame("cost_series"), day.frame("forecasts")
    if series is None:
        return
    month = pd.Timestamp(as_of.replace(day=1))
    rows = []
    for unique_id, one in series.loc[series["scope"] == "total"].groupby("unique_id"):
        currency = str(one["currency"].iloc[0])
        spent = float(one.loc[one["ds"] >= month, "y"].sum())
        last = one.loc[
            (one["ds"] < month) & (one["ds"] >= month - pd.DateOffset(months=1)), "y"
        ].sum()
        expected = "not judged"
        if ahead is not None and not ahead.empty:
            mine = ahead.loc[ahead["unique_id"] == unique_id]
            if not mine.empty:
                expected = f"{_brief(mine['mean'].sum(), currency)} in {len(mine)} days"
        rows.append((currency, _brief(last, currency), _brief(spent, currency), expected))
    print_table(
        "Usage at effective cost", ("currency", "last month", "this month", "forecast"), rows
    )


def _brief(value: float, currency: str) -> str:
    return money_brief(Money(amount=to_decimal(float(value), 4), currency=currency))


def _gates(day: DayStore) -> None:
    out = console()
    for stage, name in (("landing", "gates_landing"), ("audit", "gates_audit"), ("AI", "gates")):
        gates = day.items(name, GateResult)
        counts: Counter[str] = Counter(gate.result for gate in gates)
        told = ", ".join(f"{counts[result]} {result}" for result in _RESULTS if counts[result])
        out.print(f"Gates, {stage}: {told or 'none'}", style="bold", markup=False)
        for gate in gates:
            if gate.result != "pass":
                why = "; ".join(gate.reasons[:2])
                out.print(f"  {gate.result}: {gate.gate}: {why}", markup=False)


def _incidents(day: DayStore) -> None:
    incidents = day.items("incidents", Incident)
    print_table(
        "Cost incidents",
        ("since", "where", "money", "cause"),
        [(one.since, one.resource, money(one.money), one.cause) for one in incidents[:8]],
    )


def _findings(day: DayStore) -> None:
    counted = {one.finding_id: one for one in day.items("findings_counted", Counted)}
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for one in day.items("findings", Finding):
        kinds.setdefault((one.kind.value, one.saving_per_month.currency), []).append(one)
    print_table(
        "Findings",
        ("kind", "findings", "saving per month beside the others, 95 %"),
        [
            (words(kind), len(found), money_range(_sum(added)) if added else "–")
            for (kind, _), found in sorted(kinds.items())
            for added in [[counted[f.id].saving_per_month for f in found if f.id in counted]]
        ],
    )


def _sum(ranges: list[MoneyRange]) -> MoneyRange:
    """Ends added up: as wide as it could be, since errors of one kind go together."""
    zero = ranges[0].mid * 0
    return MoneyRange(
        low=sum((r.low for r in ranges), zero),
        mid=sum((r.mid for r in ranges), zero),
        high=sum((r.high for r in ranges), zero),
        currency=ranges[0].currency,
    )


def _proposals(day: DayStore) -> None:
    proposals = {one.id: one for one in day.items("proposals", Proposal)}
    rows = []
    groups: dict[tuple[str, str], list[MoneyRange]] = {}
    for verdict in day.items("verdicts", Verdict):
        saving = proposals[verdict.subject].saving_per_month
        groups.setdefault((verdict.decision.value, saving.currency), []).append(saving)
    for (decision, _), savings in sorted(groups.items()):
        rows.append((words(decision), len(savings), money_range(_sum(savings))))
    print_table("Proposals by verdict", ("verdict", "proposals", "saving per month, 95 %"), rows)


def _not_judged(day: DayStore) -> None:
    """How much was not judged or not proposed, by reason, the commonest first."""
    reasons = Counter(
        one.reason
        for name in ("forecasts", "incidents", "findings", "models", "proposals")
        for one in day.items(f"{name}_abstained", Abstained)
    )
    shown = [(count, reason) for reason, count in reasons.most_common(_REASONS_SHOWN)]
    if len(reasons) > _REASONS_SHOWN:
        rest = sum(reasons.values()) - sum(count for count, _ in shown)
        shown.append((rest, "other reasons: see the report"))
    print_table("Not judged or not proposed", ("times", "reason"), shown)


def _actions(day: DayStore) -> None:
    actions = day.document("actions") or {}
    if not actions:
        return
    counts = ", ".join(f"{len(actions.get(name, []))} {name}" for name in _ACTIONS)
    out = console()
    lead = "Pull requests" if actions["acted"] else "Pull requests (dry run, nothing was done)"
    out.print(f"\n{lead}: {counts}", style="bold", markup=False)
    for name in _TOLD:
        for item in actions.get(name, []):
            out.print(f"  {name}: {item['title']}  {item['url']}", markup=False, soft_wrap=True)
    for trip in actions.get("trips", []):
        stopped = f"  stopped: {trip['scope']}: {trip['reason']} `finops breaker` tells more."
        out.print(stopped, style="yellow", markup=False)
    for note in actions.get("notes", []):
        out.print(f"  {note}", style="yellow", markup=False)
    if actions["acted"] and not any(actions.get(name) for name in _TOLD):
        text = "  Nothing was opened, updated or closed: what is wanted is open already or settled"
        reasons = Counter(item["reason"] for item in actions["deferred"])
        waiting = "".join(f"; {count} wait: {why}" for why, count in reasons.most_common())
        out.print(f"{text}{waiting}.", markup=False)


def _times(outcome: Outcome) -> None:
    spent = ", ".join(
        f"{stage.stage} {seconds(stage.seconds)}"
        for stage in outcome.stages
        if stage.status != "skipped"
    )
    peak = max(stage.peak_rss_bytes for stage in outcome.stages)
    console().print(
        f"Took {seconds(outcome.seconds)} ({spent}), {size(peak)} at most. Log: {outcome.log}",
        markup=False,
        soft_wrap=True,
    )
