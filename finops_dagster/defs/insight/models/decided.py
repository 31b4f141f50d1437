"""Gathers what was decided in some days, and whom it fell on, as it was known on a day.

What is unfair is responsible_ai's to say. Days decided earlier are read as they were kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources
from finops_dagster.defs.insight.alerting import answers
from finops_dagster.defs.insight.billed import declared_names
from finops_dagster.domain.alerts import Opinion
from finops_dagster.domain.decisions import Abstained, Finding, GateResult, Proposal, Verdict
from finops_dagster.domain.periods import days as days_of
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.responsible_ai.decisions.breaches import gate_of
from finops_dagster.responsible_ai.decisions.facts import (
    LOOK_BACK_DAYS,
    Answered,
    Change,
    DecisionFacts,
    Dimension,
    Forecasted,
    Groups,
    Outcome,
    Resource,
    per_month,
    size_of,
)
from finops_dagster.responsible_ai.decisions.judging import judge_decisions
from finops_dagster.responsible_ai.decisions.page import write_decisions_page
from finops_dagster.responsible_ai.decisions.results import DecisionFairness
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader

_SPEND_DAYS = 30
PAGE = "decisions.html"


@dataclass(frozen=True)
class _Owned:
    """Whose a resource is, as far as that is known."""

    team: str | None
    environment: str | None
    region: str | None
    spend: Mapping[str, Decimal]


def decided_fairness(
    estate: Estate, reader: PublishedReader, as_of: date, *, last: date, days: int = LOOK_BACK_DAYS
) -> DecisionFairness:
    """Whom the decisions of the `days` up to and including `last` fell on, as known on `as_of`."""
    return judge_decisions(_facts(estate, reader, as_of, last - timedelta(days=days - 1), last))


def write_decided(
    estate: Estate, reader: PublishedReader, as_of: date
) -> tuple[GateResult, list[Abstained], Path]:
    """Judge the days before `as_of`, whose own decision is not made yet, and write the page."""
    found = decided_fairness(estate, reader, as_of, last=as_of - timedelta(days=1))
    page = write_decisions_page(estate.report_folder(as_of) / PAGE, found)
    return gate_of(found), list(found.abstained), page


def _facts(
    estate: Estate, reader: PublishedReader, as_of: date, first: date, last: date
) -> DecisionFacts:
    decided = [
        (day, store) for day in days_of(first, last) if (store := estate.decided(day)) is not None
    ]
    cutoff = estate.cutoff(as_of)
    owned = _owned(estate, reader, decided[-1] if decided else None, last)
    proposals = _asked_last(decided)
    cuttable = {
        one.resource
        for _, store in decided
        for one in store.items("findings", Finding)
        if one.saving_per_month.mid > 0
    }
    for proposal, _ in proposals:
        # what was asked of it was judged, whatever the bill calls it
        owned.setdefault(
            proposal.resource,
            _Owned(proposal.owner or None, proposal.environment or None, None, {}),
        )
    groups = _Grouping(owned, _business_units(reader, last))
    outcomes = _outcomes(estate, cutoff)
    return DecisionFacts(
        first=first,
        last=last,
        decided_days=len(decided),
        resources=tuple(
            Resource(
                name=name,
                groups=groups.of(one.team, one.environment, one.region),
                spend_per_month={
                    currency: per_month(amount, _SPEND_DAYS)
                    for currency, amount in one.spend.items()
                },
                found=name in cuttable,
            )
            for name, one in owned.items()
        ),
        changes=tuple(
            Change(
                resource=one.resource,
                groups=groups.of_resource(one.resource),
                currency=one.saving_per_month.currency,
                saving_per_month=one.saving_per_month.mid,
                decision=verdict.decision if verdict is not None else None,
                outcome=outcomes.get(one.change_key, Outcome.NONE),
            )
            for one, verdict in proposals
        ),
        answered=tuple(_answered(estate, groups, first, cutoff)),
        forecasted=tuple(_forecasted(decided[-1][1], groups)) if decided else (),
    )


class _Grouping:
    """Groups by team, environment and region; the size of a team is how much of it is judged."""

    def __init__(self, owned: Mapping[str, _Owned], units: Mapping[str, str]) -> None:
        self._units = units
        self._owned = owned
        self._sizes: Counter[str | None] = Counter(one.team for one in owned.values() if one.team)

    def of_resource(self, name: str) -> Groups:
        one = self._owned[name]
        return self.of(one.team, one.environment, one.region)

    def of(
        self, team: str | None, environment: str | None = None, region: str | None = None
    ) -> Groups:
        known = {
            Dimension.TEAM: team,
            Dimension.BUSINESS_UNIT: self._units.get(team or ""),
            Dimension.TEAM_SIZE: size_of(self._sizes[team]) if team in self._sizes else None,
            Dimension.REGION: region,
            Dimension.ENVIRONMENT: environment,
        }
        return {dimension: group for dimension, group in known.items() if group}


def _owned(
    estate: Estate, reader: PublishedReader, newest: tuple[date, DayStore] | None, last: date
) -> dict[str, _Owned]:
    """Every resource that is billed, and declared where anything is, and whose it is.

    What its declaration says goes before its bill.
    """
    since = last - timedelta(days=_SPEND_DAYS - 1)
    rows = reader.records(
        "fct_costs_daily",
        f"""
        select
            resource,
            coalesce(sub_account_id, billing_account_id) as account,
            resource_id,
            billing_currency as currency,
            sum(effective_cost) as cost,
            arg_max(team, charge_date) as team,
            arg_max(environment, charge_date) as environment,
            arg_max(region_id, charge_date) as region
        from mart
        where (resource is not null or resource_id is not null)
            and charge_date between date '{since.isoformat()}' and date '{last.isoformat()}'
        group by all
        order by all
        """,
        first=since,
        last=last,
    )
    names = declared_names(resources.reader(estate, newest[0]), newest[0]) if newest else {}
    frame = newest[1].frame("declared_resources") if newest else None
    declared = {} if frame is None else {row["resource"]: row for row in frame.to_dict("records")}
    found: dict[str, _Owned] = {}
    for row in rows:
        name = row["resource"] or names.get((str(row["account"]), str(row["resource_id"])))
        if name is None or (declared and name not in declared):
            continue
        said = declared.get(name, {})
        before = found.get(name, _Owned(None, None, None, {}))
        spend = dict(before.spend)
        currency = str(row["currency"])
        spend[currency] = spend.get(currency, Decimal(0)) + row["cost"]
        found[str(name)] = _Owned(
            team=_text(said.get("owner")) or _text(row["team"]) or before.team,
            environment=_text(said.get("environment"))
            or _text(row["environment"])
            or before.environment,
            region=_text(said.get("region")) or _text(row["region"]) or before.region,
            spend=spend,
        )
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _business_units(reader: PublishedReader, last: date) -> dict[str, str]:
    """Team -> the business unit that it is in."""
    rows = reader.records(
        "dim_teams",
        f"""
        select team, arg_max(business_unit, valid_until) as business_unit
        from mart
        where valid_from <= date '{last.isoformat()}' and business_unit is not null
        group by team order by team
        """,
        first=(last - timedelta(days=_SPEND_DAYS)).replace(day=1),
        last=last,
    )
    return {str(row["team"]): str(row["business_unit"]) for row in rows}


def _asked_last(
    decided: Sequence[tuple[date, DayStore]],
) -> list[tuple[Proposal, Verdict | None]]:
    """Each change once, as it was proposed last, with what policy said of it then."""
    newest: dict[str, tuple[Proposal, Verdict | None]] = {}
    for _, store in decided:
        said = {one.subject: one for one in store.items("verdicts", Verdict)}
        for one in store.items("proposals", Proposal):
            newest[one.change_key] = one, said.get(one.id)
    return [newest[key] for key in sorted(newest)]


def _outcomes(estate: Estate, cutoff: datetime) -> dict[str, Outcome]:
    """Change -> what had become of it by `cutoff`, by the ledger; the newest pull request tells."""
    pulls: dict[int, PullRequest] = {}
    for entry in estate.ledger.entries("pull_request"):
        one = PullRequest.model_validate(entry.payload)
        pulls[one.number] = one
    set_back = {
        str(entry.payload["number"])
        for entry in estate.ledger.entries("human_decision")
        if entry.payload["what"] == "set_back"
        and entry.payload["when"] is not None
        and datetime.fromisoformat(entry.payload["when"]) <= cutoff
    }
    found: dict[str, Outcome] = {}
    for number in sorted(pulls):
        one = pulls[number]
        if one.opened_at is not None and one.opened_at > cutoff:
            continue
        outcome = _outcome(one, cutoff)
        if outcome is Outcome.MERGED and str(number) in set_back:
            outcome = Outcome.REVERTED
        for key in [member.key for member in one.members] or [one.key]:
            found[key] = outcome
    return found


def _outcome(one: PullRequest, cutoff: datetime) -> Outcome:
    if one.ended_at is not None and one.ended_at > cutoff:
        return Outcome.OPEN
    return {
        PullRequestState.MERGED: Outcome.MERGED,
        PullRequestState.REJECTED: Outcome.REJECTED,
        PullRequestState.REVERTED: Outcome.REVERTED,
        PullRequestState.SUPERSEDED: Outcome.NONE,
    }.get(one.state, Outcome.OPEN)


def _answered(
    estate: Estate, groups: _Grouping, first: date, cutoff: datetime
) -> Iterator[Answered]:
    """The last word on each incident whose word was useful or noise, by the team it fell on."""
    last = {
        one.incident: one
        for one in answers(estate)
        if one.opinion is not Opinion.ACKNOWLEDGED
        and first <= one.said_at.date()
        and one.said_at <= cutoff
    }
    for one in last.values():
        team = one.parts[0][2] if one.parts and len(one.parts[0]) > 2 else ""
        yield Answered(groups.of(team or None), one.opinion is Opinion.NOISE)


def _forecasted(store: DayStore, groups: _Grouping) -> Iterator[Forecasted]:
    """The error of each team's own series; of one in several currencies, each."""
    frame = store.frame("forecast_backtest")
    if frame is None or not {"unique_id", "model", "mase"} <= set(frame.columns):
        return
    for name, model, error in frame[["unique_id", "model", "mase"]].itertuples(index=False):
        scope, _, rest = str(name).partition("|")
        if scope == "team" and model == "ours" and error == error:
            team = rest.partition("|")[2]
            yield Forecasted(team, groups.of(team), float(error))
