"""What Kustomize reads besides resources: its own files, and patches, which are not whole.

Nothing is rendered here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.inputs import mapping

_NAMES = {"kustomization.yaml", "kustomization.yml", "Kustomization"}
"""https://kubectl.docs.kubernetes.io/references/kustomize/glossary/#kustomization"""
_GROUP = "kustomize.config.k8s.io/"


def is_kustomization_file(file: Path) -> bool:
    """Whether Kustomize reads a file of this name as its own."""
    return file.name in _NAMES


def is_kustomization(kind: str, api_version: Any) -> bool:
    """Whether a document of this kind is Kustomize's own."""
    return (
        kind in {"Kustomization", "Component"}
        and isinstance(api_version, str)
        and api_version.startswith(_GROUP)
    )


def patch_files(files: Iterable[Path]) -> set[Path]:
    """Files, resolved, that a Kustomization among `files` uses as patches.

    A Kustomization that does not read names none; it is refused where it is checked itself.
    """
    found = set()
    for file in files:
        if not is_kustomization_file(file) or file.is_symlink():
            continue
        try:
            documents = read_documents(file)
        except UnreadableError:
            continue
        for document in documents:
            for path in _patches(mapping(document.content)):
                found.add((file.parent / path).resolve())
    return found


def _patches(content: dict[str, Any]) -> Iterator[str]:
    for key in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        entries = content.get(key)
        for entry in entries if isinstance(entries, list) else []:
            path = entry.get("path") if isinstance(entry, dict) else entry
            # A patch may also be written out in place: such text has line breaks.
            if isinstance(path, str) and path and "\n" not in path and "\0" not in path:
                yield path
