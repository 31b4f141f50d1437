"""The one value that would mend a violation, where it can be known, held against the rules.

A change counts only if the manifest with it breaks that rule no more, and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finops_dagster.domain.violations import Violation
from finops_dagster.policy.paths import changed
from finops_dagster.policy.violations import Judging, Subject

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
    subject: Subject,
    violation: Violation,
    values: Mapping[str, str],
    labels: Mapping[str, str],
) -> Mend | None:
    """The change that mends `violation`; None where none is known, or it is rendered in two ways.

    `values`: field -> present text of what is declared; `labels`: labels whose value is known from
    elsewhere, as the bill's owner.
    """
    if len(subject.manifests) != 1:
        return None
    manifest = dict(subject.manifests[0])
    broken = {rule.id for rule in judging.rules(subject, manifest)}

    def mends(after: Mapping[str, Any] | None) -> bool:
        if after is None:
            return False
        left = {rule.id for rule in judging.rules(subject, after)}
        return violation.rule_id not in left and left <= broken

    for field, current, proposed in _changes(violation, values):
        if mends(changed(manifest, subject.at(field), proposed)):
            return Mend(field=field, current=current, proposed=proposed)
    missing = {key: value for key, value in labels.items() if value and not _has(manifest, key)}
    for added in (*({key: value} for key, value in missing.items()), missing):
        after: dict[str, Any] | None = manifest
        for key, value in added.items():
            after = after and changed(after, f'metadata.labels["{key}"]', value)
        if added and mends(after):
            return Mend(labels=added)
    return None


def _changes(violation: Violation, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    ceiling = _AMOUNT.match(violation.limit)
    for field, current in values.items():
        if current.lower() == "false" and _ENCRYPTION.search(field):
            yield field, current, "true"
        unit = _UNITS.match(current)
        if ceiling is not None and unit is not None and _MEMORY.search(field):
            yield field, current, ceiling.group(1) + unit.group(1)


def _has(manifest: Mapping[str, Any], key: str) -> bool:
    metadata = manifest.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and key in labels
