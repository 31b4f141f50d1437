"""Cost, carbon and policy of the change between two commits of a desired state, whoever made it.

Reads and gathers only: what a change costs is the engine's to say, what breaks a rule policy's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from finops_dagster.defs.change_rates import gather_rates
from finops_dagster.defs.estate import Estate
from finops_dagster.desired_state import (
    RepositoryIndex,
    TagKeys,
    open_directory,
    open_repository,
)
from finops_dagster.desired_state.changes import Declared, changed_sizes
from finops_dagster.domain.changes import FieldChange
from finops_dagster.domain.decisions import Abstained, Decision
from finops_dagster.domain.errors import Fault, SettingsError, Unavailable
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.violations import Violation
from finops_dagster.engines.optimisation.change_cost import added, changed, removed
from finops_dagster.engines.optimisation.change_rates import (
    Priced,
    Rates,
    total,
    total_carbon,
)
from finops_dagster.engines.optimisation.declared_sizes import Sizes, declared_sizes
from finops_dagster.policy.violations import Judging, declared_all


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ChangeItem(_Frozen):
    """One value that a change sets, or one resource that it adds or removes."""

    resource: str
    change: str
    """added, removed or changed."""
    field: str
    before: str | None
    after: str | None
    cost_per_month: MoneyRange | None
    """More (positive) or less; None where it is not known."""
    carbon_kg_per_month: Range | None
    verdict: Decision | None
    """Of the resource as it would be; None where it is gone or could not be judged."""
    rules: tuple[str, ...]
    reason: str
    """Why the cost is not known, or what it rests on."""


@dataclass(frozen=True)
class ChangeCost:
    """What a change comes to."""

    base: str
    head: str
    """Commits; the head is empty for a working tree."""
    items: list[ChangeItem]
    cost_per_month: dict[str, MoneyRange]
    """By currency, of what is known."""
    carbon_kg_per_month: Range | None
    unknown: int
    """Items whose cost is not known."""
    violations_added: list[Violation]
    violations_mended: list[Violation]
    decision: Decision
    """The severest of the resources as they would be."""
    publication_id: str
    abstained: list[Abstained] = field(default_factory=list)


def change_cost(estate: Estate, repository: Path, span: str, as_of: date) -> ChangeCost:
    """What `BASE..HEAD` of a repository changes, priced by the publication in force.

    `BASE...HEAD` compares from where HEAD left BASE; without HEAD the working tree is it. Raises
    SettingsError, Unavailable.
    """
    base, head = _indexes(estate, repository, span)
    declared = list(changed_sizes(base, head))
    manifest = estate.publications.current()
    if manifest is None:
        fault = Fault(
            code="no_publication",
            expected="A publication with costs was expected.",
            hint="Run `finops run` once, so that there are prices.",
        )
        raise SettingsError("Nothing is published, so nothing can be priced.", (fault,))
    reader = estate.publications.reader(manifest)
    before = declared_sizes(base.resources(), base.locations())
    after = declared_sizes(head.resources(), head.locations())
    rates = gather_rates(estate, reader, as_of, declared, base, head, before)
    judging = Judging(estate.judge)
    verdicts, blind = _verdicts(judging, head)
    was, _ = _verdicts(judging, base)
    items: list[ChangeItem] = []
    priced: list[Priced] = []
    for one in declared:
        for change, field_change, price in _priced(one, before, after, rates):
            priced.append(price)
            broken = None if one.ends else verdicts.get(one.resource)
            items.append(
                ChangeItem(
                    resource=one.resource,
                    change=change,
                    field=field_change.field,
                    before=field_change.before,
                    after=field_change.after,
                    cost_per_month=price.cost,
                    carbon_kg_per_month=price.carbon,
                    verdict=None if broken is None else _decision(broken),
                    rules=tuple(violation.rule_id for violation in broken or ()),
                    reason=price.reason,
                )
            )
    there = {one.key: one for found in verdicts.values() for one in found}
    gone = {one.key: one for found in was.values() for one in found}
    touched = _touched(base, head)
    return ChangeCost(
        base=base.commit,
        head=head.commit,
        items=items,
        cost_per_month=total(priced),
        carbon_kg_per_month=total_carbon(priced),
        unknown=sum(one.cost is None for one in priced),
        violations_added=[there[key] for key in sorted(there.keys() - gone.keys())],
        violations_mended=[gone[key] for key in sorted(gone.keys() - there.keys())],
        decision=_decision(one for name in touched for one in verdicts.get(name, ())),
        publication_id=manifest.id,
        abstained=[one for one in blind if one.subject in touched],
    )


def _indexes(
    estate: Estate, repository: Path, span: str
) -> tuple[RepositoryIndex, RepositoryIndex]:
    """Indexes of the two ends of `BASE..HEAD`, as the estate's settings read tags."""
    base, dots, head = span.partition("..")
    if not dots or not base:
        fault = Fault(
            code="no_span",
            expected=f"Expected BASE..HEAD, found {span!r}.",
            hint="Such as main..my-branch, or main.. for the working tree.",
        )
        raise SettingsError(f"{span!r} names no two commits.", (fault,))
    if head.startswith("."):
        head = head.removeprefix(".")
        base = _merge_base(repository, base, head or "HEAD")
    tags = estate.settings.tags
    keys = TagKeys(owner=tags.team, cost_center=tags.cost_center, environment=tags.environment)
    first = open_repository(repository, base, keys)
    if head:
        return first, open_repository(repository, head, keys, first)
    if (repository / "HEAD").exists() and (repository / "objects").exists():
        fault = Fault(
            code="no_working_tree",
            file=str(repository),
            expected="A bare repository has no working tree.",
            hint="Name the branch or commit after the dots.",
        )
        raise SettingsError(f"{repository} is bare: what is {span} to be held against?", (fault,))
    return first, open_directory(repository)


def _merge_base(repository: Path, base: str, head: str) -> str:
    """Commit from which HEAD left BASE."""
    for name in (base, head):
        open_repository(repository, name)  # says what is wrong with a name
    try:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(repository), "merge-base",
             "--end-of-options", base, head],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git could not read {repository}: {error}") from error
    if done.returncode != 0:
        fault = Fault(
            code="no_merge_base",
            file=str(repository),
            expected=f"{base} and {head} have no commit in common that is here.",
            hint="Fetch the whole history, or name two commits with two dots.",
        )
        raise SettingsError(f"{base} and {head} have no commit in common.", (fault,))
    return done.stdout.strip()


def _touched(base: RepositoryIndex, head: RepositoryIndex) -> set[str]:
    """Resources that are new, or declared otherwise than before."""
    old = base.resources()
    return {
        name
        for name, one in head.resources().items()
        if name not in old
        or (old[name].manifest, old[name].variants, old[name].labels)
        != (one.manifest, one.variants, one.labels)
    }


def _verdicts(
    judging: Judging, index: RepositoryIndex
) -> tuple[dict[str, list[Violation]], list[Abstained]]:
    """Resource -> what it breaks, if anything; one that was not judged is left out."""
    known, unread = declared_all(index.resources())
    judged = judging.judge(known)
    abstained = [*unread, *judged.abstained]
    blind = {one.subject for one in abstained}
    found: dict[str, list[Violation]] = {
        one.resource: [] for one in known if one.resource not in blind
    }
    for violation in judged.violations:
        found[violation.resource].append(violation)
    return found, abstained


def _decision(violations: Iterable[Violation]) -> Decision:
    said = {one.decision for one in violations}
    order = (Decision.DENY, Decision.NEEDS_APPROVAL)
    return next((one for one in order if one in said), Decision.ALLOW)


def _priced(
    one: Declared, before: Sizes, after: Sizes, rates: Rates
) -> Iterable[tuple[str, FieldChange, Priced]]:
    nothing = FieldChange(field="", before=None, after=None)
    if one.begins:
        yield "added", nothing, added(one.resource, after, rates)
    elif one.ends:
        yield "removed", nothing, removed(one.resource, before, rates)
    else:
        for change in one.fields:
            yield "changed", change, changed(one.resource, change, before, after, rates)
