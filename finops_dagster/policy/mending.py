"""The one value that would mend a violation, where it can be known, held against the rules.

A change counts only if the manifest with it breaks that rule no more, and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finops_dagster.domain.decisions import Abstained, DeclaredResource
from finops_dagster.domain.violations import Violation
from finops_dagster.policy.paths import changed
from finops_dagster.policy.violations import Judging, Known

_ENCRYPTION = re.compile(r"encrypt", re.IGNORECASE)
_MEMORY = re.compile(r"memory_?(?:size|mb|in_?mb)?\W*$", re.IGNORECASE)
_AMOUNT = re.compile(r"^([0-9]+) MiB$")
_UNITS = re.compile(r"^[0-9]+(?:\.[0-9]+)?(Mi|MB| MB|MiB| MiB|)$")


@dataclass(frozen=True)
class Mend:
    """What would mend it: a declared value to change, or labels to add where none is declared."""

    field: str = ""
    current: str = ""
    proposed: str = ""
    labels: Mapping[str, str] | None = None


def mend(
    judging: Judging,
    resource: DeclaredResource,
    make: Callable[[DeclaredResource], Known | Abstained],
    violation: Violation,
    values: Mapping[str, str],
    labels: Mapping[str, str],
) -> Mend | None:
    """The change that mends `violation`; None where none is known, or it is rendered in two ways.

    `make`: how a resource is told to policy; `values`: field -> present text of what is declared;
    `labels`: labels whose value is known from elsewhere, as the bill's owner.
    """
    if resource.variants:
        return None
    manifest = json.loads(resource.manifest)

    def broken(one: DeclaredResource) -> set[str]:
        known = make(one)
        return {rule.id for rule in judging.rules(known)} if isinstance(known, Known) else set()

    now = broken(resource)

    def mends(after: DeclaredResource | None) -> bool:
        left = broken(after) if after is not None else now
        return violation.rule_id not in left and left <= now

    for field, current, proposed in _changes(violation, values):
        edited = changed(manifest, field, proposed)
        if edited is not None and mends(_with(resource, edited)):
            return Mend(field=field, current=current, proposed=proposed)
    missing = {key: value for key, value in labels.items() if value and key not in resource.labels}
    for more in (*({key: value} for key, value in missing.items()), missing):
        if more and mends(_labelled(resource, manifest, more)):
            return Mend(labels=more)
    return None


def _with(resource: DeclaredResource, manifest: Mapping[str, Any]) -> DeclaredResource:
    return resource.model_copy(update={"manifest": json.dumps(manifest)})


def _labelled(
    resource: DeclaredResource, manifest: dict[str, Any], more: Mapping[str, str]
) -> DeclaredResource:
    """The resource with labels that it has not: in its manifest, where that keeps them."""
    after = manifest
    for key, value in more.items() if isinstance(manifest.get("metadata"), dict) else ():
        after = changed(after, f'metadata.labels["{key}"]', value) or after
    labelled = resource.model_copy(update={"labels": {**resource.labels, **more}})
    return _with(labelled, after)


def _changes(violation: Violation, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    ceiling = _AMOUNT.match(violation.limit)
    for field, current in values.items():
        if current.lower() == "false" and _ENCRYPTION.search(field):
            yield field, current, "true"
        unit = _UNITS.match(current)
        if ceiling is not None and unit is not None and _MEMORY.search(field):
            yield field, current, ceiling.group(1) + unit.group(1)
