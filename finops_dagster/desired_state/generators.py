"""What kustomize's configMapGenerator makes, as far as files of the repository tell.

Which resources it is merged into, and when, is the business of kustomize.py.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from finops_dagster.desired_state.nodes import Node, Scalar, mapping, sequence, text_of


def config_map(entry: dict[str, Node], file: str, files: Mapping[str, bytes]) -> Node | None:
    """The ConfigMap of one entry of the kustomization `file`; None if it has no name.

    Its name lacks the hash that kustomize appends. The value of a key that is read from a file has
    no text; its bytes are the whole file's, where the file is among `files`.
    """
    name = entry.get("name")
    if not isinstance(name, Scalar):
        return None
    metadata: dict[str, Node] = {"name": name}
    if "namespace" in entry:
        metadata["namespace"] = entry["namespace"]
    options = mapping(entry.get("options"))
    for key in ("labels", "annotations"):
        if mapping(options.get(key)):
            metadata[key] = options[key]

    def said(text: str) -> Scalar:
        return Scalar(text, "str", file, name.document, 0, 0, "configMapGenerator makes it")

    data: dict[str, Node] = {}
    for literal in sequence(entry.get("literals")):
        key, equals, value = (text_of(literal) or "").partition("=")
        if equals:
            data[key] = said(value.strip("\"'"))
    for key, path in _files(entry, posixpath.dirname(file)):
        size = len(files.get(path, b""))
        reason = f"configMapGenerator reads it from {path}"
        data[key] = Scalar("", "str", path, 0, 0, size, reason)
    return {
        "apiVersion": said("v1"), "kind": said("ConfigMap"), "metadata": metadata, "data": data,
    }  # fmt: skip


def merged_map(below: Node, above: Node) -> Node:
    """A generated map over one of the same name (behavior: merge)."""
    data = {**mapping(mapping(below).get("data")), **mapping(mapping(above).get("data"))}
    return {**mapping(below), "data": data}


def named_files(content: dict[str, Node], folder: str) -> set[str]:
    """Files that the generators of a kustomization read."""
    return {
        path
        for key in ("configMapGenerator", "secretGenerator")
        for entry in sequence(content.get(key))
        for _, path in _files(mapping(entry), folder)
    }


def _files(entry: dict[str, Node], folder: str) -> Iterator[tuple[str, str]]:
    """(key, path in the repository) of the files that an entry reads."""
    for item in sequence(entry.get("files")):
        key, equals, path = (text_of(item) or "").partition("=")
        path = path if equals else key
        yield (
            (key if equals else posixpath.basename(path)),
            posixpath.normpath(posixpath.join(folder, path)),
        )
