"""Files to subjects: manifests with what overlays add, plans, and what other readers made of them.

What cannot be judged is refused with a reason. No judge is known here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.kustomize import (
    MAX_VIEWS,
    Kustomizations,
    MazeError,
    is_kustomization,
    is_kustomization_file,
)
from finops_dagster.policy.plans import read_plan
from finops_dagster.policy.subjects import (
    Declared,
    PassedOver,
    Refused,
    Subject,
    resource_name,
    subject_of,
)
from finops_dagster.policy.verdicts import clean

Found = tuple[Path, str]
"""A file, and the name it goes by in the report."""

_MANIFESTS = {".yaml", ".yml", ".json", ""}
"""And what has no suffix, where it is named itself."""
_OTHER = {".tf", ".tofu", ".tfvars", ".hcl", ".template", ".jsonnet", ".cue"}
_SKIPPED_FOLDERS = {".git", ".terraform", "node_modules", ".venv"}


def files_of(path: Path, prefix: str = "") -> Iterator[Found]:
    """Files under `path` that declare something, or may seem to, by their names; itself if a file.

    `prefix` is put before the names of files of a folder, which start from it.
    """
    if not path.is_dir():
        yield path, prefix or path.name
        return
    wanted = (_MANIFESTS | _OTHER) - {""}
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in wanted or is_kustomization_file(file):
                inside = file.relative_to(path).as_posix()
                yield file, f"{prefix}/{inside}" if prefix else inside


def read_subjects(
    file: Path, name: str, kustomizations: Kustomizations, declared: Declared
) -> Iterator[Subject | Refused | PassedOver]:
    """What is to be judged of one file, what of it is not, and why not."""
    if file.is_symlink():
        yield Refused(file=name, reason="a link: what it points to is checked where it is")
        return
    if is_kustomization_file(file):
        yield Refused(file=name, reason="a Kustomization is no resource: check what it renders")
        return
    at = file.resolve()
    if at in declared.claimed:
        for resource, line, unknown in declared.resources.get(at, ()):
            yield subject_of(resource, name, line, unknown)
        if at in declared.refused:
            yield Refused(file=name, reason=clean(declared.refused[at]))
        return
    try:
        plan = read_plan(file, name)
        if plan is not None:
            yield from plan
            return
        if file.suffix.lower() not in _MANIFESTS:
            yield Refused(file=name, reason=f"{file.suffix} files are not read")
            return
        if at in kustomizations.patches:
            yield Refused(file=name, reason="a Kustomize patch: check what it renders")
            return
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
            yield Subject(
                file=name,
                document=document.index,
                line=document.line,
                resource=resource_name(content),
                part=part,
                manifests=rendered,
            )


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
    if kind == "AdmissionReview":
        asked = mapping(mapping(content.get("request")).get("object"))
        return [asked] if isinstance(asked.get("kind"), str) else "an admission of no object"
    if version is None and not isinstance(content.get("spec"), dict):
        return "no resource: it has neither apiVersion nor spec"
    if kind.endswith("List") and isinstance(content.get("items"), list):
        items = content["items"]
        if all(isinstance(item, dict) and isinstance(item.get("kind"), str) for item in items):
            return items or "a list without items"
        return "a list with items that have no kind"
    return [content]
