"""Which folders Argo CD and Flux deploy, into which namespace, with which changes of their own.

Nothing is rendered here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finops_dagster.desired_state.kinds import group_of
from finops_dagster.desired_state.nodes import Node, Scalar, mapping, sequence, text_of


@dataclass(frozen=True)
class Deployment:
    """One folder that something applies to a cluster."""

    label: str
    """KIND NAME in FILE, for reasons."""
    folder: str
    file: str
    namespace: str
    """For objects that have none of their own (Argo CD's destination)."""
    changes: dict[str, Node]
    """As in a kustomization: what the deployer itself changes (Flux patches, target namespace)."""
    recursive: bool
    """Whether folders below are applied too, where the folder has no kustomization."""


_Copies = tuple[str, str, tuple[tuple[str, str], ...]]
"""(file, artifact, pairs of a folder in the artifact and one in the repository)."""


def find_deployments(
    documents: Iterable[tuple[str, Node]], folders: frozenset[str]
) -> tuple[Deployment, ...]:
    """Deployments declared by `documents` (file, content) of folders that are in `folders`."""
    found: list[Deployment] = []
    seen = list(documents)
    copies = list(_artifact_copies(seen))
    for file, document in seen:
        kind, group = text_of(mapping(document).get("kind")), group_of(document)
        if kind == "Application" and group == "argoproj.io":
            found.extend(_argo(file, mapping(document)))
        elif kind == "Kustomization" and group == "kustomize.toolkit.fluxcd.io":
            found.extend(_flux(file, mapping(document), copies, folders))
    return tuple(one for one in found if one.folder in folders)


def _label(kind: str, file: str, content: dict[str, Node]) -> str:
    return f"{kind} {text_of(mapping(content.get('metadata')).get('name'))} in {file}"


def _argo(file: str, content: dict[str, Node]) -> Iterator[Deployment]:
    spec = mapping(content.get("spec"))
    namespace = text_of(mapping(spec.get("destination")).get("namespace")) or ""
    for source in (spec.get("source"), *sequence(spec.get("sources"))):
        path = text_of(mapping(source).get("path"))
        if path is None:
            continue
        options = mapping(mapping(source).get("kustomize"))
        changes = {
            key: options[key]
            for key in ("namespace", "namePrefix", "nameSuffix", "patches", "replicas",
                        "commonLabels", "commonAnnotations")
            if key in options
        }  # fmt: skip
        recurse = text_of(mapping(mapping(source).get("directory")).get("recurse")) == "true"
        yield Deployment(
            _label("Application", file, content), _folder(path), file, namespace, changes, recurse
        )


def _flux(
    file: str, content: dict[str, Node], copies: list[_Copies], folders: frozenset[str]
) -> Iterator[Deployment]:
    spec = mapping(content.get("spec"))
    path = _folder(text_of(spec.get("path")) or ".")
    source = mapping(spec.get("sourceRef"))
    if text_of(source.get("kind")) == "ExternalArtifact":
        name = text_of(source.get("name")) or ""
        # Clusters name their artifacts alike: those declared beside are meant first.
        beside = sorted(
            copies, key=lambda one: posixpath.dirname(one[0]) != posixpath.dirname(file)
        )
        found = [_copied(path, pairs) for _, artifact, pairs in beside if artifact == name]
        path = next((one for one in found if one in folders), path)
    changes = {
        key: spec[key] for key in ("patches", "namePrefix", "nameSuffix", "images") if key in spec
    }
    target = spec.get("targetNamespace")
    if isinstance(target, Scalar):
        changes["namespace"] = target
    yield Deployment(_label("Kustomization", file, content), path, file, "", changes, True)


def _artifact_copies(documents: Iterable[tuple[str, Node]]) -> Iterator[_Copies]:
    """From Flux's ArtifactGenerator, which copies parts of a repository to where a Kustomization
    finds them.
    """
    for file, document in documents:
        if text_of(mapping(document).get("kind")) != "ArtifactGenerator":
            continue
        for artifact in sequence(mapping(mapping(document).get("spec")).get("artifacts")):
            pairs: list[tuple[str, str]] = []
            for copy in sequence(mapping(artifact).get("copy")):
                source = text_of(mapping(copy).get("from")) or ""
                target = text_of(mapping(copy).get("to")) or ""
                if source.startswith("@") and source.endswith("/**"):
                    inside = target.partition("/")[2]
                    pairs.append((_folder(inside), _folder(source.partition("/")[2][:-3])))
            yield file, text_of(mapping(artifact).get("name")) or "", tuple(pairs)


def _copied(path: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Where in the repository the folder `path` of an artifact comes from."""
    for inside, outside in sorted(pairs, key=lambda pair: -len(pair[0])):
        if not inside or path == inside or path.startswith(f"{inside}/"):
            return _folder(posixpath.join(outside, posixpath.relpath(path, inside or ".")))
    return path


def _folder(path: str) -> str:
    normal = posixpath.normpath(path.lstrip("/") or ".")
    return "" if normal == "." else normal
