"""Our bundle and other people's policies as one judge: the severest answer counts.

Who answers for the bundle, an engine or a server, is given; how others are asked is in foreign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Proposal, Verdict
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.foreign import ForeignPolicy, load_foreign
from finops_dagster.policy.foreign_sources import broken
from finops_dagster.policy.judges import BundleJudge, ManifestJudge
from finops_dagster.policy.verdicts import lowest, ordered, rung_of, severest


class JointJudge:
    """Asks the bundle, then everybody beside it. Approvers are the bundle's, and so is
    the rung, save where a severer answer of others lowers it.

    `bundle` names all of them: another policy beside it, and it is another.
    """

    def __init__(self, own: BundleJudge, beside: Sequence[ForeignPolicy] = ()) -> None:
        self.own = own
        self.beside = tuple(beside)
        self.bundle = own.bundle
        if beside:
            every = " ".join([own.bundle, *(one.bundle for one in beside)])
            self.bundle = f"bundle-{hashlib.sha256(every.encode()).hexdigest()[:16]}"

    @property
    def policies(self) -> RegoBundle:
        """Our own bundle."""
        return self.own.policies

    def judge(self, proposal: Proposal, context: Mapping[str, Any]) -> Verdict:
        """Verdict on `proposal`; see BundleJudge.judge."""
        return self._joined(
            self.own.judge(proposal, context), lambda one: one.judge(proposal, context)
        )

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Verdict on a manifest; see BundleJudge.judge_manifest."""

        def asked(judge: ManifestJudge) -> Verdict:
            return judge.judge_manifest(manifest, subject, environment, namespace_labels)

        return self._joined(asked(self.own), asked)

    def judge_document(self, document: Mapping[str, Any], subject: str) -> Verdict:
        """Verdict on an input document; see BundleJudge.judge_document."""
        return self._joined(
            self.own.judge_document(document, subject),
            lambda one: one.judge_document(document, subject),
        )

    def _joined(self, verdict: Verdict, ask: Callable[[ForeignPolicy], Verdict]) -> Verdict:
        verdicts = [verdict, *(ask(one) for one in self.beside)]
        decision = severest(one.decision for one in verdicts)
        rung, reason = lowest(verdict.rung, rung_of(decision)), verdict.rung_reason
        if rung is not verdict.rung:
            severe = {r.id for one in verdicts[1:] for r in one.rules if r.decision is decision}
            reason = f"{decision.value} by {', '.join(sorted(severe))}"
        return verdict.model_copy(
            update={
                "decision": decision,
                "rung": rung,
                "rung_reason": reason,
                "rules": ordered(rule for one in verdicts for rule in one.rules),
                "bundle": self.bundle,
            }
        )


def load_beside(path: Path, parameters: Path | None = None) -> ForeignPolicy:
    """Other people's policies at `path`, with the parameters that a YAML or JSON file holds.

    Raises SettingsError.
    """
    if parameters is None:
        return load_foreign(path)
    try:
        documents = read_documents(parameters)
    except UnreadableError as error:
        raise broken(parameters, f"cannot be read: {error}", "Mend the parameters.") from error
    if len(documents) != 1 or not isinstance(documents[0].content, dict):
        raise broken(parameters, "holds no single mapping", "Write the parameters as one mapping.")
    return load_foreign(path, documents[0].content)
