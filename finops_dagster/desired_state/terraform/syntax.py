"""HCL text as blocks and expressions: Terraform, OpenTofu and their variable files.

What names refer to is not known here, and nothing is worked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import tree_sitter_hcl
from tree_sitter import Language, Node, Parser

from finops_dagster.desired_state.nodes import MAX_DEPTH, Scalar, UnreadableError, plain_kind
from finops_dagster.desired_state.terraform.expressions import (
    Block,
    Body,
    Call,
    Expression,
    ListOf,
    Literal,
    ObjectOf,
    Opaque,
    Reference,
    Span,
)

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt"\\]))|([$%])\4\{')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
"""https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md, template literals."""

_WHY = {
    "conditional": "a condition decides it",
    "operation": "an operation computes it",
    "for_expr": "a for expression computes it",
    "template_expr": "a template computes it",
}


@lru_cache(maxsize=1)
def _language() -> Language:
    return Language(tree_sitter_hcl.language())


@lru_cache(maxsize=4096)
def parse_hcl(data: bytes, file: str) -> Body:
    """The outermost attributes and blocks of a file. Raises UnreadableError.

    Kept, since proving an edit reads a repository again in which one file has changed.
    """
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8") from error
    root = Parser(_language()).parse(data).root_node
    if root.has_error:
        raise UnreadableError(f"not valid HCL: line {_fault(root)}")
    reader = _Reader(data, file)
    body = Body()
    for child in root.named_children:
        if child.type == "body":
            body = reader.body(child, 0)
    return body


def parse_expression(text: str, file: str, start: int, end: int) -> Expression:
    """An expression inside a JSON string, which owns bytes [start, end). Raises UnreadableError."""
    data = f"x = {text}\n".encode()
    root = Parser(_language()).parse(data).root_node
    attributes = [node for node in _all(root) if node.type == "attribute"]
    if root.has_error or len(attributes) != 1:
        raise UnreadableError(f"{text[:80]!r} is no expression")
    return _Reader(data, file, (start, end)).expression(attributes[0].named_children[1], 0)


def unescaped(raw: str) -> str:
    """The text that a quoted literal without interpolation stands for."""

    def meant(match: re.Match[str]) -> str:
        digits = match[1] or match[2]
        if digits:
            point = int(digits, 16)
            return chr(point) if point < 0x110000 else match[0]
        return _ESCAPED[match[3]] if match[3] else f"{match[4]}{{"

    return _ESCAPE.sub(meant, raw)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _fault(root: Node) -> int:
    """The first line, from 1, that does not read as HCL."""
    node = root
    while True:
        below = next((c for c in node.children if c.has_error or c.is_missing), None)
        if below is None or node.is_error:
            return node.start_point[0] + 1
        node = below


class _Reader:
    """One file's syntax tree on its way to blocks and expressions."""

    def __init__(self, data: bytes, file: str, place: tuple[int, int] | None = None) -> None:
        """`place`: the bytes that own everything, where the text is part of something else."""
        self.data = data
        self.file = file
        self.place = place

    def body(self, node: Node, depth: int) -> Body:
        if depth > MAX_DEPTH:
            raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
        body = Body()
        for child in node.named_children:
            if child.type == "attribute":
                name, value = self._text(child.named_children[0]), child.named_children[1]
                if name in body.attributes:
                    body.twice.add(name)
                body.attributes[name] = self.expression(value, depth + 1)
            elif child.type == "block":
                body.blocks.append(self._block(child, depth + 1))
        return body

    def _block(self, node: Node, depth: int) -> Block:
        words: list[str] = []
        body = Body()
        for child in node.named_children:
            if child.type == "identifier":
                words.append(self._text(child))
            elif child.type == "string_lit":
                words.append(unescaped(self._text(child)[1:-1]))
            elif child.type == "body":
                body = self.body(child, depth)
        return Block(words[0], tuple(words[1:]), body, self.file)

    def expression(self, node: Node, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type == "expression" and len(children) == 1:
            return self.expression(children[0], depth + 1)
        if node.type == "expression" and children:
            return self._traversal(children, node, depth)
        if node.type == "variable_expr":
            return Reference(self._text(node), (), self._span(node))
        if node.type == "literal_value":
            return self._literal(children[0])
        if node.type == "collection_value":
            return self._collection(children[0], depth)
        if node.type == "function_call":
            arguments = tuple(
                self.expression(argument, depth + 1)
                for child in children[1:]
                for argument in child.named_children
                if argument.type == "expression"
            )
            if any(one.type == "ellipsis" for child in children[1:] for one in child.children):
                return Opaque("a function computes it", arguments, self._span(node))
            return Call(self._text(children[0]), arguments, self._span(node))
        if node.type == "template_expr":
            return self._template(children[0], node, depth)
        if node.type == "operation":
            negative = self._negative(node)
            if negative is not None:
                return negative
        return self._opaque(node, depth, _WHY.get(node.type, "it is computed"))

    def _traversal(self, children: list[Node], node: Node, depth: int) -> Expression:
        head = self.expression(children[0], depth + 1)
        steps: list[str | int | Expression] = []
        for child in children[1:]:
            if child.type == "get_attr":
                steps.append(self._text(child.named_children[0]))
            elif child.type == "index" and child.named_children[0].type == "new_index":
                key = self.expression(child.named_children[0].named_children[0], depth + 1)
                steps.append(key)
            elif child.type == "index":
                steps.append(int(self._text(child.named_children[0]).lstrip(".")))
            else:
                return self._opaque(node, depth, "a splat expression computes it")
        if not isinstance(head, Reference):
            return self._opaque(node, depth, "it is computed")
        return Reference(head.root, tuple(steps), self._span(node))

    def _literal(self, node: Node) -> Expression:
        raw = self._text(node)
        if node.type == "string_lit":
            return Literal(self._scalar(node, unescaped(raw[1:-1]), "str"))
        if node.type == "numeric_lit":
            return Literal(self._scalar(node, raw, plain_kind(raw)))
        return Literal(self._scalar(node, raw, "bool" if node.type == "bool_lit" else "null"))

    def _negative(self, node: Node) -> Expression | None:
        text = self._text(node)
        if re.fullmatch(r"-[0-9.]+", text):
            return Literal(self._scalar(node, text, plain_kind(text)))
        return None

    def _collection(self, node: Node, depth: int) -> Expression:
        if node.type == "tuple":
            return ListOf(tuple(
                self.expression(child, depth + 1)
                for child in node.named_children
                if child.type == "expression"
            ))  # fmt: skip
        items: list[tuple[str | Expression, Expression]] = []
        for child in node.named_children:
            if child.type == "object_elem":
                pair = [one for one in child.named_children if one.type == "expression"]
                items.append((self._key(pair[0], depth), self.expression(pair[1], depth + 1)))
        return ObjectOf(tuple(items))

    def _key(self, node: Node, depth: int) -> str | Expression:
        """A bare word is a key of that name; anything else is worked out."""
        if self._text(node).startswith("("):
            return self.expression(node, depth + 1)
        key = self.expression(node, depth + 1)
        if isinstance(key, Reference) and not key.steps:
            return key.root
        return key.scalar.text if isinstance(key, Literal) else key

    def _template(self, inner: Node, node: Node, depth: int) -> Expression:
        parts = [
            child
            for child in inner.named_children
            if child.type not in ("quoted_template_start", "quoted_template_end")
        ]
        if inner.type == "heredoc_template":
            if all(not child.type.startswith("template_") or child.type == "template_literal"
                   for child in parts):  # fmt: skip
                return Literal(self._scalar(node, self._text(node), "str", "it is a heredoc"))
        elif len(parts) == 1 and parts[0].type == "template_interpolation":
            inside = [one for one in parts[0].named_children if one.type == "expression"]
            if len(inside) == 1:
                return self.expression(inside[0], depth + 1)
        return self._opaque(node, depth, _WHY["template_expr"])

    def _opaque(self, node: Node, depth: int, why: str) -> Opaque:
        # A traversal's own variable and attributes are taken together, as one reference.
        def parts(below: Node, level: int) -> Iterator[Expression]:
            if level > MAX_DEPTH:
                raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
            children = below.named_children
            at = 0
            while at < len(children):
                child = children[at]
                at += 1
                if child.type == "variable_expr":
                    steps: list[str | int | Expression] = []
                    while at < len(children) and children[at].type == "get_attr":
                        steps.append(self._text(children[at].named_children[0]))
                        at += 1
                    yield Reference(self._text(child), tuple(steps), self._span(child))
                else:
                    yield from parts(child, level + 1)

        return Opaque(why, tuple(parts(node, depth)), self._span(node))

    def _scalar(self, node: Node, text: str, kind: str, reason: str = "") -> Scalar:
        span = self._span(node)
        return Scalar(text, kind, self.file, 0, span.start, span.end, reason)

    def _span(self, node: Node) -> Span:
        start, end = self.place or (node.start_byte, node.end_byte)
        return Span(self.file, start, end, self._text(node))

    def _text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode()
