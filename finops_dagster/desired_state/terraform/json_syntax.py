"""Terraform's JSON syntax (.tf.json, .tfvars.json) as the same blocks and expressions as HCL.

https://developer.hashicorp.com/terraform/language/syntax/json says how one maps to the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finops_dagster.desired_state.nodes import (
    Node,
    Scalar,
    UnreadableError,
    parse_file,
)
from finops_dagster.desired_state.terraform.expressions import (
    Block,
    Body,
    Expression,
    ListOf,
    Literal,
    ObjectOf,
    Opaque,
    Reference,
    Span,
)
from finops_dagster.desired_state.terraform.syntax import parse_expression

_LABELS = {"resource": 2, "data": 2, "ephemeral": 2, "module": 1, "variable": 1, "output": 1,
           "provider": 1, "locals": 0, "terraform": 0}  # fmt: skip
"""Labels that the blocks of a type have; blocks of other types declare nothing that we list."""

_TEMPLATE = re.compile(r"(?<![$])\$\{|(?<![%])%\{")
_WHOLE = re.compile(r"\$\{((?:[^{}\"]|\"[^\"]*\")*)\}\Z")
_NAMED = re.compile(r"\b(var|local|module)\.([A-Za-z_][\w-]*)")


def parse_json(data: bytes, file: str) -> Body:
    """The outermost blocks of a .tf.json file. Raises UnreadableError."""
    body = Body()
    for kind, content in _document(data, file).items():
        if kind in _LABELS:
            body.blocks.extend(_blocks(kind, (), _LABELS[kind], content, file))
    return body


def parse_json_values(data: bytes, file: str) -> Body:
    """The values of a .tfvars.json file, whose strings are no templates. Raises UnreadableError."""
    return Body(
        {name: _expression(value, literal=True) for name, value in _document(data, file).items()}
    )


def _document(data: bytes, file: str) -> dict[str, Node]:
    parsed = parse_file(data, file)
    if parsed.error:
        raise UnreadableError(parsed.error.replace("YAML", "JSON"))
    documents = parsed.documents
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UnreadableError("not one JSON object")
    return documents[0]


def _blocks(
    kind: str, labels: tuple[str, ...], missing: int, content: Node, file: str
) -> Iterator[Block]:
    if isinstance(content, list):
        for item in content:
            yield from _blocks(kind, labels, missing, item, file)
    elif isinstance(content, dict):
        if missing:
            for label, below in content.items():
                yield from _blocks(kind, (*labels, label), missing - 1, below, file)
        else:
            attributes = {
                name: _expression(value) for name, value in content.items() if name != "//"
            }
            yield Block(kind, labels, Body(attributes), file)


def _expression(node: Node, *, literal: bool = False) -> Expression:
    if isinstance(node, dict):
        return ObjectOf(
            tuple((key, _expression(value, literal=literal)) for key, value in node.items())
        )
    if isinstance(node, list):
        return ListOf(tuple(_expression(value, literal=literal) for value in node))
    if node.kind != "str" or literal:
        return Literal(node)
    if not _TEMPLATE.search(node.text):
        text = node.text.replace("$${", "${").replace("%%{", "%{")
        return Literal(
            Scalar(text, "str", node.file, node.document, node.start, node.end, node.reason)
        )
    span = Span(node.file, node.start, node.end, node.text)
    whole = _WHOLE.match(node.text)
    if whole:
        try:
            return parse_expression(whole[1].strip(), node.file, node.start, node.end)
        except UnreadableError:
            pass
    named = tuple(Reference(match[1], (match[2],), span) for match in _NAMED.finditer(node.text))
    return Opaque("a template computes it", named, span)
