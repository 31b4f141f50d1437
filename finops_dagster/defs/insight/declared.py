"""What was changed on purpose around the days on which incidents began, and what that cost.

Read from the repository's history and from a publication; what it explains is for the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.desired_state import RepositoryIndex
from finops_dagster.desired_state.changes import Declared, changed_sizes
from finops_dagster.domain.changes import By, Change
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import SettingsError, Unavailable
from finops_dagster.domain.incidents import Incident
from finops_dagster.domain.periods import day_start
from finops_dagster.storage.publication import PublishedReader

if TYPE_CHECKING:
    from finops_dagster.engines.anomalies import Changes

MOST_ONSETS = 30
"""Days around which the repository's history is read: two commits each; the newest first."""
_FILES = 5
"""Of a resource, whose commits are looked for."""
_SUBJECT = "changes in Git"
_COMMITMENTS_OF = "commitments of "
"""Before an account: the key of all that it saves by commitments."""


def changes_around(
    estate: Estate, reader: PublishedReader, incidents: Sequence[Incident], as_of: date
) -> tuple[Changes, list[Abstained]]:
    """What `explain` asks for, and what could not be told with its reason."""
    from finops_dagster.engines.anomalies import Changes

    onsets = sorted({one.since for one in incidents}, reverse=True)
    if not onsets:
        return Changes(), []
    by_onset: dict[date, list[Change]] = {one: [] for one in onsets}
    names: dict[str, str] = {}
    abstained: list[Abstained] = []
    if estate.settings.desired_state is not None:
        for onset in onsets[:MOST_ONSETS]:
            try:
                by_onset[onset] += _in_git(estate, onset, as_of, names)
            except (SettingsError, Unavailable) as error:
                abstained.append(Abstained(subject=_SUBJECT, reason=str(error)))
                break
        if len(onsets) > MOST_ONSETS:
            reason = (
                f"incidents began on {len(onsets)} days: what Git declared is looked for around "
                f"the newest {MOST_ONSETS} of them"
            )
            abstained.append(Abstained(subject=_SUBJECT, reason=reason))
    for onset, bought in _commitments(reader, onsets, as_of).items():
        by_onset[onset] += bought
    accounts = sorted({part.account for one in incidents for part in one.dimensions})
    costs = _costs(reader, names, accounts, onsets[-1], as_of)
    return (Changes(by_onset, costs) if costs is not None else Changes()), abstained


def _in_git(estate: Estate, onset: date, as_of: date, names: dict[str, str]) -> Iterator[Change]:
    """Changes merged around `onset`; by what names bills know them goes into `names`.

    Nothing where the repository is younger: what it began with was there before.
    """
    from finops_dagster.engines.anomalies.explain import LAG_DAYS, LEAD_DAYS

    first = day_start(onset - timedelta(days=LAG_DAYS))
    last = min(day_start(onset + timedelta(days=LEAD_DAYS + 1)), estate.cutoff(as_of))
    before, after = estate.index_at(first), estate.index_at(last)
    if before is None or after is None or before.commit == after.commit:
        return
    for one in changed_sizes(before, after):
        index = before if one.ends else after
        for name in _billed_as(index, one):
            names[name] = one.resource
        yield _change(estate, one, first, last)


def _billed_as(index: RepositoryIndex, one: Declared) -> Iterator[str]:
    """What a bill may call it, in lower case: its name, what it makes, its identifiers."""
    for name in (one.resource, *index.makes(one.resource)):
        yield name.lower()
        if name in index.resources():
            yield from (identifier.lower() for identifier in index.resources()[name].cloud_ids)


def _change(estate: Estate, one: Declared, first: datetime, last: datetime) -> Change:
    commits = estate.commits_between(first, last, one.files[:_FILES])
    return Change(
        key=one.resource,
        by=By.GIT,
        begins=one.begins,
        ends=one.ends,
        fields=one.fields,
        commits=tuple(commits),
    )


def _commitments(
    reader: PublishedReader, onsets: Sequence[date], as_of: date
) -> dict[date, list[Change]]:
    """By day: commitments that begin or end around it, by account.

    One that a bill's first weeks have may be older; one that its last days have not may only be
    billed late.
    """
    from finops_dagster.engines.anomalies.explain import BEFORE_DAYS, LAG_DAYS, LEAD_DAYS

    until = f"charge_date <= date '{as_of.isoformat()}'"
    spans = reader.records(
        "fct_commitments_daily",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account,
            commitment_discount_id as id,
            max(commitment_discount_name) as name,
            min(charge_date) as first_day,
            max(charge_date) as last_day
        from mart where {until} and coalesce(used_cost, 0) <> 0 group by all order by all
        """,
    )
    bills = reader.records(
        "fct_costs_daily",
        f"select min(charge_date) as first_day, max(charge_date) as last_day from mart "
        f"where {until}",
    )
    found: dict[date, list[Change]] = {}
    lag, lead, day = (timedelta(days=days) for days in (LAG_DAYS, LEAD_DAYS, 1))
    for span in spans:
        first, over = span["first_day"], span["last_day"] + day
        begins = first >= bills[0]["first_day"] + timedelta(days=BEFORE_DAYS)
        ends = over + lag <= bills[0]["last_day"]
        for onset in onsets:
            is_begun = begins and onset - lag <= first <= onset + lead
            is_over = ends and onset - lag <= over <= onset + lead
            if is_begun or is_over:
                change = Change(
                    key=_COMMITMENTS_OF + span["account"],
                    by=By.COMMITMENT,
                    begins=is_begun,
                    ends=not is_begun,
                    name=span["name"] or span["id"],
                )
                found.setdefault(onset, []).append(change)
    return found


def _costs(
    reader: PublishedReader,
    names: Mapping[str, str],
    accounts: Sequence[str],
    first: date,
    as_of: date,
) -> pd.DataFrame | None:
    """What changed resources and commitments cost by leaf and day, and what the rest does.

    `names`: what a bill calls a resource, in lower case -> its key. Frame as of
    `engines.anomalies.Changes`, of the accounts, from three weeks before `first`.
    """
    since = first - timedelta(days=21)
    return reader.frame(
        "fct_costs_daily",
        f"""
        with named as (
            select unnest($names::varchar[]) as name, unnest($keys::varchar[]) as key
        ),
        charges as (
            select
                coalesce(sub_account_id, billing_account_id) as account,
                coalesce(service_name, '(none)') as service,
                coalesce(team, '{facts.UNTAGGED}') as team,
                billing_currency as currency,
                lower(resource) as workload,
                lower(resource_id) as resource_id,
                charge_date as ds,
                effective_cost,
                case
                    when commitment_discount_status = 'Used'
                        then coalesce(contracted_cost, effective_cost) - effective_cost
                    else 0
                end as saved
            from mart
            where charge_category = 'Usage'
              and charge_date between date '{since.isoformat()}' and date '{as_of.isoformat()}'
              and list_contains($accounts::varchar[], account)
        ),
        keyed as (
            select
                account, service, team, currency, ds,
                coalesce(by_workload.key, by_id.key, '') as key,
                effective_cost + saved as cost
            from charges
            left join named as by_workload on charges.workload = by_workload.name
            left join named as by_id on charges.resource_id = by_id.name
            union all
            select
                account, service, team, currency, ds,
                '{_COMMITMENTS_OF}' || account as key,
                -saved as cost
            from charges where saved <> 0
        )
        select account, service, team, currency, key, ds, sum(cost)::double as cost
        from keyed group by all order by all
        """,
        first=since.replace(day=1),
        given={"names": list(names), "keys": list(names.values()), "accounts": list(accounts)},
    )
