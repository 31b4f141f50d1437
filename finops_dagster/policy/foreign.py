"""Other people's policies, run unchanged: admission requests, Gatekeeper reviews, bare manifests.

Their deny, violation and warn sets become rules of a Verdict. Our own bundle is not known here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision, RuleResult, Verdict
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.engine import UNDEFINED, EngineError, RegoEngine, Source
from finops_dagster.policy.inputs import mapping, plain
from finops_dagster.policy.shapes import SHAPES, Shape
from finops_dagster.policy.verdicts import clean, ordered, severest

_SPEAKING = re.compile(r"^(deny|violation|warn)(_\w+)?(?=[\s\[({:=]|$)", re.MULTILINE)
_ASKS = re.compile(r"\binput\s*(?:\.\s*|\[\s*\")(request|review)\b")
_DECISIONS = {
    "deny": Decision.DENY,
    "violation": Decision.DENY,
    "warn": Decision.NEEDS_APPROVAL,
}
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _Speaker:
    rule: str
    """Full path, data.…"""
    id: str
    decision: Decision


class ForeignPolicy:
    """One Rego file of somebody else's, in an engine of its own, as a judge of manifests."""

    def __init__(
        self,
        name: str,
        engine: RegoEngine,
        speakers: tuple[_Speaker, ...],
        shape: Shape,
        bundle: str,
        parameters: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.bundle = bundle
        self._engine = engine
        self._speakers = speakers
        self._shape = shape
        self._parameters = parameters

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Verdict on `manifest`, and on the pods it makes: that is where admission meets them.

        A policy that fails on it denies it. Environment and labels of the namespace are not part
        of what such policies read.
        """
        document = plain(manifest)
        rules = [
            rule
            for shaped in self._shape(document, self._parameters)
            for speaker in self._speakers
            for rule in self._ask(speaker, shaped)
        ]
        return Verdict(
            subject=subject,
            decision=severest(rule.decision for rule in rules),
            rules=ordered(rules),
            bundle=self.bundle,
        )

    def _ask(self, speaker: _Speaker, document: Mapping[str, Any]) -> list[RuleResult]:
        try:
            answer = self._engine.evaluate(speaker.rule, document)
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
            for message in _messages(answer, speaker.id)
        ]


def load_foreign(path: Path, parameters: Mapping[str, Any] | None = None) -> ForeignPolicy:
    """The policy in the Rego file `path`, for check_path or by itself.

    Read as Rego v1, and where it does not parse as that, as the Rego before it (v0). What it reads
    decides what it is given: `input.request` an admission review (Kubernetes,
    admission.k8s.io/v1), `input.review` what Gatekeeper gives with `parameters`, else the manifest
    itself. Raises SettingsError for a file that does not compile or has no deny, violation or warn
    rule.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path, "cannot be read as text", "Check the path.") from error
    if len(content) > _MAX_BYTES:
        raise _broken(path, f"is larger than {_MAX_BYTES} bytes", "Split it.")
    engine = _compiled(path, text)
    names = sorted({found.group(0) for found in _SPEAKING.finditer(text)})
    speakers = tuple(
        _Speaker(
            rule=f"{package}.{name}",
            id=f"{package.removeprefix('data.')}.{name}",
            decision=_DECISIONS[name.partition("_")[0]],
        )
        for package in engine.packages()
        for name in names
    )
    if not speakers:
        raise _broken(path, "has no deny, violation or warn rule", "Only these speak.")
    asked = _ASKS.search(text)
    given = plain(dict(parameters or {}))
    told = json.dumps(given, sort_keys=True).encode()
    return ForeignPolicy(
        name=path.name,
        engine=engine,
        speakers=speakers,
        shape=SHAPES[asked.group(1) if asked else "manifest"],
        bundle=f"foreign-{hashlib.sha256(content + told).hexdigest()[:16]}",
        parameters=mapping(given),
    )


def _compiled(path: Path, text: str) -> RegoEngine:
    source = (Source(path.name, text),)
    try:
        return RegoEngine(source, version=1)
    except EngineError as modern:
        try:
            return RegoEngine(source, version=0)
        except EngineError as older:
            raise _broken(
                path, f"is Rego neither as v1 ({modern}) nor as v0 ({older})", "Mend the Rego."
            ) from older


def _messages(answer: Any, fallback: str) -> list[str]:
    """Messages of a set of texts or of objects with msg; a bare true says the rule's name."""
    if answer is UNDEFINED or answer is None or answer is False:
        return []
    if answer is True:
        return [clean(fallback)]
    if isinstance(answer, str):
        return [clean(answer)]
    if isinstance(answer, dict):
        # A partial object: each key that holds is a message of its own.
        return [clean(key) for key, value in sorted(answer.items()) if value is not False]
    if isinstance(answer, list):
        return [_message(item, fallback) for item in answer]
    return [clean(json.dumps(answer))]


def _message(item: Any, fallback: str) -> str:
    if isinstance(item, str):
        return clean(item)
    if isinstance(item, dict):
        for key in ("msg", "message", "reason"):
            if isinstance(item.get(key), str):
                return clean(item[key])
    return clean(json.dumps(item, sort_keys=True)) if item is not True else clean(fallback)


def _broken(path: Path, what: str, hint: str) -> SettingsError:
    fault = Fault(
        code="foreign_policy", file=path.name, expected=f"A Rego policy; it {what}.", hint=hint
    )
    return SettingsError(f"policy {path.name} {what}", (fault,))
