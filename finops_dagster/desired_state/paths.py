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

_BARE_KEY = re.compile(r"[A-Za-z0-9_$-]+\Z")
_BARE_NAME = re.compile(r"[A-Za-z0-9_./:@-]+\Z")
_TOKEN = re.compile(
    r"""\.?(?P<key>[^.\[\]"']+)
      | \.?\["(?P<quoted>(?:[^"\\]|\\.)*)"\]
      | \.?\['(?P<single>[^']*)'\]
      | \.?\[(?P<index>[0-9]+)\]
      | \.?\[(?P<by>[A-Za-z0-9_]+)=(?:"(?P<qname>(?:[^"\\]|\\.)*)"|(?P<name>[^\]]*))\]""",
    re.VERBOSE,
)

Step = str | int | tuple[str, str]
"""A key, a position, or (key, value) that selects a list's item."""


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
        steps = _pointer(path) if path.startswith("/") else _dotted(path)
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


def _pointer(path: str) -> list[Step]:
    """RFC 6901."""
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _dotted(path: str) -> list[Step]:
    steps: list[Step] = []
    at = 0
    while at < len(path):
        token = _TOKEN.match(path, at)
        if token is None:
            raise ValueError(f"{path!r} is not a field path")
        at = token.end()
        if token["key"] is not None:
            steps.append(token["key"])
        elif token["quoted"] is not None:
            steps.append(str(json.loads(f'"{token["quoted"]}"')))
        elif token["single"] is not None:
            steps.append(token["single"])
        elif token["index"] is not None:
            steps.append(int(token["index"]))
        elif token["qname"] is not None:
            steps.append((token["by"], str(json.loads(f'"{token["qname"]}"'))))
        else:
            steps.append((token["by"], token["name"]))
    return steps


def _key(key: str, before: str) -> str:
    if _BARE_KEY.match(key):
        return f".{key}" if before else key
    return f"[{json.dumps(key, ensure_ascii=False)}]"


def _name(name: str) -> str:
    return name if _BARE_NAME.match(name) else json.dumps(name, ensure_ascii=False)
