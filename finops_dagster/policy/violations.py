"""Which resources break policy as they are: one verdict for each distinct manifest.

What is known of resources is gathered elsewhere, and how long they have broken it is counted in
`domain.violations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from finops_dagster.domain.decisions import (
    Abstained,
    Decision,
    DeclaredResource,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.ids import canonical_json
from finops_dagster.domain.violations import Seen, Violation
from finops_dagster.policy.inputs import manifest_input
from finops_dagster.policy.subjects import Refused, subject_of
from finops_dagster.policy.verdicts import ordered, severest

ENGINE_TOPIC = "policy"
"""Its rules speak of what could not be judged, not of the resource."""
_MOST_TEXT = 500


class DocumentJudge(Protocol):
    """Something that gives a verdict on an input document."""

    bundle: str

    def judge_document(self, document: Mapping[str, Any], subject: str) -> Verdict:
        """Verdict on `document`, which is about `subject`."""
        ...


@dataclass(frozen=True)
class Known:
    """One resource as it is judged: what is known of it as policy's input documents."""

    resource: str
    seen: Seen
    owner: str
    environment: str
    documents: tuple[Mapping[str, Any], ...]
    """Several where roots of the repository render it differently, or it has several forms."""
    file: str = ""
    topics: frozenset[str] | None = None
    """Topics whose rules can judge by what is known; None: all of it is."""


@dataclass(frozen=True)
class Judged:
    """What a day's resources break, and what could not be judged."""

    violations: list[Violation]
    abstained: list[Abstained]


class Judging:
    """Asks one judge about many resources; what was asked before is not asked again."""

    def __init__(self, judge: DocumentJudge) -> None:
        self._judge = judge
        self._known: dict[str, tuple[RuleResult, ...]] = {}

    def rules(self, known: Known) -> tuple[RuleResult, ...]:
        """The rules that a resource breaks, of those that can judge it; severest first."""
        return ordered(
            rule
            for document in known.documents
            for rule in self._asked(document, known.resource)
            if rule.decision is not Decision.ALLOW
            and (known.topics is None or _topic(rule) in known.topics | {ENGINE_TOPIC})
        )

    def _asked(self, document: Mapping[str, Any], resource: str) -> tuple[RuleResult, ...]:
        key = canonical_json({name: it for name, it in document.items() if name != "subject"})
        if key not in self._known:
            self._known[key] = self._judge.judge_document(document, resource).rules
        return self._known[key]

    def judge(self, resources: Iterable[Known]) -> Judged:
        """Violations of all, by resource and rule; abstained where policy could not judge one."""
        violations: list[Violation] = []
        abstained: list[Abstained] = []
        for known in resources:
            broken = self.rules(known)
            blind = [rule for rule in broken if _topic(rule) == ENGINE_TOPIC]
            if blind:
                reason = f"{blind[0].title}: {blind[0].actual}"
                abstained.append(Abstained(subject=known.resource, reason=reason))
                continue
            violations += _by_rule(known, broken)
        violations.sort(key=lambda one: one.key)
        return Judged(violations, abstained)


def declared(
    resource: DeclaredResource, namespaces: Mapping[str, Mapping[str, str]], owner: str = ""
) -> Known | Abstained:
    """A declared resource, in every form and rendering that policy reads.

    `namespaces`: labels of namespaces by name; `owner`: who answers for it by the bill, where the
    repository names nobody.
    """
    documents: list[dict[str, Any]] = []
    for manifest in (resource.manifest, *resource.variants):
        found = subject_of(resource.model_copy(update={"manifest": manifest}), resource.file)
        if isinstance(found, Refused):
            return Abstained(subject=resource.resource, reason=found.reason)
        documents += [
            document | {"environment": resource.environment or document["environment"]}
            for document in found.inputs(namespaces, ())
        ]
    return Known(
        resource=resource.resource,
        seen=Seen.DECLARED,
        owner=resource.owner or owner,
        environment=resource.environment or "",
        documents=tuple(documents),
        file=resource.file,
    )


def declared_all(
    resources: Mapping[str, DeclaredResource],
    owners: Callable[[str], str] = lambda _: "",
) -> tuple[list[Known], list[Abstained]]:
    """All that a repository declares; `owners` as of `declared`, by the resource."""
    namespaces = namespace_labels(resources)
    made = [declared(one, namespaces, owners(name)) for name, one in resources.items()]
    return (
        [one for one in made if isinstance(one, Known)],
        [one for one in made if isinstance(one, Abstained)],
    )


ASKABLE = {"labels": "tags", "location": "region", "compute": "type"}
"""Topics whose rules judge by a fact that bills and telemetry tell, and that fact. Others read a
declaration: of what has none their silence or their speech would mean nothing."""


def undeclared(
    resource: str,
    seen: Seen,
    owner: str,
    environment: str,
    facts: Mapping[str, Any],
    labels: Mapping[str, str],
    topics: frozenset[str],
) -> Known:
    """What only a bill or telemetry tells of: `facts` in the shape of a managed cloud resource
    where there are some, and the labels that it carries.
    """
    kind, namespace, name = resource.split("/", 2)
    manifest: dict[str, Any] = {
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": dict(labels)},
    }
    if facts:
        manifest["spec"] = {"forProvider": {**facts, "tags": dict(labels)}}
    document = manifest_input(manifest, resource, environment)
    return Known(resource, seen, owner, environment, (document,), topics=topics)


def _by_rule(known: Known, broken: Sequence[RuleResult]) -> list[Violation]:
    by_rule: dict[str, list[RuleResult]] = {}
    for rule in broken:
        by_rule.setdefault(rule.id, []).append(rule)
    return [
        Violation(
            resource=known.resource,
            seen=known.seen,
            owner=known.owner,
            environment=known.environment,
            rule_id=id_,
            title=rules[0].title,
            decision=severest(rule.decision for rule in rules),
            actual=_joined(rule.actual for rule in rules),
            limit=_joined(rule.limit for rule in rules),
            fix=_joined(rule.fix for rule in rules),
            file=known.file,
        )
        for id_, rules in by_rule.items()
    ]


def _joined(texts: Iterable[str]) -> str:
    """Each once, in their order, cut where people stop reading."""
    text = "; ".join(dict.fromkeys(texts))
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _topic(rule: RuleResult) -> str:
    return rule.id.split(".", 1)[0]


def namespace_labels(declared: Mapping[str, DeclaredResource]) -> dict[str, dict[str, str]]:
    """Labels of the declared namespaces, by name."""
    return {
        name.split("/", 2)[2]: dict(one.labels)
        for name, one in declared.items()
        if name.startswith("Namespace//")
    }
