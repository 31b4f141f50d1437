"""What a day knows of every declared, billed and measured resource, for policy to judge.

Reading and naming only; what breaks a rule is said in `policy`, and how long in `domain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources, running
from finops_dagster.defs.insight.bills import Bill, Match, bills_of, matched
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.violations import (
    Seen,
    StandingViolation,
    Turned,
    Violation,
    ViolationTurn,
    first_days,
    turns,
)
from finops_dagster.policy.violations import (
    ASKABLE,
    Judged,
    Judging,
    Known,
    declared_all,
    undeclared,
)
from finops_dagster.storage.publication import PublishedReader

KIND = "policy_violation"
"""Of the ledger's entries."""


@dataclass(frozen=True)
class Looked:
    """The resources of a day, what is billed for them, and what was not looked at."""

    subjects: list[Known]
    bills: Mapping[str, Bill]
    abstained: list[Abstained]
    unseen: frozenset[Seen]
    """Ways of knowing resources that this day has not: nothing of theirs has ended."""


def look(estate: Estate, as_of: date) -> Looked:
    """Every declared, billed and measured resource of a day, each once."""
    index = estate.index(as_of)
    declared = index.resources() if index is not None else {}
    joined = resources.reader(estate, as_of)
    reader = rebuild.reader(estate, as_of)
    days = estate.settings.matching.cost_days
    matches = None if joined is None else matched(joined, reader, as_of, days)
    bills = {} if matches is None else bills_of(matches)
    abstained: list[Abstained] = []
    unseen: set[Seen] = set()
    if index is None:
        unseen.add(Seen.DECLARED)
        abstained.append(
            Abstained(subject="declared resources", reason="no desired state is known")
        )
    if matches is None:
        unseen |= {Seen.BILLED, Seen.MEASURED}
        reason = "what is billed and measured was not joined for this day"
        abstained.append(Abstained(subject="billed and measured resources", reason=reason))
    subjects, unread = declared_all(
        declared, lambda name: bills[name].owner if name in bills else ""
    )
    abstained += unread
    for one in (
        *_billed(reader, as_of, matches, bills, days),
        *_measured(reader, joined, as_of, bills, estate.settings.matching.measured_days),
    ):
        if isinstance(one, Abstained):
            abstained.append(one)
        else:
            subjects.append(one)
    return Looked(subjects, bills, abstained, frozenset(unseen))


def judge(estate: Estate, looked: Looked) -> Judged:
    """Violations of a day, and what could not be judged beside what could not be looked at."""
    judged = Judging(estate.judge).judge(looked.subjects)
    return Judged(judged.violations, [*looked.abstained, *judged.abstained])


def stand(
    estate: Estate, as_of: date, looked: Looked, judged: Judged
) -> tuple[list[StandingViolation], list[ViolationTurn]]:
    """The day's violations with age and money, and what is new of them for the ledger."""
    before = recorded(estate)
    since = first_days(before, as_of)
    unjudged = frozenset(one.subject for one in judged.abstained) | {
        turn.violation.resource for turn in before if turn.violation.seen in looked.unseen
    }
    standing = [
        StandingViolation(
            violation=one,
            first_day=since.get(one.key, as_of),
            age_days=(as_of - since.get(one.key, as_of)).days,
            cost_per_month=(
                looked.bills[one.resource].cost_per_month if one.resource in looked.bills else ()
            ),
        )
        for one in judged.violations
    ]
    return standing, turns(before, judged.violations, unjudged, as_of)


def recorded(estate: Estate) -> list[ViolationTurn]:
    """The ledger's entries of violations, in their order."""
    return [ViolationTurn.model_validate(entry.payload) for entry in estate.ledger.entries(KIND)]


def counts(violations: list[Violation]) -> list[dict[str, Any]]:
    """How many resources break each rule, the most first."""
    found: dict[str, list[Violation]] = {}
    for one in violations:
        found.setdefault(one.rule_id, []).append(one)
    return [
        {"rule": id_, "title": rows[0].title, "resources": len(rows)}
        for id_, rows in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def turned_counts(turned: list[ViolationTurn]) -> dict[str, int]:
    """How many appeared, changed and ended."""
    return {one.value: sum(turn.turned is one for turn in turned) for one in Turned}


def _billed(
    reader: PublishedReader,
    as_of: date,
    matches: list[Match] | None,
    bills: Mapping[str, Bill],
    days: int,
) -> Iterator[Known | Abstained]:
    """What a bill names and nobody declares, workloads aside: its tags, region and type."""
    if matches is None:
        return
    rows = [row for row in matches if row["declared"] is None and row["workload"] is None]
    if not rows:
        return
    tags = _tags(reader, as_of, days)
    tagged = any(tags.values())
    seen: set[str] = set()
    for row in rows:
        name = row["resource"]
        if name in seen:
            continue
        seen.add(name)
        if row["rule"] is not None:
            yield Abstained(subject=name, reason=f"may be declared, or not: {row['reason']}")
            continue
        provider = {"region": row["region_id"], "instanceType": row["resource_type"]}
        told = {key: value for key, value in provider.items() if value}
        own = tags.get((str(row["account"]), str(row["resource_id"])), {})
        topics = {
            topic
            for topic, fact in ASKABLE.items()
            if (fact == "tags" and tagged)
            or (fact == "region" and row["region_id"])
            or (fact == "type" and row["resource_type"])
        }
        if not topics:
            yield Abstained(subject=name, reason="neither tags nor region nor type are billed")
            continue
        bill = bills[name]
        yield undeclared(
            name, Seen.BILLED, bill.owner, bill.environment, told, own, frozenset(topics)
        )


def _tags(reader: PublishedReader, as_of: date, days: int) -> dict[tuple[str, str], dict[str, str]]:
    """(account, resource id) -> tags of its newest charge of the window."""
    first = as_of - timedelta(days=days - 1)
    sets: dict[str, dict[str, str]] = {}
    for row in reader.records(
        "dim_tag_sets",
        "select distinct tag_set_id, tag_key, tag_value from mart order by all",
        first=first.replace(day=1),
    ):
        sets.setdefault(row["tag_set_id"], {})[row["tag_key"]] = row["tag_value"]
    newest = reader.records(
        "fct_costs_daily",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account, resource_id,
            arg_max(tag_set_id, charge_date) as tag_set_id
        from mart
        where resource_id is not null
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=first.replace(day=1),
    )
    return {
        (str(row["account"]), str(row["resource_id"])): sets.get(row["tag_set_id"], {})
        for row in newest
    }


def _measured(
    reader: PublishedReader,
    joined: PublishedReader | None,
    as_of: date,
    bills: Mapping[str, Bill],
    days: int,
) -> Iterator[Known | Abstained]:
    """Workloads that run or are billed and that nothing declares: the labels of their pods."""
    if joined is None:
        return
    labels: dict[str, dict[str, str]] = {}
    told = running.workload_labels(reader, as_of, days)
    for resource, label, value in () if told is None else told.itertuples(index=False, name=None):
        labels.setdefault(resource, {})[label] = value
    for row in joined.records(
        "fct_undeclared_resources",
        "select resource, bool_or(is_measured) as measured from mart group by all order by all",
        first=as_of,
        last=as_of,
    ):
        name = str(row["resource"])
        if name not in labels:
            reason = "nothing declares it, and labels of its pods are not measured"
            yield Abstained(subject=name, reason=reason)
            continue
        bill = bills.get(name)
        seen = Seen.MEASURED if row["measured"] else Seen.BILLED
        owner, environment = (bill.owner, bill.environment) if bill else ("", "")
        yield undeclared(name, seen, owner, environment, {}, labels[name], frozenset({"labels"}))
