"""Field paths: their canonical text, and finding the scalar that a path, in any dialect, means.

Canonical: dotted keys, `["a.b/c"]` for keys with other characters, `[name=x]` for items of lists
whose items all have a unique name, `[0]` for the rest. Also read: positions for named items,
JSON pointers, and keys with dots written plainly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from finops_dagster.desired_state.nodes import Node, Scalar
from finops_dagster.domain.fields import Step, field_steps

_BARE_KEY = re.compile(r"[A-Za-z0-9_$-]+\Z")
_BARE_NAME = re.compile(r"[A-Za-z0-9_./:@-]+\Z")


def leaves(node: Node) -> Iterator[tuple[str, Scalar]]:
    """(canonical path, scalar) of every scalar under `node`, in document order."""
    yield from _leaves(node, "")


def _leaves(node: Node, path: str) -> Iterator[tuple[str, Scalar]]:
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, path + _key(key, path))
    else:
        names = item_names(node)
        for position, value in enumerate(node):
            step = f"[{position}]" if names is None else f"[name={_name(names[position])}]"
            yield from _leaves(value, path + step)


def item_names(items: list[Node]) -> list[str] | None:
    """The names of a list's items where every item has a unique one, else None."""
    names: list[str] = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, Scalar) or name.kind == "null":
            return None
        names.append(name.text)
    return names if names and len(set(names)) == len(names) else None


def resolve(tree: Node, path: str) -> str | None:
    """Canonical form of `path` if it leads to one scalar of `tree`, else None."""
    try:
        steps = field_steps(path)
    except ValueError:
        return None
    return _resolve(tree, steps, "")


def _resolve(node: Node, steps: list[Step], done: str) -> str | None:
    if not steps:
        return done if isinstance(node, Scalar) else None
    step = steps[0]
    if isinstance(node, dict):
        # A key with dots may be written plainly: try it joined from ever more steps.
        joined = ""
        for taken, part in enumerate(steps, start=1):
            if not isinstance(part, str):
                break
            joined = part if taken == 1 else f"{joined}.{part}"
            if joined in node:
                found = _resolve(node[joined], steps[taken:], done + _key(joined, done))
                if found is not None:
                    return found
    if isinstance(node, list):
        position = _position(node, step)
        if position is not None:
            names = item_names(node)
            label = f"[{position}]" if names is None else f"[name={_name(names[position])}]"
            return _resolve(node[position], steps[1:], done + label)
    return None


def _position(items: list[Node], step: Step) -> int | None:
    if isinstance(step, str):
        if not step.isdigit():
            return None
        step = int(step)
    if isinstance(step, int):
        return step if step < len(items) else None
    key, wanted = step
    found = [
        position
        for position, item in enumerate(items)
        if isinstance(item, dict)
        and isinstance(value := item.get(key), Scalar)
        and value.text == wanted
    ]
    return found[0] if len(found) == 1 else None


def _key(key: str, before: str) -> str:
    if _BARE_KEY.match(key):
        return f".{key}" if before else key
    return f"[{json.dumps(key, ensure_ascii=False)}]"


def _name(name: str) -> str:
    return name if _BARE_NAME.match(name) else json.dumps(name, ensure_ascii=False)
