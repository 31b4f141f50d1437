"""Helm values: layers put on top of each other, each value still tied to the bytes that set it.

Which layers a release has, and in what order, is the business of releases.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from finops_dagster.desired_state.nodes import Node, Scalar, blocked, mapping

_STEP = re.compile(r"\.?(?P<key>(?:\\.|[^.\[\]\\=,{}])+)|\[(?P<index>[0-9]{1,3})\]")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)\Z")


@dataclass(frozen=True)
class Layer:
    """One source of values, or why it cannot be read."""

    tree: Node | None
    reason: str = ""
    """Where the layer is not known: what lies below it may be overridden by it."""


@dataclass(frozen=True)
class Parameter:
    """One `--set`: a path in the values and the scalar it gets."""

    path: str
    value: Scalar
    as_text: bool = False
    """`--set-string`: never a number or a boolean."""


def merged(layers: Iterable[Layer]) -> dict[str, Node]:
    """All layers, later ones over earlier ones, as Helm merges them (pkg/chartutil/coalesce.go):
    mappings are merged, lists and scalars replaced, and null removes what is below.
    """
    result: Node = {}
    for layer in layers:
        if layer.reason:
            result = blocked(result, layer.reason)
        if layer.tree is not None:
            result = _merge(result, layer.tree)
    return mapping(result)


def _merge(below: Node, above: Node) -> Node:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    result = dict(below)
    for key, value in above.items():
        if isinstance(value, Scalar) and value.kind == "null" and key in result:
            del result[key]
        elif key in result:
            result[key] = _merge(result[key], value)
        else:
            result[key] = value
    return result


def with_parameter(values: dict[str, Node], parameter: Parameter) -> dict[str, Node]:
    """`values` with one parameter set, as `helm --set` does (pkg/strvals/parser.go)."""
    value = parameter.value
    steps = _steps(parameter.path)
    if steps is None or "{" in value.text or "\\" in value.text:
        reason = f"parameter {parameter.path!r} is not understood, and may set it"
        return mapping(blocked(values, reason))
    kind = "str" if parameter.as_text else _kind(value.text)
    leaf = Scalar(
        value.text, kind, value.file, value.document, value.start, value.end, value.reason
    )
    return mapping(_put(values, steps, leaf))


def _steps(path: str) -> list[str | int] | None:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        token = _STEP.match(path, at)
        if token is None:
            return None
        at = token.end()
        if token["index"] is not None:
            steps.append(int(token["index"]))
        else:
            steps.append(re.sub(r"\\(.)", r"\1", token["key"]))
    return steps if steps and isinstance(steps[0], str) else None


def _kind(text: str) -> str:
    if text in {"true", "false"}:
        return "bool"
    if text == "null":
        return "null"
    return "int" if _WHOLE.match(text) else "str"


def _put(node: Node | None, steps: list[str | int], value: Node) -> Node:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        below = mapping(node)
        return {**below, step: _put(below.get(step), rest, value)}
    items = list(node) if isinstance(node, list) else []
    items.extend({} for _ in range(step + 1 - len(items)))
    items[step] = _put(items[step], rest, value)
    return items
