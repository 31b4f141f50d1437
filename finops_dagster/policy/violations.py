"""Which resources break policy as they are: one verdict for each distinct manifest.

What is known of resources is gathered elsewhere, and how long they have broken it is counted in
`domain.violations`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finops_dagster.domain.decisions import Abstained, Decision, DeclaredResource, RuleResult
from finops_dagster.domain.ids import canonical_json
from finops_dagster.domain.violations import Seen, Violation
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.judges import ManifestJudge
from finops_dagster.policy.verdicts import ordered, severest

ENGINE_TOPIC = "policy"
"""Its rules speak of what could not be judged, not of the resource."""
_MOST_TEXT = 500
_SNAKE = re.compile(r"_([a-z0-9])")
_FREE_KEYS = frozenset({"tags", "labels", "variables"})
"""Maps whose keys are people's own."""


@dataclass(frozen=True)
class Subject:
    """One resource as it is judged: what is known of it in the form of a manifest."""

    resource: str
    seen: Seen
    owner: str
    environment: str
    manifests: tuple[Mapping[str, Any], ...]
    """Several where roots of the repository render it differently."""
    file: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    topics: frozenset[str] | None = None
    """Topics whose rules can judge by what is known; None: all of it is."""
    managed: bool = False
    """Whether it is told in the shape of a managed resource: see `at`."""

    def at(self, field: str) -> str:
        """Where a field of what is declared stands in its manifest."""
        return f"spec.forProvider.{_camel_key(field)}" if self.managed else field


@dataclass(frozen=True)
class Judged:
    """What a day's resources break, and what could not be judged."""

    violations: list[Violation]
    abstained: list[Abstained]


class Judging:
    """Asks one judge about many resources; what was asked before is not asked again."""

    def __init__(self, judge: ManifestJudge) -> None:
        self._judge = judge
        self._known: dict[str, tuple[RuleResult, ...]] = {}

    def rules(self, subject: Subject, manifest: Mapping[str, Any]) -> tuple[RuleResult, ...]:
        """The rules that `manifest` breaks, of those that can judge it; severest first."""
        given = [manifest, subject.environment, dict(subject.namespace_labels)]
        key = canonical_json(given)
        if key not in self._known:
            verdict = self._judge.judge_manifest(
                manifest,
                subject.resource,
                environment=subject.environment,
                namespace_labels=subject.namespace_labels,
            )
            self._known[key] = verdict.rules
        return tuple(
            rule
            for rule in self._known[key]
            if rule.decision is not Decision.ALLOW
            and (
                subject.topics is None or _topic(rule) in subject.topics | frozenset({ENGINE_TOPIC})
            )
        )

    def judge(self, subjects: Iterable[Subject]) -> Judged:
        """Violations of all, by resource and rule; abstained where policy could not judge one."""
        violations: list[Violation] = []
        abstained: list[Abstained] = []
        for subject in subjects:
            broken = ordered(
                rule for manifest in subject.manifests for rule in self.rules(subject, manifest)
            )
            blind = [rule for rule in broken if _topic(rule) == ENGINE_TOPIC]
            if blind:
                reason = f"{blind[0].title}: {blind[0].actual}"
                abstained.append(Abstained(subject=subject.resource, reason=reason))
                continue
            violations += _by_rule(subject, broken)
        violations.sort(key=lambda one: one.key)
        return Judged(violations, abstained)


def declared_subject(
    declared: DeclaredResource, namespace_labels: Mapping[str, str], owner: str, billed: bool
) -> Subject | Abstained:
    """A declared resource; what is not Kubernetes is read in the shape of a managed resource.

    Providers of Crossplane are made from Terraform's schemas (github.com/crossplane/upjet): the
    same arguments, in camel case, under spec.forProvider. Of a type that nothing shows to be
    `billed` and that carries no tags it is not known whether it can have any: labels are not asked.
    """
    manifests: list[Mapping[str, Any]] = []
    topics: frozenset[str] | None = None
    shaped = False
    for text in (declared.manifest, *declared.variants):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            return Abstained(subject=declared.resource, reason="its manifest is no mapping")
        if isinstance(content.get("kind"), str) and isinstance(content.get("apiVersion"), str):
            manifests.append(content)
            continue
        provider = {key: _camel(value, key) for key, value in content.items()}
        provider = {_camel_key(key): value for key, value in provider.items()}
        if declared.region:
            provider.setdefault("region", declared.region)
        shaped = True
        manifests.append(managed(declared.resource, provider, declared.labels))
        if not (billed or declared.labels):
            topics = frozenset(ASKABLE) - {"labels"}
    return Subject(
        resource=declared.resource,
        seen=Seen.DECLARED,
        owner=owner,
        environment=declared.environment or "",
        manifests=tuple(manifests),
        file=declared.file,
        namespace_labels=namespace_labels,
        topics=topics,
        managed=shaped,
    )


ASKABLE = {"labels": "tags", "location": "region", "compute": "type"}
"""Topics whose rules judge by a fact that bills and telemetry tell, and that fact. Others read a
declaration: of what has none their silence or their speech would mean nothing."""


def managed(resource: str, provider: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """A manifest in the shape of a managed cloud resource."""
    kind, _, rest = resource.partition("/")
    namespace, _, name = rest.partition("/")
    return {
        "apiVersion": "cloud",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(tags)},
        "spec": {"forProvider": {**provider, "tags": dict(tags)}},
    }


def _by_rule(subject: Subject, broken: Sequence[RuleResult]) -> list[Violation]:
    by_rule: dict[str, list[RuleResult]] = {}
    for rule in broken:
        by_rule.setdefault(rule.id, []).append(rule)
    return [
        Violation(
            resource=subject.resource,
            seen=subject.seen,
            owner=subject.owner,
            environment=subject.environment,
            rule_id=id_,
            title=rules[0].title,
            decision=severest(rule.decision for rule in rules),
            actual=_joined(rule.actual for rule in rules),
            limit=_joined(rule.limit for rule in rules),
            fix=_joined(rule.fix for rule in rules),
            file=subject.file,
        )
        for id_, rules in by_rule.items()
    ]


def _joined(texts: Iterable[str]) -> str:
    """Each once, in their order, cut where people stop reading."""
    text = "; ".join(dict.fromkeys(texts))
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _topic(rule: RuleResult) -> str:
    return rule.id.split(".", 1)[0]


def _camel_key(key: str) -> str:
    return _SNAKE.sub(lambda found: found.group(1).upper(), key)


def _camel(value: Any, key: str) -> Any:
    if key in _FREE_KEYS:
        return value
    if isinstance(value, dict):
        return {_camel_key(name): _camel(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_camel(item, "") for item in value]
    return value


def namespace_labels(declared: Mapping[str, DeclaredResource]) -> dict[str, dict[str, str]]:
    """Labels of the declared namespaces, by name."""
    return {
        name.split("/", 2)[2]: dict(mapping(one.labels))
        for name, one in declared.items()
        if name.startswith("Namespace//")
    }
