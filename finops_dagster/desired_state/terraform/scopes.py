"""What expressions come to in one use of a module, each value tied to the bytes that own it.

Only what is certain is worked out; the rest keeps its text and says why. Files are not read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finops_dagster.desired_state.nodes import Node, Scalar, Traced, blocked, known, scalars
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
    references,
)
from finops_dagster.desired_state.terraform.modules import Assigned, Module

_NEVER = {
    "each": "each instance of a for_each has its own",
    "count": "each instance of a count has its own",
    "self": "it is known only when applied",
    "path": "it is a path on the machine that applies it",
    "terraform": "it depends on the workspace",
}
_SAME = frozenset({"tomap", "tolist", "tostring", "sensitive", "nonsensitive"})
"""Functions that hand on what they are given."""

_CIRCLE = "it refers to itself"


@dataclass
class Scope:
    """One use of a module: a root module, or what a module call makes of a local one."""

    module: Module
    path: tuple[str, ...] = ()
    """Names of the module calls that lead here."""
    parent: Scope | None = None
    """The scope of the call; None for a root module."""
    arguments: Mapping[str, Expression] = field(default_factory=dict)
    """What the call passes, as expressions of the parent."""
    assigned: Assigned | None = None
    outside: str = ""
    """Why variables of this root module may be set by something that is not read."""
    providers: dict[str, Node] = field(default_factory=dict)
    children: dict[str, Scope] = field(default_factory=dict)
    _known: dict[tuple[str, str], Node] = field(default_factory=dict)
    _open: set[tuple[str, str]] = field(default_factory=set)

    def value(self, expression: Expression) -> Node:
        """The expression's value: scalars with their owners, or why it is not known."""
        if isinstance(expression, Literal):
            return expression.scalar
        if isinstance(expression, ListOf):
            return [self.value(item) for item in expression.items]
        if isinstance(expression, ObjectOf):
            return self._object(expression)
        if isinstance(expression, Reference):
            return self._reference(expression)
        if isinstance(expression, Call):
            return self._call(expression)
        return self._unknown(expression, expression.reason, expression.span)

    def tree(self, body: Body) -> dict[str, Node]:
        """A block's attributes and nested blocks; a type of block that comes once is a mapping."""
        found: dict[str, Node] = {
            name: self.value(value) for name, value in body.attributes.items()
        }
        for name in body.twice:
            found[name] = blocked(found[name], f"{name} is written twice")
        grouped: dict[str, list[Node]] = {}
        dynamic: dict[str, Node] = {}
        for block in body.blocks:
            if block.kind == "dynamic" and block.labels:
                for content in block.body.of("content"):
                    made = blocked(self.tree(content.body), "a dynamic block makes it")
                    dynamic[block.labels[0]] = made
                continue
            inner: Node = self.tree(block.body)
            for label in reversed(block.labels):
                inner = {label: inner}
            grouped.setdefault(block.kind, []).append(inner)
        for kind, contents in grouped.items():
            found[kind] = contents[0] if len(contents) == 1 else contents
        return {**found, "dynamic": dynamic} if dynamic else found

    def influences(self, expressions: Iterable[Expression]) -> frozenset[tuple[str, int]]:
        """(file, first byte) of every value that has a say in the expressions."""
        found: set[tuple[str, int]] = set()
        for expression in expressions:
            for one in references(expression):
                for scalar in scalars(self._reference(one)):
                    found.add((scalar.file, scalar.start))
                    if isinstance(scalar, Traced):
                        found |= scalar.uses
        return frozenset(found)

    # Names.

    def _reference(self, reference: Reference) -> Node:
        root, steps, span = reference.root, reference.steps, reference.span
        if root in _NEVER:
            return self._unknown(reference, _NEVER[root], span)
        if root == "var" and steps and isinstance(steps[0], str):
            return self._steps(self._once("var", steps[0], span), steps[1:], span)
        if root == "local" and steps and isinstance(steps[0], str):
            return self._steps(self._once("local", steps[0], span), steps[1:], span)
        if root == "module" and len(steps) > 1 and isinstance(steps[0], str):
            child = self.children.get(steps[0])
            output = child.module.outputs.get(str(steps[1])) if child else None
            if child is not None and output is not None and "value" in output.body.attributes:
                return self._steps(child.value(output.body.attributes["value"]), steps[2:], span)
        elif len(steps) > 1 and isinstance(steps[0], str) and isinstance(steps[1], str):
            declared = self.module.resources.get((root, steps[0]))
            attributes = declared.body.attributes if declared else {}
            if steps[1] in attributes and not {"count", "for_each"} & attributes.keys():
                key = f"{root}.{steps[0]}.{steps[1]}"
                return self._steps(self._once("resource", key, span), steps[2:], span)
        return _unknown(span, f"it is taken from {_address(reference)}, known only when applied")

    def _once(self, kind: str, name: str, span: Span) -> Node:
        key = (kind, name)
        if key not in self._known:
            if key in self._open:
                return _unknown(span, _CIRCLE)
            self._open.add(key)
            try:
                if kind == "var":
                    self._known[key] = self._variable(name, span)
                elif kind == "local":
                    self._known[key] = self._local(name, span)
                else:
                    type_, label, attribute = name.split(".", 2)
                    block = self.module.resources[type_, label]
                    self._known[key] = self.value(block.body.attributes[attribute])
            finally:
                self._open.discard(key)
        return self._known[key]

    def _local(self, name: str, span: Span) -> Node:
        if name not in self.module.locals:
            return _unknown(span, f"no local value {name} is declared")
        return self.value(self.module.locals[name])

    def _variable(self, name: str, span: Span) -> Node:
        block = self.module.variables.get(name)
        if block is None:
            return _unknown(span, f"no variable {name} is declared")
        default = block.body.attributes.get("default")
        if self.parent is not None:
            if name in self.arguments:
                return self.parent.value(self.arguments[name])
            if default is None:
                return _unknown(span, f"the call of its module does not set variable {name}")
            return self.value(default)
        return self._root_variable(name, default, span)

    def _root_variable(self, name: str, default: Expression | None, span: Span) -> Node:
        assigned = self.assigned or Assigned({}, {})
        if self.outside or assigned.broken:
            return _unknown(span, self.outside or assigned.broken)
        setting = {file: values[name] for file, values in assigned.named.items() if name in values}
        if len(assigned.named) > 1 and setting:
            files = " or ".join(sorted(setting))
            return _unknown(span, f"{files} sets variable {name}: the command line says which")
        if setting:
            return self.value(next(iter(setting.values())))
        if name in assigned.automatic:
            return self.value(assigned.automatic[name])
        if default is None:
            return _unknown(span, f"no file here sets variable {name}, and it has no default")
        return self.value(default)

    # Values inside values.

    def _steps(self, node: Node, steps: tuple[str | int | Expression, ...], span: Span) -> Node:
        chosen_by: frozenset[tuple[str, int]] = frozenset()
        for step in steps:
            if isinstance(node, Scalar):
                if not known(node):
                    return node
                return _unknown(span, f"{span.text} has no part of that name")
            if not isinstance(step, str | int):
                key = self.value(step)
                if not isinstance(key, Scalar) or not known(key):
                    uses = self.influences((step,)) | chosen_by
                    return _unknown(span, f"what chooses it is not known ({span.text})", uses)
                if not isinstance(step, Literal):
                    chosen_by |= {(key.file, key.start)}
                step = int(key.text) if isinstance(node, list) and key.kind == "int" else key.text
            if isinstance(node, dict) and str(step) in node:
                node = node[str(step)]
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                node = node[step]
            else:
                return _unknown(span, f"{span.text} is not set", chosen_by)
        return _traced(node, chosen_by) if chosen_by else node

    def _object(self, expression: ObjectOf) -> Node:
        found: dict[str, Node] = {}
        for key, value in expression.items:
            inner = self.value(value)
            if not isinstance(key, str):
                name = self.value(key)
                if isinstance(name, Scalar) and known(name):
                    key = name.text
                else:
                    key = f"({name.text})" if isinstance(name, Scalar) else "()"
                    inner = blocked(inner, "its key is computed")
            if key in found:
                inner = blocked(inner, f"the key {key!r} is written twice")
            found[key] = inner
        return found

    def _call(self, call: Call) -> Node:
        values = [self.value(argument) for argument in call.arguments]
        if call.function in _SAME and len(values) == 1:
            return values[0]
        if call.function == "merge" and any(isinstance(value, dict) for value in values):
            merged: dict[str, Node] = {}
            for value in values:
                if isinstance(value, dict):
                    merged.update(value)
                else:
                    why = "merge() adds something that is not known, which may replace it"
                    merged = {key: blocked(one, why) for key, one in merged.items()}
                    if isinstance(value, Scalar):
                        # Like a key that is computed: whoever reads the keys sees some missing.
                        merged[f"({value.text})"] = value
            return merged
        return self._unknown(call, f"a function, {call.function}(), computes it", call.span)

    def _unknown(self, expression: Expression, reason: str, span: Span) -> Traced:
        uses: frozenset[tuple[str, int]] = frozenset()
        if not isinstance(expression, Reference):
            parts = expression.arguments if isinstance(expression, Call) else (expression,)
            uses = self.influences(parts)
        return _unknown(span, reason, uses)


def _unknown(span: Span, reason: str, uses: frozenset[tuple[str, int]] = frozenset()) -> Traced:
    return Traced(span.text, "str", span.file, 0, span.start, span.end, reason, uses, known=False)


def _traced(node: Node, uses: frozenset[tuple[str, int]]) -> Node:
    """A copy of `node` in whose scalars other values have a say."""
    if isinstance(node, dict):
        return {key: _traced(value, uses) for key, value in node.items()}
    if isinstance(node, list):
        return [_traced(value, uses) for value in node]
    before = node.uses if isinstance(node, Traced) else frozenset()
    return Traced(
        node.text, node.kind, node.file, node.document, node.start, node.end, node.reason,
        before | uses, known(node),
    )  # fmt: skip


def _address(reference: Reference) -> str:
    words = [step for step in reference.steps if isinstance(step, str)]
    return ".".join([reference.root, *words])


def multiplied(scope: Scope, block: Block) -> str:
    """Why a value in the block would feed several instances; empty where there is one at most."""
    attributes = block.body.attributes
    if "for_each" in attributes:
        return "for_each makes several instances of it, which share its values"
    count = attributes.get("count")
    if count is None:
        return ""
    value = scope.value(count)
    if isinstance(value, Scalar) and known(value) and value.text in ("0", "1"):
        return ""
    if isinstance(count, Opaque) and _at_most_one(count):
        return ""
    return "count makes several instances of it, which share its values"


def _at_most_one(count: Opaque) -> bool:
    """`CONDITION ? 1 : 0`, the idiom for what may be left out."""
    _, *ends = count.span.text.split("?")
    return len(ends) == 1 and re.fullmatch(r"\s*(1\s*:\s*0|0\s*:\s*1)\s*", ends[0]) is not None
