"""Other people's policies, run unchanged: admission requests, Gatekeeper reviews, bare manifests.

Their deny, violation and warn sets become rules of a Verdict. Our own bundle is not known here;
how their files are read is in foreign_sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision, Proposal, RuleResult, Verdict
from finops_dagster.policy.engine import UNDEFINED, EngineError, RegoEngine
from finops_dagster.policy.foreign_sources import Part, Speaker, read_parts
from finops_dagster.policy.functions import function_form
from finops_dagster.policy.inputs import manifest_input, mapping, plain, proposal_input
from finops_dagster.policy.shapes import SHAPES
from finops_dagster.policy.verdicts import clean, ordered, severest


class ForeignPolicy:
    """A Rego file or a folder of somebody else's, in engines of its own, as a judge."""

    def __init__(
        self, name: str, parts: Sequence[Part], bundle: str, parameters: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.bundle = bundle
        self._parts = tuple(parts)
        self._parameters = parameters

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        """Verdict on the resource as `proposal` would leave it."""
        return self.judge_document(proposal_input(proposal, context), proposal.id)

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Verdict on a manifest that somebody wrote."""
        document = manifest_input(manifest, subject, environment, namespace_labels)
        return self.judge_document(document, subject)

    def judge_document(self, document: Mapping[str, Any], subject: str) -> Verdict:
        """Verdict on the resource of an input document, and on the pods it makes.

        That is where admission meets them. A policy that fails on it denies it; what the document
        says beside the resource is not part of what such policies read.
        """
        resource = mapping(document.get("resource"))
        namespace_labels = mapping(resource.get("namespace_labels"))
        rules = [
            rule
            for manifest in _manifests(resource)
            for part in self._parts
            for speaker in part.speakers
            for asked in self._documents(speaker, manifest, namespace_labels)
            for rule in self._ask(part.engine, speaker, asked)
        ]
        return Verdict(
            subject=subject,
            decision=severest(rule.decision for rule in rules),
            rules=ordered(rules),
            bundle=self.bundle,
        )

    def _documents(
        self, speaker: Speaker, manifest: Mapping[str, Any], namespace_labels: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        constraint = speaker.constraint
        if constraint is None:
            yield from SHAPES[speaker.shape](manifest, self._parameters)
            return
        for document in SHAPES[speaker.shape](manifest, constraint.parameters):
            if constraint.matches(document["review"]["object"], namespace_labels):
                yield document

    def _ask(
        self, engine: RegoEngine, speaker: Speaker, document: Mapping[str, Any]
    ) -> list[RuleResult]:
        try:
            if _excepted(engine, speaker, document):
                return []
            messages = _messages(engine.evaluate(speaker.rule, document), speaker.id)
        except EngineError as error:
            return [
                RuleResult(
                    id=speaker.id,
                    title="A policy could not be evaluated",
                    decision=Decision.DENY,
                    actual=clean(str(error)),
                    limit=self.name,
                    fix=f"Mend the policy {self.name}, or the value it cannot read.",
                )
            ]
        return [
            RuleResult(
                id=speaker.id,
                title=message,
                decision=speaker.decision,
                actual=message,
                limit=self.name,
                fix=f"See the policy {self.name}.",
            )
            for message in messages
        ]


def load_foreign(path: Path, parameters: Mapping[str, Any] | None = None) -> ForeignPolicy:
    """The policies at `path`, a Rego file, a ConstraintTemplate or a folder of such.

    What they read decides what they are given: `input.request` an admission review (Kubernetes,
    admission.k8s.io/v1), `input.review` what Gatekeeper gives with `parameters` or those of its
    Constraints, else the manifest itself. Raises SettingsError for what does not compile or has no
    deny, violation or warn rule.
    """
    parts, digest = read_parts(path)
    given = plain(dict(parameters or {}))
    told = json.dumps(given, sort_keys=True)
    return ForeignPolicy(
        name=clean(path.name or str(path)),
        parts=parts,
        bundle=f"foreign-{hashlib.sha256(f'{digest}:{told}'.encode()).hexdigest()[:16]}",
        parameters=mapping(given),
    )


def _manifests(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resource as Kubernetes would write it; of a function also the plain form of one."""
    manifest = mapping(resource.get("manifest"))
    if manifest.get("kind") == resource.get("kind"):
        return [manifest]
    written = {
        "apiVersion": resource.get("api_version", ""),
        "kind": resource.get("kind", ""),
        "metadata": {
            key: resource.get(key) or ({} if key.endswith("s") else "")
            for key in ("name", "namespace", "labels", "annotations")
        },
        "spec": manifest,
    }
    function = function_form(resource)
    return [written] if function is None else [written, function]


def _excepted(engine: RegoEngine, speaker: Speaker, document: Mapping[str, Any]) -> bool:
    if not speaker.exception or speaker.decision is not Decision.DENY:
        return False
    exceptions = engine.evaluate(speaker.exception, document)
    return isinstance(exceptions, list) and any(
        isinstance(names, list) and speaker.suffix in names for names in exceptions
    )


def _messages(answer: Any, fallback: str) -> list[str]:
    """Messages of a set of texts or of objects with msg; a bare true says the rule's name."""
    if answer is UNDEFINED or answer is None or answer is False:
        return []
    if answer is True:
        return [clean(fallback)]
    if isinstance(answer, str):
        return [clean(answer)]
    if isinstance(answer, dict):
        if any(isinstance(answer.get(key), str) for key in _MESSAGE_KEYS):
            return [_message(answer, fallback)]
        # A partial object: each key that holds is a message of its own.
        return [clean(key) for key, value in sorted(answer.items()) if value is not False]
    if isinstance(answer, list):
        return [_message(item, fallback) for item in answer if item is not False]
    return [clean(json.dumps(answer))]


_MESSAGE_KEYS = ("msg", "message", "reason")


def _message(item: Any, fallback: str) -> str:
    if isinstance(item, str):
        return clean(item)
    if isinstance(item, dict):
        for key in _MESSAGE_KEYS:
            if isinstance(item.get(key), str):
                return clean(item[key])
    return clean(json.dumps(item, sort_keys=True)) if item is not True else clean(fallback)
