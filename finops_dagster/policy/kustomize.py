"""What Kustomize makes of the resources it lists: which files are patches, which labels are added.

Nothing is rendered here: only labels, annotations and the namespace, which rules read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.inputs import mapping

_NAMES = {"kustomization.yaml", "kustomization.yml", "Kustomization"}
"""https://kubectl.docs.kubernetes.io/references/kustomize/glossary/#kustomization"""
_GROUP = "kustomize.config.k8s.io/"
MAX_VIEWS = 64
"""Overlays that give one resource different labels; more is a maze, and refused."""


class MazeError(Exception):
    """A resource is reached in too many different ways to judge each."""


@dataclass(frozen=True)
class View:
    """What one overlay, and all between it and the resource, add to a resource."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    namespace: str = ""

    def inside(self, outer: View) -> View:
        """This addition, made first, with `outer` applied to its outcome."""
        return View(
            self.labels | outer.labels,
            self.annotations | outer.annotations,
            outer.namespace or self.namespace,
        )

    def applied(self, content: dict[str, Any]) -> dict[str, Any]:
        """`content` with the additions in its metadata; `content` itself is left as it is."""
        if self == View():
            return content
        meta = mapping(content.get("metadata"))
        if self.labels:
            meta["labels"] = mapping(meta.get("labels")) | self.labels
        if self.annotations:
            meta["annotations"] = mapping(meta.get("annotations")) | self.annotations
        if self.namespace:
            meta["namespace"] = self.namespace
        return content | {"metadata": meta}


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


class Kustomizations:
    """Every Kustomization among some files, and how they include one another."""

    def __init__(self, files: Iterable[Path]) -> None:
        """One that does not read includes nothing; it is refused where it is checked itself."""
        self._contents: dict[Path, dict[str, Any]] = {}
        for file in files:
            if is_kustomization_file(file) and not file.is_symlink():
                self._contents[file.parent.resolve()] = _content(file)
        self._including: dict[Path, list[Path]] = {}
        for folder, content in self._contents.items():
            for path in _paths(content, ("resources", "bases")):
                self._including.setdefault((folder / path).resolve(), []).append(folder)
        self.patches = frozenset(
            (folder / path).resolve()
            for folder, content in self._contents.items()
            for path in _patches(content)
        )
        """Files, resolved, that are used as patches."""
        self._known: dict[Path, list[View]] = {}

    def views(self, file: Path) -> list[View]:
        """What each overlay that reaches `file` adds; one empty view where none does.

        Raises MazeError.
        """
        return self._views(file.resolve())

    def _views(self, at: Path) -> list[View]:
        if at in self._known:
            return self._known[at]
        # What includes itself, which Kustomize refuses, is reached from nowhere else.
        self._known[at] = []
        own = self._additions(at, ())
        found: dict[str, View] = {}
        for folder in self._including.get(at, []):
            for outer in self._views(folder):
                view = own.inside(outer)
                key = json.dumps([view.labels, view.annotations, view.namespace], sort_keys=True)
                found[key] = view
                if len(found) > MAX_VIEWS:
                    raise MazeError
        self._known[at] = list(found.values()) or [own]
        return self._known[at]

    def _additions(self, folder: Path, within: tuple[Path, ...]) -> View:
        """What the Kustomization of `folder` adds itself, its components' additions with it."""
        content = self._contents.get(folder)
        if content is None or folder in within:
            return View()
        view = View()
        for path in _paths(content, ("components",)):
            view = view.inside(self._additions((folder / path).resolve(), (*within, folder)))
        labels = _texts(content.get("commonLabels"))
        entries = content.get("labels")
        for entry in entries if isinstance(entries, list) else []:
            labels |= _texts(mapping(entry).get("pairs"))
        namespace = content.get("namespace")
        return view.inside(
            View(
                labels,
                _texts(content.get("commonAnnotations")),
                namespace if isinstance(namespace, str) else "",
            )
        )


def _content(file: Path) -> dict[str, Any]:
    try:
        documents = read_documents(file)
    except UnreadableError:
        return {}
    return mapping(documents[0].content) if documents else {}


def _paths(content: dict[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        entries = content.get(key)
        for path in entries if isinstance(entries, list) else []:
            if isinstance(path, str) and _is_path(path):
                yield path


def _patches(content: dict[str, Any]) -> Iterator[str]:
    for key in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        entries = content.get(key)
        for entry in entries if isinstance(entries, list) else []:
            path = entry.get("path") if isinstance(entry, dict) else entry
            if isinstance(path, str) and _is_path(path):
                yield path


def _is_path(text: str) -> bool:
    """Patches may be written out in place, which has line breaks; resources may be addresses."""
    return bool(text) and "\n" not in text and "\0" not in text and "://" not in text


def _texts(value: Any) -> dict[str, str]:
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}
