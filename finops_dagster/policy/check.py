"""Verdicts on the manifests of files and folders, and the reason for each that got none.

Rendering (Kustomize, Helm) is not done here: what is checked is what is written, with the labels
that overlays add. How files are read is in reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Decision, DeclaredResource, RuleResult
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.beside import JointJudge
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.foreign import ForeignPolicy
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.judges import BundleJudge, RegorusJudge
from finops_dagster.policy.kustomize import Kustomizations
from finops_dagster.policy.reading import Found, files_of, read_subjects
from finops_dagster.policy.subjects import (
    Declared,
    PassedOver,
    Refused,
    Subject,
    resource_name,
    subject_of,
)
from finops_dagster.policy.verdicts import ordered, severest

__all__ = [
    "CheckItem",
    "CheckReport",
    "PassedOver",
    "Refused",
    "check_declared",
    "check_files",
    "check_path",
    "resource_name",
]

_UNKNOWN_RULE = "policy.unknown"
_NOTHING = Declared()


class CheckItem(BaseModel):
    """The verdict on one resource."""

    model_config = ConfigDict(frozen=True)

    file: str
    """POSIX path relative to the path that was checked, or the file's own name."""
    document: int
    """0-based document in the file."""
    line: int
    """1-based line at which the document, or a resource of Terraform, begins."""
    resource: str
    """KIND/NAMESPACE/NAME."""
    verdict: Decision
    rules: tuple[RuleResult, ...]
    action: str = ""
    """What a plan does to it: create, update, replace; empty where no plan was judged."""
    unknown: tuple[str, ...] = ()
    """Paths of values that are known only after it is deployed: nothing is said of them."""


class CheckReport(BaseModel):
    """Every verdict and every refusal, in order of file and document."""

    model_config = ConfigDict(frozen=True)

    items: tuple[CheckItem, ...]
    refused: tuple[Refused, ...]
    bundle: str
    passed_over: tuple[PassedOver, ...] = ()
    """What plans leave as it is, or take away."""

    @property
    def denied(self) -> bool:
        """Whether anything was denied: the check's exit code."""
        return self.count(Decision.DENY) > 0

    def count(self, decision: Decision) -> int:
        """Resources with this verdict."""
        return sum(item.verdict is decision for item in self.items)


Progress = Callable[[int, int], None]
"""(files done, files in all)."""


def check_path(
    path: Path,
    bundle: RegoBundle,
    judge: BundleJudge | None = None,
    foreign: Sequence[ForeignPolicy] = (),
) -> CheckReport:
    """Judge every manifest of `path`, a file or a folder, with `bundle`.

    `judge` answers in place of the embedded engine; `foreign` policies are asked as well, and the
    severest answer counts. Raises SettingsError where `path` does not exist, and Unavailable where
    a judge's server does not answer.
    """
    if not path.exists():
        fault = Fault(
            code="check_path", file=str(path), expected="A file or folder.", hint="Check the path."
        )
        raise SettingsError(f"policy check: {path} does not exist", (fault,))
    return check_files(list(files_of(path)), JointJudge(judge or RegorusJudge(bundle), foreign))


def check_files(
    files: Sequence[Found],
    judge: JointJudge,
    declared: Declared = _NOTHING,
    around: Iterable[Path] = (),
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Judge what `files` declare.

    Labels, annotations and the namespace that a Kustomization among them adds count, for every
    overlay that adds others; so are the labels of a Namespace declared there told to the rules for
    what is in it. Links are not followed. `declared`: what a reader of Terraform and the like made
    of some of them; `around`: files that are not judged, whose Kustomizations count. Raises
    Unavailable where a judge's server does not answer.
    """
    kustomizations = Kustomizations(dict.fromkeys([*(file for file, _ in files), *around]))
    found = [
        one for file, name in files for one in read_subjects(file, name, kustomizations, declared)
    ]
    return _report(found, judge, progress)


def check_declared(
    declared: Iterable[DeclaredResource],
    bundle: RegoBundle,
    judge: BundleJudge | None = None,
    foreign: Sequence[ForeignPolicy] = (),
) -> CheckReport:
    """Judge resources as a repository declares them, rendered: labels that an overlay adds count.

    `line` is 1: the manifest that is judged is not the text of one file. Otherwise as check_path.
    """
    found = [subject_of(one, one.file) for one in declared]
    return _report(found, JointJudge(judge or RegorusJudge(bundle), foreign))


def _report(
    found: Sequence[Subject | Refused | PassedOver],
    judge: JointJudge,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    subjects = [one for one in found if isinstance(one, Subject)]
    namespaces = {
        resource_name(manifest).rpartition("/")[2]: _labels(manifest)
        for subject in subjects
        for manifest in subject.manifests
        if manifest.get("kind") == "Namespace"
    }
    wanted = _wanted(judge.policies)
    items = []
    for done, subject in enumerate(subjects):
        progress(done, len(subjects))
        items.append(_item(subject, judge, namespaces, wanted))
    return CheckReport(
        items=tuple(items),
        refused=tuple(one for one in found if isinstance(one, Refused)),
        bundle=judge.bundle,
        passed_over=tuple(one for one in found if isinstance(one, PassedOver)),
    )


def _item(
    subject: Subject,
    judge: JointJudge,
    namespaces: dict[str, dict[str, str]],
    wanted: Sequence[str],
) -> CheckItem:
    verdicts = [
        judge.judge_document(document, subject.name)
        for document in subject.inputs(namespaces, wanted)
    ]
    rules = [rule for verdict in verdicts for rule in verdict.rules]
    if subject.tags_unknown:
        rules.append(
            RuleResult(
                id=_UNKNOWN_RULE,
                title="Tags are known only after it is deployed",
                decision=Decision.NEEDS_APPROVAL,
                actual="tags that nobody can read yet",
                limit="tags whose keys are known",
                fix="Write the tags' keys where the resource is declared, or have a person look.",
            )
        )
    return CheckItem(
        file=subject.file,
        document=subject.document,
        line=subject.line,
        resource=subject.resource,
        verdict=severest(rule.decision for rule in rules),
        rules=ordered(rules),
        action=subject.action,
        unknown=subject.unknown,
    )


def _wanted(bundle: RegoBundle) -> tuple[str, ...]:
    """One spelling of each label that the bundle asks for; none of a bundle with other limits."""
    node: Any = bundle.data
    for step in ("limits", "labels", "defaults", "keys"):
        node = mapping(node).get(step)
    return tuple(
        str(names[0]) for names in mapping(node).values() if isinstance(names, list) and names
    )


def _labels(content: dict[str, Any]) -> dict[str, str]:
    labels = mapping(mapping(content.get("metadata")).get("labels"))
    return {key: value for key, value in labels.items() if isinstance(value, str)}
