"""What a day knows of every declared, billed and measured resource, for policy to judge.

Reading and naming only; what breaks a rule is said in `policy`, and how long in `domain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import billed, resources, running
from finops_dagster.domain.decisions import Abstained, DeclaredResource
from finops_dagster.domain.money import MONEY_PRECISION, Money, exact_sum
from finops_dagster.domain.violations import (
    Seen,
    StandingViolation,
    Turned,
    Violation,
    ViolationTurn,
    first_days,
    turns,
)
from finops_dagster.engines.optimisation.prices import DAYS_PER_MONTH
from finops_dagster.policy.violations import (
    ASKABLE,
    Judged,
    Judging,
    Subject,
    declared_subject,
    managed,
    namespace_labels,
)
from finops_dagster.storage.publication import PublishedReader

KIND = "policy_violation"
"""Of the ledger's entries."""


Match = dict[str, Any]
"""A billed resource with its owner and currency, as fct_resource_matches has it."""


@dataclass(frozen=True)
class Bill:
    """What the matched costs of a day tell of a resource, under the name that findings use."""

    owner: str
    environment: str
    cost_per_month: tuple[Money, ...]


@dataclass(frozen=True)
class Looked:
    """The resources of a day, what is billed for them, and what was not looked at."""

    subjects: list[Subject]
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
    subjects: list[Subject] = []
    for one in (
        *declared_subjects_of(declared, bills),
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


def declared_subjects_of(
    declared: Mapping[str, DeclaredResource], bills: Mapping[str, Bill]
) -> Iterator[Subject | Abstained]:
    namespaces = namespace_labels(declared)
    for name, one in declared.items():
        bill = bills.get(name)
        owner = one.owner or (bill.owner if bill else "")
        labels = namespaces.get(name.split("/", 2)[1], {})
        yield declared_subject(one, labels, owner, bill is not None)


def matched(
    joined: PublishedReader, reader: PublishedReader, as_of: date, days: int
) -> list[Match] | None:
    """Billed resources of a day's window, with `resource` set to the name that findings use."""
    if not joined.manifest.of("fct_resource_matches", as_of, as_of):
        return None
    found = joined.records(
        "fct_resource_matches",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account,
            resource_id, resource_type, region_id, workload,
            case when confidence >= {running.SURE} then declared_resource end as declared,
            rule, reason, owner, environment, billing_currency, effective_cost,
            first_date, last_date
        from mart
        where resource_id is not null or workload is not null
        order by all
        """,
        first=as_of,
        last=as_of,
    )
    kinds = billed.usage_kinds(reader, as_of, days)
    names = {} if kinds is None else billed.names_of({}, kinds)
    for row in found:
        key = str(row["account"]), str(row["resource_id"])
        by_bill = names.get(key) or billed.billed_name("resource", *key)
        row["resource"] = row["declared"] or row["workload"] or by_bill
    return found


def bills_of(matches: list[Match]) -> dict[str, Bill]:
    """What each billed resource costs a month, whose it is and where.

    Effective cost of the days from its first charge to its last, times 365/12 over those days.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in matches:
        found.setdefault(row["resource"], []).append(row)
    bills = {}
    for name, rows in found.items():
        days = (max(r["last_date"] for r in rows) - min(r["first_date"] for r in rows)).days + 1
        costs: dict[str, list[Decimal]] = {}
        for row in rows:
            costs.setdefault(row["billing_currency"], []).append(row["effective_cost"])
        newest = max(rows, key=lambda row: row["last_date"])
        with localcontext() as context:
            context.prec = MONEY_PRECISION
            bills[name] = Bill(
                owner=newest["owner"] or "",
                environment=newest["environment"] or "",
                cost_per_month=tuple(
                    Money(amount=exact_sum(*costs[one]) / days * DAYS_PER_MONTH, currency=one)
                    for one in sorted(costs)
                ),
            )
    return bills


def _billed(
    reader: PublishedReader,
    as_of: date,
    matches: list[Match] | None,
    bills: Mapping[str, Bill],
    days: int,
) -> Iterator[Subject | Abstained]:
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
        yield Subject(
            resource=name,
            seen=Seen.BILLED,
            owner=bills[name].owner,
            environment=bills[name].environment,
            manifests=(managed(name, told, own),),
            topics=frozenset(topics),
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
) -> Iterator[Subject | Abstained]:
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
        kind, namespace, own = name.split("/", 2)
        if name not in labels:
            reason = "nothing declares it, and labels of its pods are not measured"
            yield Abstained(subject=name, reason=reason)
            continue
        bill = bills.get(name)
        yield Subject(
            resource=name,
            seen=Seen.MEASURED if row["measured"] else Seen.BILLED,
            owner=bill.owner if bill else "",
            environment=bill.environment if bill else "",
            manifests=(
                {
                    "kind": kind,
                    "metadata": {"namespace": namespace, "name": own, "labels": labels[name]},
                },
            ),
            topics=frozenset({"labels"}),
        )
