"""Gatekeeper's ConstraintTemplates and Constraints: whose Rego, with which parameters, of whom.

https://open-policy-agent.github.io/gatekeeper/website/docs/constrainttemplates. Nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finops_dagster.domain.decisions import Decision
from finops_dagster.policy.engine import Source
from finops_dagster.policy.inputs import mapping, plain

_GROUP = "templates.gatekeeper.sh/"
_CONSTRAINTS = "constraints.gatekeeper.sh/"
_SILENT = "dryrun"
_DECISIONS = {"deny": Decision.DENY, "warn": Decision.NEEDS_APPROVAL}


@dataclass(frozen=True)
class Constraint:
    """One use of a template."""

    name: str
    decision: Decision
    parameters: Mapping[str, Any]
    match: Mapping[str, Any] = field(repr=False)

    def matches(self, manifest: Mapping[str, Any], namespace_labels: Mapping[str, str]) -> bool:
        """Whether Gatekeeper would ask about `manifest`; what it asks of the request is met.

        https://open-policy-agent.github.io/gatekeeper/website/docs/howto#the-match-field
        """
        meta = mapping(manifest.get("metadata"))
        kind, name = manifest.get("kind"), meta.get("name")
        group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
        namespace = name if kind == "Namespace" else meta.get("namespace")
        kinds = _list(self.match.get("kinds"))
        if kinds and not any(_of_kind(mapping(one), group, kind) for one in kinds):
            return False
        wanted, left = _list(self.match.get("namespaces")), self.match.get("excludedNamespaces")
        if namespace:
            if wanted and not _any(wanted, namespace):
                return False
            if _any(_list(left), namespace):
                return False
        if self.match.get("name") and not _any([self.match["name"]], name):
            return False
        return _selected(self.match.get("labelSelector"), mapping(meta.get("labels"))) and (
            not namespace or _selected(self.match.get("namespaceSelector"), namespace_labels)
        )


@dataclass(frozen=True)
class Template:
    """The Rego of a kind of constraint."""

    kind: str
    sources: tuple[Source, ...]
    constraints: tuple[Constraint, ...]
    """Empty where none is given beside it: it is asked about everything then."""


def read_constraints(documents: Iterable[Any]) -> list[Template]:
    """Templates among `documents` with the constraints that use them; what is neither is passed
    over, and so are dry runs and templates without Rego.
    """
    every = [document for document in documents if isinstance(document, dict)]
    found = []
    for document in every:
        if document.get("kind") != "ConstraintTemplate" or not _is(document, _GROUP):
            continue
        spec = mapping(document.get("spec"))
        names = mapping(mapping(mapping(spec.get("crd")).get("spec")).get("names"))
        kind = str(names.get("kind") or "")
        uses = [one for one in every if one.get("kind") == kind and _is(one, _CONSTRAINTS)]
        speaking = tuple(
            _constraint(one)
            for one in uses
            if mapping(one.get("spec")).get("enforcementAction") != _SILENT
        )
        sources = _sources(kind, spec)
        if sources and (speaking or not uses):
            found.append(Template(kind, sources, speaking))
    return found


def _sources(kind: str, spec: Mapping[str, Any]) -> tuple[Source, ...]:
    """The Rego of the admission target: `rego` counts before `code`, as Gatekeeper has it."""
    for target in _list(spec.get("targets")):
        target = mapping(target)
        given = target if isinstance(target.get("rego"), str) else {}
        for code in _list(target.get("code")):
            if not given and mapping(code).get("engine") == "Rego":
                given = mapping(mapping(code).get("source"))
        texts = [given.get("rego"), *_list(given.get("libs"))]
        if given:
            return tuple(
                Source(f"{kind}/{number}.rego", text)
                for number, text in enumerate(texts)
                if isinstance(text, str)
            )
    return ()


def _constraint(document: Mapping[str, Any]) -> Constraint:
    spec = mapping(document.get("spec"))
    return Constraint(
        name=str(mapping(document.get("metadata")).get("name") or "unnamed"),
        decision=_DECISIONS.get(str(spec.get("enforcementAction") or "deny"), Decision.DENY),
        parameters=mapping(plain(spec.get("parameters"))),
        match=mapping(plain(spec.get("match"))),
    )


def _is(document: Mapping[str, Any], group: str) -> bool:
    return str(document.get("apiVersion") or "").startswith(group)


def _of_kind(wanted: Mapping[str, Any], group: str, kind: Any) -> bool:
    groups, kinds = _list(wanted.get("apiGroups")), _list(wanted.get("kinds"))
    return (not groups or "*" in groups or group in groups) and (
        not kinds or "*" in kinds or kind in kinds
    )


def _any(patterns: Iterable[Any], text: Any) -> bool:
    """Globs of Gatekeeper: a star at either end, nowhere else."""
    return isinstance(text, str) and any(
        text == one
        or (one.endswith("*") and text.startswith(one.strip("*")) and not one.startswith("*"))
        or (one.startswith("*") and text.endswith(one.strip("*")) and not one.endswith("*"))
        or (len(one) > 1 and one[0] == one[-1] == "*" and one.strip("*") in text)
        for one in patterns
        if isinstance(one, str)
    )


def _selected(selector: Any, labels: Mapping[str, Any]) -> bool:
    """A Kubernetes label selector; what is none selects everything."""
    wanted = mapping(mapping(selector).get("matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for one in _list(mapping(selector).get("matchExpressions")):
        one = mapping(one)
        key, values = str(one.get("key")), _list(one.get("values"))
        held = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not held.get(str(one.get("operator")), True):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
