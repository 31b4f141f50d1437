"""Terraform's expressions and blocks as small trees that know their bytes, whatever the syntax.

They are read in syntax.py (HCL) and json_syntax.py; what they come to is worked out in scopes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from finops_dagster.desired_state.nodes import Scalar


@dataclass(frozen=True, slots=True)
class Span:
    """Where an expression is written, and its text."""

    file: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; its scalar says what it means and which bytes own it."""

    scalar: Scalar


@dataclass(frozen=True, slots=True)
class ListOf:
    """A tuple of expressions."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """Keys with expressions; a key that is itself computed is an expression."""

    items: tuple[tuple[str | Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """`var.sizes["prod"]`: a root and the steps from it."""

    root: str
    steps: tuple[str | int | Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A function of expressions."""

    function: str
    arguments: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Opaque:
    """What is not worked out: conditions, templates, arithmetic, loops."""

    reason: str
    parts: tuple[Expression, ...]
    """What it is made of: what they refer to has a say in it."""
    span: Span


Expression = Literal | ListOf | ObjectOf | Reference | Call | Opaque


@dataclass
class Body:
    """Attributes and nested blocks between two braces."""

    attributes: dict[str, Expression] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    twice: set[str] = field(default_factory=set)
    """Attributes that are written more than once, which no tool accepts."""

    def of(self, kind: str) -> Iterator[Block]:
        """The nested blocks of one type, in order."""
        return (block for block in self.blocks if block.kind == kind)


@dataclass
class Block:
    """`resource "aws_instance" "web" { ... }`."""

    kind: str
    labels: tuple[str, ...]
    body: Body
    file: str


def references(expression: Expression) -> Iterator[Reference]:
    """Every reference inside an expression, those inside its indexes included."""
    if isinstance(expression, Reference):
        yield expression
        for step in expression.steps:
            if not isinstance(step, str | int):
                yield from references(step)
        return
    parts: tuple[Expression, ...] = ()
    if isinstance(expression, ListOf):
        parts = expression.items
    elif isinstance(expression, ObjectOf):
        parts = tuple(
            part for pair in expression.items for part in pair if not isinstance(part, str)
        )
    elif isinstance(expression, Call):
        parts = expression.arguments
    elif isinstance(expression, Opaque):
        parts = expression.parts
    for part in parts:
        yield from references(part)
