"""What kustomize's built-in transformers do to one object: namespace, names, labels, counts.

Which objects they are applied to, and in what order, is not decided here.
"""

from __future__ import annotations

import re

from finops_dagster.desired_state.nodes import Node, Scalar, mapping, text_of

_KEEP_NAME = frozenset({"Namespace", "CustomResourceDefinition", "APIService"})
"""Kinds that prefixes and suffixes pass over (kustomize, builtinconfig/nameprefix)."""

_COUNTED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})

_TEMPLATES = (("spec", "template"), ("spec", "jobTemplate", "spec", "template"))
_POD_SPECS = (("spec",), *((*path, "spec") for path in _TEMPLATES))


def set_namespace(tree: Node, namespace: Scalar, cluster_scoped: bool) -> Node:
    """Every namespaced object moves to `namespace`; a Namespace object takes its name."""
    if text_of(mapping(tree).get("kind")) == "Namespace":
        return _set(tree, ("metadata", "name"), namespace)
    return tree if cluster_scoped else _set(tree, ("metadata", "namespace"), namespace)


def add_affixes(tree: Node, prefix: str, suffix: str, file: str) -> Node:
    """The name with prefix and suffix: no bytes own it any more."""
    name = mapping(mapping(tree).get("metadata")).get("name")
    if text_of(mapping(tree).get("kind")) in _KEEP_NAME or not isinstance(name, Scalar):
        return tree
    made = Scalar(
        f"{prefix}{name.text}{suffix}", "str", file, 0, 0, 0, "kustomize adds a prefix or suffix"
    )
    return _set(tree, ("metadata", "name"), made)


def add_labels(tree: Node, pairs: dict[str, Node], *, selectors: bool, templates: bool) -> Node:
    """Labels on the object, and where asked on its pod template and its selectors."""
    tree = _update(tree, ("metadata", "labels"), pairs, create=True)
    if templates:
        for path in _TEMPLATES:
            if isinstance(_get(tree, path), dict):
                tree = _update(tree, (*path, "metadata", "labels"), pairs, create=True)
    if selectors:
        kind = text_of(mapping(tree).get("kind"))
        path = ("spec", "selector")
        tree = _update(tree, path if kind == "Service" else (*path, "matchLabels"), pairs)
    return tree


def add_annotations(tree: Node, pairs: dict[str, Node]) -> Node:
    """Annotations on the object and its pod template."""
    tree = _update(tree, ("metadata", "annotations"), pairs, create=True)
    for path in _TEMPLATES:
        if isinstance(_get(tree, path), dict):
            tree = _update(tree, (*path, "metadata", "annotations"), pairs, create=True)
    return tree


def set_replicas(tree: Node, count: Scalar) -> Node:
    """`spec.replicas` of the kinds that have it."""
    if text_of(mapping(tree).get("kind")) not in _COUNTED:
        return tree
    return _set(tree, ("spec", "replicas"), count)


def set_images(tree: Node, images: list[dict[str, Node]], file: str) -> Node:
    """Container images renamed or retagged: no bytes own the result as a whole."""
    for path in _POD_SPECS:
        for group in ("containers", "initContainers"):
            containers = _get(tree, (*path, group))
            if isinstance(containers, list):
                changed: list[Node] = [_with_image(item, images, file) for item in containers]
                tree = _set(tree, (*path, group), changed)
    return tree


def _with_image(container: Node, images: list[dict[str, Node]], file: str) -> Node:
    image = text_of(mapping(container).get("image"))
    if image is None:
        return container
    bare, _, digest = image.partition("@")
    match = re.fullmatch(r"(.*?)(?::([^/:]+))?", bare)
    name, tag = (match[1], match[2] or "") if match else (bare, "")
    touched = False
    for entry in images:
        if text_of(entry.get("name")) != name:
            continue
        touched = True
        name = text_of(entry.get("newName")) or name
        if text_of(entry.get("newTag")):
            tag, digest = text_of(entry.get("newTag")) or "", ""
        tag += text_of(entry.get("tagSuffix")) or ""
        if text_of(entry.get("digest")):
            tag, digest = "", text_of(entry.get("digest")) or ""
    if not touched:
        return container
    text = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    made = Scalar(text, "str", file, 0, 0, 0, "kustomize sets the image")
    return {**mapping(container), "image": made}


def _get(node: Node, path: tuple[str, ...]) -> Node | None:
    found: Node | None = node
    for step in path:
        found = mapping(found).get(step)
    return found


def _set(node: Node, path: tuple[str, ...], value: Node) -> Node:
    if not path:
        return value
    content = mapping(node)
    return {**content, path[0]: _set(content.get(path[0], {}), path[1:], value)}


def _update(
    tree: Node, path: tuple[str, ...], pairs: dict[str, Node], *, create: bool = False
) -> Node:
    old = _get(tree, path)
    if not isinstance(old, dict) and not create:
        return tree
    return _set(tree, path, {**mapping(old), **pairs})
