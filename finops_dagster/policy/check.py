"""Verdicts on the manifests of a file or a folder, and the reason for each that got none.

Rendering (Kustomize, Helm) is not done here: what is checked is what is written, with the labels
that overlays add.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Decision, DeclaredResource, RuleResult
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.judges import ManifestJudge, RegorusJudge
from finops_dagster.policy.kustomize import (
    MAX_VIEWS,
    Kustomizations,
    MazeError,
    is_kustomization,
    is_kustomization_file,
)
from finops_dagster.policy.verdicts import clean, ordered, severest

_MANIFESTS = {".yaml", ".yml", ".json"}
_NOT_READ = {".tf", ".tfvars", ".hcl", ".jsonnet", ".cue"}
_SKIPPED_FOLDERS = {".git", ".terraform", "node_modules", ".venv"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class CheckItem(_Frozen):
    """The verdict on one resource."""

    file: str
    """POSIX path relative to the path that was checked, or the file's own name."""
    document: int
    """0-based document in the file."""
    line: int
    """1-based line at which the document begins."""
    resource: str
    """KIND/NAMESPACE/NAME."""
    verdict: Decision
    rules: tuple[RuleResult, ...]


class Refused(_Frozen):
    """What was not judged, and why."""

    file: str
    reason: str
    document: int | None = None
    """0-based, where it is one document of several."""


class CheckReport(_Frozen):
    """Every verdict and every refusal, in order of file and document."""

    items: tuple[CheckItem, ...]
    refused: tuple[Refused, ...]
    bundle: str

    @property
    def denied(self) -> bool:
        """Whether anything was denied: the check's exit code."""
        return any(item.verdict is Decision.DENY for item in self.items)


@dataclass(frozen=True)
class _Resource:
    file: str
    document: int
    line: int
    part: int
    content: dict[str, Any]
    """As it is written."""
    rendered: tuple[dict[str, Any], ...]
    """With what overlays add: once for each that adds something else."""


def check_path(
    path: Path,
    bundle: RegoBundle,
    judge: ManifestJudge | None = None,
    foreign: Sequence[ManifestJudge] = (),
) -> CheckReport:
    """Judge every manifest of `path`, a file or a folder, with `bundle`.

    `judge` answers in place of the embedded engine; `foreign` policies are asked as well, and the
    severest answer counts. Labels, annotations and the namespace that a Kustomization in `path`
    adds count, for every overlay that adds others; so are the labels of a Namespace declared there
    told to the rules for what is in it. Links are not followed. Raises SettingsError where `path`
    does not exist, and Unavailable where a judge's server does not answer.
    """
    if not path.exists():
        fault = Fault(
            code="check_path", file=str(path), expected="A file or folder.", hint="Check the path."
        )
        raise SettingsError(f"policy check: {path} does not exist", (fault,))
    files = list(_files(path))
    kustomizations = Kustomizations(file for file, _ in files)
    resources: list[_Resource] = []
    refused: list[Refused] = []
    for file, name in files:
        for found in _resources(file, name, kustomizations):
            if isinstance(found, Refused):
                refused.append(found)
            else:
                resources.append(found)
    return _report(resources, refused, bundle, [judge or RegorusJudge(bundle), *foreign])


def check_declared(
    declared: Iterable[DeclaredResource],
    bundle: RegoBundle,
    judge: ManifestJudge | None = None,
    foreign: Sequence[ManifestJudge] = (),
) -> CheckReport:
    """Judge resources as a repository declares them, rendered: labels that an overlay adds count.

    `line` is 1: the manifest that is judged is not the text of one file. Otherwise as check_path.
    """
    resources: list[_Resource] = []
    refused: list[Refused] = []
    for each in declared:
        try:
            content = json.loads(each.manifest)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            resources.append(_Resource(each.file, each.document, 1, 0, content, (content,)))
        else:
            refused.append(
                Refused(file=each.file, document=each.document, reason="its manifest is no JSON")
            )
    return _report(resources, refused, bundle, [judge or RegorusJudge(bundle), *foreign])


def _report(
    resources: Sequence[_Resource],
    refused: Sequence[Refused],
    bundle: RegoBundle,
    judges: Sequence[ManifestJudge],
) -> CheckReport:
    namespaces = {
        resource_name(found.content).rpartition("/")[2]: _labels(found.content)
        for found in resources
        if found.content.get("kind") == "Namespace"
    }
    items = [_item(found, judges, namespaces) for found in resources]
    return CheckReport(items=tuple(items), refused=tuple(refused), bundle=bundle.id)


def resource_name(content: dict[str, Any]) -> str:
    """KIND/NAMESPACE/NAME of a manifest, whatever it lacks, as inert text."""
    meta = mapping(content.get("metadata"))
    name = meta.get("name") or meta.get("generateName") or ""
    parts = (content.get("kind"), meta.get("namespace"), name)
    return "/".join(clean(part) if isinstance(part, str) else "" for part in parts)


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in _MANIFESTS | _NOT_READ or is_kustomization_file(file):
                yield file, file.relative_to(path).as_posix()


def _resources(
    file: Path, name: str, kustomizations: Kustomizations
) -> Iterator[_Resource | Refused]:
    if file.is_symlink():
        yield Refused(file=name, reason="a link: what it points to is checked where it is")
        return
    if is_kustomization_file(file):
        yield Refused(file=name, reason="a Kustomization is no resource: check what it renders")
        return
    if file.suffix.lower() not in _MANIFESTS:
        yield Refused(file=name, reason=f"{file.suffix or 'such'} files are not read")
        return
    if file.resolve() in kustomizations.patches:
        yield Refused(file=name, reason="a Kustomize patch: check what it renders")
        return
    try:
        documents = read_documents(file)
        views = kustomizations.views(file)
    except UnreadableError as error:
        yield Refused(file=name, reason=clean(str(error)))
        return
    except MazeError:
        yield Refused(file=name, reason=f"more than {MAX_VIEWS} overlays label it differently")
        return
    if not documents:
        yield Refused(file=name, reason="holds no document")
    for document in documents:
        found = _expand(document.content)
        if isinstance(found, str):
            yield Refused(file=name, reason=found, document=document.index)
            continue
        for part, content in enumerate(found):
            rendered = tuple(view.applied(content) for view in views)
            yield _Resource(name, document.index, document.line, part, content, rendered)


def _expand(content: Any) -> list[dict[str, Any]] | str:
    """The resources that a document holds, or why it holds none."""
    if not isinstance(content, dict):
        return f"no resource: a {'list' if isinstance(content, list) else 'bare value'}"
    functions = functions_of(content)
    if functions is not None:
        return functions or "a template without serverless functions: nothing there is judged"
    kind, version = content.get("kind"), content.get("apiVersion")
    if not isinstance(kind, str) or not kind:
        return "no resource: it has no kind (values, configuration or a patch without one)"
    if is_kustomization(kind, version):
        return f"a {kind} is no resource: check what it renders"
    if version is None and not isinstance(content.get("spec"), dict):
        return "no resource: it has neither apiVersion nor spec"
    if kind.endswith("List") and isinstance(content.get("items"), list):
        items = content["items"]
        if all(isinstance(item, dict) and isinstance(item.get("kind"), str) for item in items):
            return items or "a list without items"
        return "a list with items that have no kind"
    return [content]


def _item(
    found: _Resource, judges: Sequence[ManifestJudge], namespaces: dict[str, dict[str, str]]
) -> CheckItem:
    subject = f"{found.file}#{found.document}"
    if found.part:
        subject = f"{subject}.{found.part}"
    verdicts = []
    for content in found.rendered:
        namespace = mapping(content.get("metadata")).get("namespace")
        labels = namespaces.get(namespace, {}) if isinstance(namespace, str) else {}
        verdicts += [
            judge.judge_manifest(content, subject, namespace_labels=labels) for judge in judges
        ]
    return CheckItem(
        file=found.file,
        document=found.document,
        line=found.line,
        resource=resource_name(found.content),
        verdict=severest(verdict.decision for verdict in verdicts),
        rules=ordered(rule for verdict in verdicts for rule in verdict.rules),
    )


def _labels(content: dict[str, Any]) -> dict[str, str]:
    labels = mapping(mapping(content.get("metadata")).get("labels"))
    return {key: value for key, value in labels.items() if isinstance(value, str)}
