"""The input document that policy reads, made from a proposal or from a bare manifest.

Its form is policies/schema/input.json. Text is carried as data and never becomes Rego.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from finops_dagster.domain.decisions import Proposal
from finops_dagster.domain.ids import ResourceName
from finops_dagster.policy.paths import changed

SCHEMA = "finops.policy_input/1"


def proposal_input(proposal: Proposal, context: Mapping[str, Any]) -> dict[str, Any]:
    """What policy is asked about `proposal`: the resource as the change would leave it.

    `context` has `resource` (kind, namespace, name, labels, annotations, manifest as a mapping or
    as JSON text, optionally namespace_labels), `environment`, and what schema/input.json of the
    bundle has under `context`: team, spend, now, ceiling and the rest. What is missing stays
    missing: the rules say themselves what they make of that.
    """
    given = context.get("resource")
    resource = dict(plain(given)) if isinstance(given, Mapping | BaseModel) else {}
    manifest = resource.get("manifest")
    if isinstance(manifest, str):
        try:
            manifest = plain(json.loads(manifest))
        except (ValueError, RecursionError):
            manifest = None
    after = None
    if isinstance(manifest, dict) and proposal.document:
        after = manifest  # what is added is the whole resource
    elif isinstance(manifest, dict):
        after = changed(manifest, proposal.field, proposal.proposed)
    if isinstance(resource.get("resource"), str) and "kind" not in resource:
        resource |= _named(resource["resource"])
    resource |= {
        "manifest": manifest if after is None else after,
        "changed": after is not None,
        "labels": resource.get("labels") or {},
        "annotations": resource.get("annotations") or {},
    }
    rest = {
        key: plain(value)
        for key, value in context.items()
        if key not in {"resource", "environment"}
    }
    return {
        "schema": SCHEMA,
        "subject": proposal.id,
        "environment": _text(context.get("environment")) or proposal.environment,
        "resource": resource,
        "proposal": {"id": proposal.id, **plain(proposal)},
        "context": rest,
    }


def manifest_input(
    manifest: Mapping[str, Any],
    subject: str,
    environment: str = "",
    namespace_labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What policy is asked about a manifest that somebody wrote.

    Without an environment the rules take the one that its labels name.
    """
    document = plain(manifest)
    meta = document.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    return {
        "schema": SCHEMA,
        "subject": subject,
        "environment": environment,
        "resource": {
            "kind": _text(document.get("kind")),
            "namespace": _text(meta.get("namespace")),
            "name": _text(meta.get("name")),
            "api_version": _text(document.get("apiVersion")),
            "labels": mapping(meta.get("labels")),
            "annotations": mapping(meta.get("annotations")),
            "namespace_labels": dict(namespace_labels or {}),
            "manifest": document,
            "changed": False,
        },
        "context": {},
    }


def plain(value: Any) -> Any:
    """`value` as JSON can say it.

    Decimals, dates and bytes become text, numbers that are not finite become null, so that nothing
    is compared with them. Raises TypeError for what has no plain form.
    """
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")


def mapping(value: Any) -> dict[str, Any]:
    """`value` where it is a mapping, else an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


def _key(key: Any) -> str:
    """YAML's keys may be numbers and booleans; JSON's are text, spelled as JSON spells them."""
    return key if isinstance(key, str) else json.dumps(plain(key), sort_keys=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _named(text: str) -> dict[str, str]:
    try:
        return ResourceName.parse(text).model_dump()
    except ValueError:
        return {}
