"""A value that only a base declares, changed in one overlay: a patch as the repository has them.

Whether the value may be edited where it stands is decided before; the proof afterwards is
verification.py's.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import yaml

from finops_dagster.domain.decisions import Abstained, Edit, Proposal, ValueLocation
from finops_dagster.domain.errors import Stopped
from finops_dagster.domain.fields import Step, field_steps
from finops_dagster.gitops import yaml_text
from finops_dagster.gitops.edits import apply_edits, check_value
from finops_dagster.gitops.refusals import refusal
from finops_dagster.gitops.verification import EditableState, verify

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_FILE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")
_BYTE_ORDER_MARK = "\ufeff"


class _Patches(NamedTuple):
    """How a kustomization lists its patches, and where the next one goes."""

    key: str
    """patches or patchesStrategicMerge; with items, or not there yet."""
    at: int
    """Character after its last item, or after everything."""
    indent: str
    """Of an item's dash."""
    paths: tuple[str, ...]
    """Files of its items, as they are written."""
    inline: bool
    """Every item is written in place."""


def plan_overlay(
    proposal: Proposal,
    location: ValueLocation,
    desired_state: EditableState,
    allowed: Callable[[str], bool],
) -> tuple[Edit, ...] | Abstained:
    """A patch for this resource in the overlay that builds it, or why there is no clear way.

    `location`: a shared one (`ValueLocation.shared`). A new file beside the overlay's patches and
    a line that names it, or, where all of them stand in the kustomization itself, a patch there.
    Proven by reading again: this value of this resource changes, in this overlay alone.
    """
    subject = f"{location.resource} {location.field}"
    try:
        return _planned(location, proposal.proposed, desired_state, allowed)
    except Stopped as refused:
        reason = refused.message.removeprefix(f"{subject}: ")
        return Abstained(subject=subject, reason=f"{location.reason}; {reason}")


def _planned(
    location: ValueLocation, value: str, state: EditableState, allowed: Callable[[str], bool]
) -> tuple[Edit, ...]:
    file, reason = state.overlay(location.resource)
    if reason:
        raise refusal("no_overlay", location, reason)
    if posixpath.dirname(file) == posixpath.dirname(location.file):
        raise refusal("no_overlay", location, "it is not a base's: the root itself shares it")
    source = state.read(file)
    text = source.decode()
    patches = _patches(text, location)
    patch = _patch(location, value, state)
    ending = "\r\n" if "\r\n" in text else "\n"
    edits: tuple[Edit, ...]
    if patches.inline:
        lines = [f"{patches.indent}- patch: |-", *(f"{patches.indent}    {one}" for one in patch)]
        edits = (_inserted(file, text, patches, lines, ending),)
    else:
        name = _file_name(file, patches, location, state)
        new = posixpath.join(posixpath.dirname(file), name)
        item = f"path: {name}" if patches.key == "patches" else name
        edits = (
            _inserted(file, text, patches, [f"{patches.indent}- {item}"], ending),
            Edit(
                file=new, start_byte=0, end_byte=0, before="", creates=True,
                after="".join(f"{line}{ending}" for line in patch),
            ),
        )  # fmt: skip
    for edit in edits:
        if not allowed(edit.file):
            raise refusal(
                "not_allowed", location, f"{edit.file} is not among the paths settings allow"
            )
    changed = {
        edit.file: edit.after.encode() if edit.creates else apply_edits(source, (edit,))
        for edit in edits
    }
    verify(state, state.with_changes(changed), location, value)
    return edits


def _patches(text: str, location: ValueLocation) -> _Patches:
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise refusal("no_overlay", location, "its kustomization cannot be read") from error
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        raise refusal("no_overlay", location, "its kustomization is not one document")
    root = documents[0]
    if root.flow_style:
        raise refusal("no_overlay", location, "its kustomization is written in one flow mapping")
    by_key = {key.value: (key, node) for key, node in root.value}
    lists = [key for key in ("patches", "patchesStrategicMerge") if key in by_key]
    if len(lists) > 1:
        raise refusal("no_overlay", location, "its kustomization lists patches in two ways")
    if not lists:
        return _Patches("patches", _end(root, text), _indent_of_lists(root), (), False)
    _, node = by_key[lists[0]]
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        raise refusal("no_overlay", location, f"its {lists[0]} are not listed line by line")
    items = [_path_of(item) for item in node.value]
    return _Patches(
        lists[0],
        _end(node.value[-1], text),
        " " * node.start_mark.column,
        tuple(path for path in items if path),
        not any(items),
    )


def _path_of(item: yaml.Node) -> str:
    """The file that an item names; empty where the patch is written in place."""
    if isinstance(item, yaml.ScalarNode):
        return "" if "\n" in item.value else str(item.value)
    if isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            if key.value == "path":
                return str(value.value)
    return ""


def _end(node: yaml.Node, text: str) -> int:
    """The end of the line on which a node's last character stands: what follows may be comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    at = len(text[: node.end_mark.index].rstrip())
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    return line_end - 1 if text[line_end - 1 : line_end] == "\r" else line_end


def _indent_of_lists(root: yaml.MappingNode) -> str:
    for _, node in root.value:
        if isinstance(node, yaml.SequenceNode) and not node.flow_style:
            return " " * node.start_mark.column
    return ""


def _inserted(file: str, text: str, patches: _Patches, lines: list[str], ending: str) -> Edit:
    first = not patches.paths and not patches.inline
    written = [f"{patches.key}:", *lines] if first else lines
    at = len(text[: patches.at].encode())
    after = "".join(f"{ending}{line}" for line in written)
    return Edit(file=file, start_byte=at, end_byte=at, before="", after=after)


def _patch(location: ValueLocation, value: str, state: EditableState) -> list[str]:
    """Lines of a strategic merge patch that sets one value, as its base writes it."""
    declared = state.resources()[location.resource]
    named = _named(declared.file, declared.document, state)
    kind = json.loads(declared.manifest).get("kind")
    if named is None or named.get("kind") != kind:
        raise refusal("no_overlay", location, f"{declared.file} is not its manifest")
    source = state.read(location.file)
    raw = source[location.start_byte : location.end_byte].decode()
    if not raw or raw[0] in "|>":
        raise refusal("kind", location, "text of several lines is not patched")
    check_value(location, value)
    alone = location.model_copy(update={"file": "patch.yaml", "start_byte": 3})
    scalar = yaml_text.written(alone, raw, value, b"x: ")
    head = [f"{key}: {_scalar(named[key])}" for key in ("apiVersion", "kind")]
    names = [
        f"  {key}: {_scalar(named['metadata'][key])}"
        for key in ("name", "namespace")
        if key in named["metadata"]
    ]
    steps = field_steps(location.field)
    nested = _nested(location, steps, scalar)
    # What is under metadata goes into the mapping that names it.
    return [*head, "metadata:", *names, *nested[1 if steps[0] == "metadata" else 0 :]]


def _named(file: str, document: int, state: EditableState) -> Mapping[str, Any] | None:
    """The manifest as its file has it: under that name a patch finds it, whatever is put before."""
    try:
        documents = list(yaml.safe_load_all(state.read(file).decode()))
    except yaml.YAMLError:
        return None
    found = documents[document] if document < len(documents) else None
    named = (
        isinstance(found, dict)
        and isinstance(found.get("apiVersion"), str)
        and isinstance(found.get("metadata"), dict)
        and isinstance(found["metadata"].get("name"), str)
        and isinstance(found["metadata"].get("namespace", ""), str)
    )
    return found if named else None


def _nested(location: ValueLocation, steps: list[Step], scalar: str) -> list[str]:
    lines: list[str] = []
    indent, dash = "", ""
    for place, step in enumerate(steps):
        if isinstance(step, int):
            raise refusal("no_overlay", location, "its list has no names that a patch could use")
        if isinstance(step, tuple):
            lines.append(f"{indent}{dash}- {_key(step[0])}: {_scalar(step[1])}")
            indent, dash = f"{indent}  ", ""
            continue
        end = f" {scalar}" if place == len(steps) - 1 else ""
        lines.append(f"{indent}{_key(step)}:{end}")
        following = steps[place + 1] if place + 1 < len(steps) else None
        indent = indent if isinstance(following, tuple) else f"{indent}  "
    return lines


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) else json.dumps(key, ensure_ascii=False)


def _scalar(text: str) -> str:
    """A name as YAML reads it back: plain where any reader takes it for a string."""
    plain = _PLAIN_NAME.match(text) and isinstance(yaml.safe_load(text), str)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _file_name(file: str, patches: _Patches, location: ValueLocation, state: EditableState) -> str:
    """As the overlay's other patches are called: `NAME-resources.yaml`, `patches/NAME.yaml`."""
    name = location.resource.rpartition("/")[2]
    folder, suffix, ending = "", "-patch", ".yaml"
    for path in patches.paths:
        target = _target(posixpath.join(posixpath.dirname(file), path), state)
        base, found = posixpath.split(path)
        stem, extension = posixpath.splitext(found)
        if base.startswith((".", "/")) or not extension:
            continue
        folder, ending = base, extension
        if target and stem.startswith(target):
            suffix = stem.removeprefix(target)
    leaf = re.sub(r"[^a-z0-9]+", "-", location.field.rpartition(".")[2].lower()).strip("-")
    for stem in (f"{name}{suffix}", f"{name}{suffix}-{leaf}"):
        new = posixpath.join(folder, f"{stem}{ending}")
        if _FILE_NAME.match(stem) and state.is_free(posixpath.join(posixpath.dirname(file), new)):
            return new
    raise refusal("no_overlay", location, f"a file called {name}{suffix}{ending} is there already")


def _target(file: str, state: EditableState) -> str:
    """The name of what a patch file changes; empty where it does not say so."""
    try:
        found = yaml.safe_load(
            state.read(posixpath.normpath(file)).decode().lstrip(_BYTE_ORDER_MARK)
        )
        return str(found["metadata"]["name"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        return ""
