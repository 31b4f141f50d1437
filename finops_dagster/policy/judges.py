"""The judge over the embedded engine, and what every judge has in common.

Asking an OPA server is next door; reading files is elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from finops_dagster.domain.decisions import Proposal, Verdict
from finops_dagster.policy.bundle import VERDICT, RegoBundle
from finops_dagster.policy.engine import UNDEFINED, EngineError
from finops_dagster.policy.inputs import manifest_input, proposal_input
from finops_dagster.policy.verdicts import unevaluable, verdict_of


class ManifestJudge(Protocol):
    """Something that gives a verdict on a manifest that somebody wrote."""

    bundle: str

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Verdict on `manifest`; `subject` is FILE#DOCUMENT."""
        ...


class BundleJudge(ABC):
    """Makes the input document, has it evaluated and reads the answer; how is the subclass's."""

    def __init__(self, bundle: RegoBundle) -> None:
        self.policies = bundle
        self.bundle = bundle.id

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        """Verdict on `proposal`; the context is described at inputs.proposal_input.

        What cannot be evaluated is denied. Raises Unavailable where a server does not answer.
        """
        try:
            document = proposal_input(proposal, context)
        except (TypeError, RecursionError) as error:
            return unevaluable(
                f"the context is not plain data: {error}", proposal.id, self.policies
            )
        return self._verdict(document, proposal.id)

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Verdict on a manifest; its labels name the environment where none is given.

        What cannot be evaluated is denied. Raises Unavailable where a server does not answer.
        """
        try:
            document = manifest_input(manifest, subject, environment, namespace_labels)
        except (TypeError, RecursionError) as error:
            return unevaluable(f"the manifest is not plain data: {error}", subject, self.policies)
        return self._verdict(document, subject)

    def judge_document(self, document: Mapping[str, Any], subject: str) -> Verdict:
        """Verdict on an input document made elsewhere, such as a sample."""
        return self._verdict(document, subject)

    def _verdict(self, document: Mapping[str, Any], subject: str) -> Verdict:
        try:
            answer = self._answer(document)
        except EngineError as error:
            return unevaluable(str(error), subject, self.policies)
        if answer is UNDEFINED:
            return unevaluable("the bundle has no verdict on it", subject, self.policies)
        return verdict_of(answer, subject, self.policies)

    @abstractmethod
    def _answer(self, document: Mapping[str, Any]) -> Any:
        """Value of data.finops.verdict, or UNDEFINED. Raises EngineError, Unavailable."""


class RegorusJudge(BundleJudge):
    """Evaluates the bundle in this process. Safe to use from several threads."""

    def __init__(self, bundle: RegoBundle) -> None:
        super().__init__(bundle)
        self._engine = bundle.engine()

    def _answer(self, document: Mapping[str, Any]) -> Any:
        return self._engine.evaluate(VERDICT, document)
