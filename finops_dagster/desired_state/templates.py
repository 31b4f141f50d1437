"""Helm templates so plain that what they make is certain: whole values put at fixed places.

This is no template engine. A template is either made of the few forms below, each of which puts
one value at one place whatever the value is, or it is refused with the line that is not understood.
Understood are, with PATH a chain of plain keys:

    key: {{ .Values.PATH }}                     also with `| quote`, and within longer text
    key: {{- toYaml .Values.PATH | nindent N }} also on the line below its key, and with `indent`
    {{ .Release.Name }} {{ .Release.Namespace }} {{ .Chart.Name }} {{ .Chart.Version }} ...
    {{/* a comment */}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from finops_dagster.desired_state.nodes import Node, Scalar, parse_file, plain_kind

_MARK = re.compile("\ue000([0-9]+)\ue001")
_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}[ \t]*\n?", re.DOTALL)
_BLOCK = re.compile(
    r"(?P<head>^[ ]*(?:-[ ]+)?[A-Za-z0-9_./-]+:)[ ]*"
    r"(?:\{\{-|\{\{|\n[ ]*\{\{-?)\s*toYaml\s+\.Values\.(?P<path>[\w.]+)\s*"
    r"\|\s*nindent\s+(?P<width>[0-9]{1,3})\s*\}\}[ ]*$",
    re.MULTILINE,
)
_BLOCK_BELOW = re.compile(
    r"(?P<head>^[ ]*(?:-[ ]+)?[A-Za-z0-9_./-]+:)[ ]*\n"
    r"\{\{\s*toYaml\s+\.Values\.(?P<path>[\w.]+)\s*\|\s*indent\s+(?P<width>[0-9]{1,3})\s*\}\}[ ]*$",
    re.MULTILINE,
)
_INLINE = re.compile(
    r"\{\{\s*\.(?P<root>Values|Release|Chart)\.(?P<path>[\w.]+)\s*(?P<quote>\|\s*quote\s*)?\}\}"
)
_ACTION = re.compile(r"\{\{.*?(?:\}\}|\Z)", re.DOTALL)

_SIMPLE_TEXT = re.compile(r"[A-Za-z0-9][\w./@-]*(:[\w./@-]+)*\Z", re.ASCII)
_SIMPLE_NUMBER = re.compile(r"(0|[1-9][0-9]{0,5})\Z")
"""Helm reads numbers as 64-bit floats: from seven digits on, `{{ }}` writes 1e+06."""

_WRITTEN = "it is written in a Helm template: templates are not edited"
MADE = "a Helm template makes it of values and other text"


class NotPlainError(ValueError):
    """The template has a form that is not understood; the message says which, and where."""


@dataclass(frozen=True)
class Scope:
    """What a template may speak of."""

    values: Mapping[str, Node]
    release: Mapping[str, str]
    chart: Mapping[str, str]


@dataclass(frozen=True)
class _Slot:
    root: str
    path: str
    line: int
    tree: bool = False
    quote: bool = False


def render_template(data: bytes, file: str, scope: Scope | None) -> tuple[Node, ...]:
    """The documents that a template makes; values keep the bytes they come from.

    Without a scope every value reads x: for a look at the forms alone. Raises NotPlainError where
    it is not certain what is made.
    """
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NotPlainError("it is not UTF-8") from error
    if _MARK.search(text):
        raise NotPlainError("it holds characters of private use")
    slots: list[_Slot] = []
    marked = _marked(text, slots).encode()
    parsed = parse_file(marked, file)
    if parsed.error:
        raise NotPlainError(f"without its actions it is {parsed.error}")
    return tuple(_Filling(marked, slots, scope).fill(one) for one in parsed.documents)


def why_not_plain(data: bytes, file: str) -> str:
    """What of a template is not understood; empty where all its forms are."""
    try:
        render_template(data, file, None)
    except NotPlainError as error:
        return str(error)
    return ""


def _marked(text: str, slots: list[_Slot]) -> str:
    """The text with a mark for each action that is understood; appends what the marks mean."""
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)

    def block(found: re.Match[str]) -> str:
        # What is put below a key must be deeper than the key, or it is no part of its value.
        head = found["head"]
        if int(found["width"]) <= len(head) - len(head.lstrip(" -")):
            return found[0]
        slots.append(_Slot("Values", found["path"], _line(text, found.start()), tree=True))
        return f"{head} \ue000{len(slots) - 1}\ue001" + "\n" * found[0].count("\n")

    def inline(found: re.Match[str]) -> str:
        slots.append(_Slot(found["root"], found["path"], _line(text, found.start()),
                           quote=found["quote"] is not None))  # fmt: skip
        return f"\ue000{len(slots) - 1}\ue001"

    for pattern, replace in ((_BLOCK, block), (_BLOCK_BELOW, block), (_INLINE, inline)):
        text = pattern.sub(replace, text)
    left = _ACTION.search(text)
    if left is not None:
        shown = " ".join(left[0].split())[:60]
        raise NotPlainError(f"line {_line(text, left.start())} has {shown}")
    return text


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


class _Filling:
    """Puts the values where the marks are, in the documents of one template."""

    def __init__(self, marked: bytes, slots: list[_Slot], scope: Scope | None) -> None:
        self._marked = marked
        self._slots = slots
        self._scope = scope

    def fill(self, node: Node) -> Node:
        if isinstance(node, dict):
            if any("\ue000" in key for key in node):
                raise NotPlainError("it makes keys")
            return {key: self.fill(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.fill(item) for item in node]
        marks = list(_MARK.finditer(node.text))
        if not marks:
            return Scalar(node.text, node.kind, node.file, node.document, 0, 0, _WRITTEN)
        if len(marks) == 1 and marks[0][0] == node.text:
            return self._whole(node, self._slots[int(marks[0][1])])
        parts: list[str] = []
        at = 0
        reason = _WRITTEN
        for mark in marks:
            slot = self._slots[int(mark[1])]
            reason = MADE if slot.root == "Values" else reason
            if slot.tree or slot.quote:
                raise NotPlainError(f"line {slot.line} puts a whole value within other text")
            parts += [node.text[at : mark.start()], self._scalar(slot, node).text]
            at = mark.end()
        text = "".join([*parts, node.text[at:]])
        return Scalar(text, node.kind, node.file, node.document, 0, 0, reason)

    def _whole(self, node: Scalar, slot: _Slot) -> Node:
        quoted = self._marked[node.start : node.start + 1] in (b'"', b"'", b"|", b">")
        if quoted and (slot.tree or slot.quote):
            raise NotPlainError(f"line {slot.line} puts a whole value in quotes")
        if slot.tree:
            return self._found(slot, node)
        return _typed(self._scalar(slot, node), quoted=quoted or slot.quote)

    def _scalar(self, slot: _Slot, at: Scalar) -> Scalar:
        found = self._found(slot, at)
        if not isinstance(found, Scalar):
            raise NotPlainError(f"line {slot.line} puts .{slot.root}.{slot.path} in a text")
        return found

    def _found(self, slot: _Slot, at: Scalar) -> Node:
        scope = self._scope
        if scope is None:
            return Scalar("x", "str", at.file, at.document, 0, 0)
        if slot.root != "Values":
            known = scope.release if slot.root == "Release" else scope.chart
            if slot.path not in known:
                raise NotPlainError(f"line {slot.line} asks for .{slot.root}.{slot.path}")
            return Scalar(known[slot.path], "str", at.file, at.document, 0, 0, _WRITTEN)
        node: Node | None = dict(scope.values)
        for key in slot.path.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        if node is None or (isinstance(node, Scalar) and node.kind == "null"):
            raise NotPlainError(f"line {slot.line} asks for .Values.{slot.path}: nothing sets it")
        return node


def _typed(value: Scalar, *, quoted: bool) -> Scalar:
    """The value as a YAML reader finds it where `{{ }}` has written its bare text."""
    kind, reason = value.kind, value.reason
    if value.kind == "str":
        kind = "str" if quoted else plain_kind(value.text)
        if kind != "str" or not _SIMPLE_TEXT.match(value.text):
            reason = reason or "a Helm template writes its bare text, which may mean something else"
    elif value.kind != "bool" and not _SIMPLE_NUMBER.match(value.text):
        reason = reason or "a Helm template may write this number in another way"
    kind = "str" if quoted else kind
    return Scalar(value.text, kind, value.file, value.document, value.start, value.end, reason)
