"""Which resources a patch is meant for, and one resource patched.

Files, folders and the order of things are kustomize.py's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from finops_dagster.desired_state.kinds import group_of, is_built_in
from finops_dagster.desired_state.nodes import Node, Scalar, mapping, text_of
from finops_dagster.desired_state.patches import PatchFailedError, json_patch, strategic_merge


@dataclass(frozen=True)
class Resource:
    """One Kubernetes object on its way through kustomize."""

    tree: Node
    file: str
    document: int
    past: tuple[tuple[str, str, str], ...] = ()
    """(kind, namespace, name) it had before: patches may use any of them."""
    partial: bool = False
    """Known from patches alone: its own file could not be read."""

    @property
    def identity(self) -> tuple[str, str, str]:
        content = mapping(self.tree)
        metadata = mapping(content.get("metadata"))
        return (
            text_of(content.get("kind")) or "",
            text_of(metadata.get("namespace")) or "",
            text_of(metadata.get("name")) or "",
        )

    def with_tree(self, tree: Node) -> Resource:
        """Changed content; the identity it had is kept among the past ones."""
        changed = replace(self, tree=tree)
        if changed.identity == self.identity:
            return changed
        return replace(changed, past=(*self.past, self.identity))


Selects = Callable[[Resource, tuple[str, str, str]], bool]
"""Whether a patch is meant for a resource under one of its identities."""


def patched(tree: Node, patch: Node, *, create: bool) -> Node | None:
    if isinstance(patch, list):
        return json_patch(tree, patch, create=create)
    merged = strategic_merge(tree, patch, built_in=is_built_in(tree))
    if merged is None:
        return None
    # What names the resource stays the resource's own: a patch repeats it only to be matched.
    before, after = mapping(tree), dict(mapping(merged))
    for key in ("apiVersion", "kind"):
        if key in before:
            after[key] = before[key]
    old_metadata, metadata = mapping(before.get("metadata")), dict(mapping(after.get("metadata")))
    for key in ("name", "namespace"):
        if key in old_metadata:
            metadata[key] = old_metadata[key]
        else:
            metadata.pop(key, None)
    return {**after, "metadata": metadata}


def by_target(target: dict[str, Node]) -> Selects:
    """Kustomize's selector: anchored regular expressions, labels by equality."""
    patterns = {key: text_of(target.get(key)) for key in ("kind", "name", "namespace")}
    group, version = text_of(target.get("group")), text_of(target.get("version"))
    wanted = {
        field_name: text_of(target.get(key))
        for field_name, key in (("labels", "labelSelector"), ("annotations", "annotationSelector"))
    }

    def selects(resource: Resource, identity: tuple[str, str, str]) -> bool:
        kind, namespace, name = identity
        content = mapping(resource.tree)
        metadata = mapping(content.get("metadata"))
        api = text_of(content.get("apiVersion")) or ""
        return (
            _matches(patterns["kind"], kind)
            and _matches(patterns["name"], name)
            and _matches(patterns["namespace"], namespace or "default")
            and (not group or group == api.rpartition("/")[0])
            and (not version or version == api.rpartition("/")[2])
            and all(
                _has_labels(mapping(metadata.get(field_name)), selector)
                for field_name, selector in wanted.items()
                if selector
            )
        )

    return selects


def _matches(pattern: str | None, text: str) -> bool:
    if not pattern or pattern == text:
        return True
    if len(pattern) > 300:
        raise PatchFailedError("its target is not a sane pattern")
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error as error:
        raise PatchFailedError(f"its target {pattern!r} is not a pattern") from error


def _has_labels(labels: dict[str, Node], selector: str) -> bool:
    for term in selector.split(","):
        key, equals, value = term.replace("==", "=").partition("=")
        if not equals or "!" in term or "(" in term:
            raise PatchFailedError(f"label selector {selector!r} is not understood: not yet")
        if text_of(labels.get(key.strip())) != value.strip():
            return False
    return True


def by_patch(patch: Node) -> Selects:
    """A strategic merge patch without a target names its resource itself."""
    content = mapping(patch)
    metadata = mapping(content.get("metadata"))
    wanted = (
        text_of(content.get("kind")) or "",
        text_of(metadata.get("namespace")) or "default",
        text_of(metadata.get("name")) or "",
    )
    group = group_of(patch)

    def selects(resource: Resource, identity: tuple[str, str, str]) -> bool:
        kind, namespace, name = identity
        return (kind, namespace or "default", name) == wanted and group_of(resource.tree) == group

    return selects


def known_from_patch(patch: Node, target: dict[str, Node], source: str) -> Resource | None:
    """What a patch alone says of a resource that could not be read, if it names exactly one."""
    content = mapping(patch)
    kind = target.get("kind") or content.get("kind")
    name = target.get("name") or mapping(content.get("metadata")).get("name")
    if not isinstance(kind, Scalar) or not isinstance(name, Scalar):
        return None
    if re.search(r"[^A-Za-z0-9-]", name.text + kind.text):
        return None
    metadata: dict[str, Node] = {"name": name}
    namespace = target.get("namespace") or mapping(content.get("metadata")).get("namespace")
    if isinstance(namespace, Scalar):
        metadata["namespace"] = namespace
    tree: Node = {"kind": kind, "metadata": metadata}
    made = patched(tree, patch, create=True)
    return Resource(made, source, name.document, partial=True) if made is not None else None
