"""Setting one value of a manifest by its field path, on a copy.

Paths as the desired-state index prints them: dotted keys, `["a.b/c"]`, `[name=x]`, `[0]`, or a
JSON pointer. Files and bytes are no business of this module.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from finops_dagster.domain.fields import Step, field_steps

_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")
_FRACTION = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}\Z")


def changed(manifest: dict[str, Any], field: str, value: str) -> dict[str, Any] | None:
    """A copy of `manifest` with `field` set to `value`, or without it where `value` is empty.

    None where the path leads nowhere. Keys that are missing at its end are made; items of lists
    are not. `value` is text; it becomes a number where the present value is one, or none is there.
    """
    try:
        steps = field_steps(field)
    except ValueError:
        return None
    if not steps:
        return None
    after = copy.deepcopy(manifest)
    return after if _set(after, steps, value) else None


def _set(node: Any, steps: list[Step], value: str) -> bool:
    if isinstance(node, dict) and isinstance(steps[0], str):
        # A key with dots may be written plainly: the longest that is there is meant.
        for taken in range(len(steps), 0, -1):
            names = steps[:taken]
            if not all(isinstance(name, str) for name in names):
                continue
            key = ".".join(str(name) for name in names)
            if key in node:
                return _enter(node, key, steps[taken:], value)
        if not all(isinstance(step, str) for step in steps) or value == "":
            return False
        for step in steps[:-1]:
            node = node.setdefault(step, {})
        node[steps[-1]] = _like(None, value)
        return True
    if isinstance(node, list):
        position = _position(node, steps[0])
        return position is not None and _enter(node, position, steps[1:], value)
    return False


def _enter(node: Any, at: str | int, rest: list[Step], value: str) -> bool:
    if rest:
        return _set(node[at], rest, value)
    if value == "":
        del node[at]
    else:
        node[at] = _like(node[at], value)
    return True


def _like(present: Any, value: str) -> Any:
    if isinstance(present, bool):
        return value == "true" if value in {"true", "false"} else value
    numeric = present is None or isinstance(present, int | float)
    if numeric and _WHOLE.match(value):
        return int(value)
    if numeric and _FRACTION.match(value):
        return float(value)
    return value


def _position(items: list[Any], step: Step) -> int | None:
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
        if isinstance(item, dict) and str(item.get(key)) == wanted
    ]
    return found[0] if len(found) == 1 else None
