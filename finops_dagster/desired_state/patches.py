"""Strategic merge and JSON 6902 patches on trees that share what they do not change.

Every value keeps the bytes it came from: a patched value belongs to the patch. Which patch goes
to which resource is not decided here.
"""

from __future__ import annotations

from finops_dagster.desired_state.nodes import Node, Scalar, plain, text_of

MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "webhooks": ("name",),
    "resourceClaims": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
}
"""List field -> the key that tells its items apart, from `x-kubernetes-patch-merge-key` of the
Kubernetes OpenAPI schema; a list not named here is replaced as a whole."""


class PatchFailedError(ValueError):
    """The patch does not apply, or uses what is not understood; the message says which."""


class _Deleted:
    """A strategic merge patch asked for the node to go."""


_DELETED = _Deleted()


def strategic_merge(base: Node, patch: Node, *, built_in: bool) -> Node | None:
    """`base` with `patch` merged in; None if the patch deletes it. Raises PatchFailedError.

    Kinds that are not built in have no merge keys: their lists are replaced (kustomize does the
    same without an OpenAPI schema).
    """
    merged = _merge(base, patch, "", built_in)
    return None if isinstance(merged, _Deleted) else merged


def _merge(base: Node | None, patch: Node, field: str, built_in: bool) -> Node | _Deleted:
    if isinstance(patch, dict):
        directive = text_of(patch.get("$patch"))
        if directive == "delete":
            return _DELETED
        if directive == "replace" or not isinstance(base, dict):
            base = {}
        elif directive not in (None, "merge"):
            raise PatchFailedError(f"unknown directive $patch: {directive}")
        merged = dict(base)
        for key, value in patch.items():
            if key == "$patch":
                continue
            if key.startswith("$"):
                raise PatchFailedError(f"directive {key} is not understood: not yet")
            if isinstance(value, Scalar) and value.kind == "null":
                merged.pop(key, None)
                continue
            result = _merge(merged.get(key), value, key, built_in)
            if isinstance(result, _Deleted):
                merged.pop(key, None)
            else:
                merged[key] = result
        return merged
    if isinstance(patch, list):
        return _merge_list(base if isinstance(base, list) else [], patch, field, built_in)
    return patch


def _merge_list(base: list[Node], patch: list[Node], field: str, built_in: bool) -> Node:
    if any(_directive(item) == "replace" for item in patch):
        return [item for item in patch if _directive(item) != "replace"]
    key = _merge_key(base, patch, field) if built_in else None
    if key is None:
        return [item for item in patch if _directive(item) != "delete"]
    merged: list[Node] = list(base)
    added: list[Node] = []
    for item in patch:
        position = next(
            (i for i, old in enumerate(merged) if _identity(old, key) == _identity(item, key)), None
        )
        result = _merge(None if position is None else merged[position], item, "", built_in)
        if position is None:
            if not isinstance(result, _Deleted):
                added.append(result)
        elif isinstance(result, _Deleted):
            del merged[position]
        else:
            merged[position] = result
    # kustomize puts a patch's new items before the old ones.
    return added + merged


def _merge_key(base: list[Node], patch: list[Node], field: str) -> str | None:
    for key in MERGE_KEYS.get(field, ()):
        if all(_identity(item, key) is not None for item in (*base, *patch)):
            return key
    return None


def _identity(item: Node, key: str) -> str | None:
    return text_of(item.get(key)) if isinstance(item, dict) else None


def _directive(item: Node) -> str | None:
    return text_of(item.get("$patch")) if isinstance(item, dict) else None


def json_patch(base: Node, operations: Node, *, create: bool = False) -> Node:
    """`base` with RFC 6902 operations applied. Raises PatchFailedError.

    `create`: parents that are missing are made (the base itself could not be read).
    """
    if not isinstance(operations, list):
        raise PatchFailedError("a JSON patch is a list of operations")
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchFailedError("a JSON patch is a list of operations")
        base = _operate(base, operation, create)
    return base


def _operate(base: Node, operation: dict[str, Node], create: bool) -> Node:
    verb = text_of(operation.get("op"))
    path = _steps(operation.get("path"))
    if verb in {"add", "replace"}:
        if "value" not in operation:
            raise PatchFailedError(f"{verb} without a value")
        return _put(base, path, operation["value"], verb == "replace" and not create, create)
    if verb == "remove":
        return base if create else _drop(base, path)
    if verb in {"move", "copy"}:
        source = _steps(operation.get("from"))
        value = _get(base, source)
        if verb == "move":
            base = _drop(base, source)
        return _put(base, path, value, False, create)
    if verb == "test":
        if not create and plain(_get(base, path)) != plain(operation.get("value", {})):
            raise PatchFailedError("its test operation does not hold")
        return base
    raise PatchFailedError(f"unknown operation {verb!r}")


def _steps(pointer: Node | None) -> list[str]:
    text = text_of(pointer)
    if text is None or (text and not text.startswith("/")):
        raise PatchFailedError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(node: Node, path: list[str]) -> Node:
    for step in path:
        node = _child(node, step)
    return node


def _child(node: Node, step: str) -> Node:
    if isinstance(node, dict) and step in node:
        return node[step]
    if isinstance(node, list) and step.isdigit() and int(step) < len(node):
        return node[int(step)]
    raise PatchFailedError(f"nothing is at {step!r}")


def _put(node: Node, path: list[str], value: Node, must_exist: bool, create: bool) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, dict):
        if step in node:
            return {**node, step: _put(node[step], rest, value, must_exist, create)}
        if not rest and not must_exist:
            return {**node, step: value}
        if create:
            return {**node, step: _put(_stub(rest), rest, value, False, True)}
        raise PatchFailedError(f"nothing is at {step!r}")
    if isinstance(node, list):
        items = list(node)
        position = len(items) if step == "-" else int(step) if step.isdigit() else -1
        if create and 0 <= position <= 100:
            items.extend({} for _ in range(position + 1 - len(items)))
        elif not rest and not must_exist and 0 <= position <= len(items):
            items.insert(position, value)
            return items
        if not 0 <= position < len(items):
            raise PatchFailedError(f"nothing is at {step!r}")
        items[position] = _put(items[position], rest, value, must_exist, create)
        return items
    raise PatchFailedError(f"{step!r} is inside a value")


def _stub(rest: list[str]) -> Node:
    return [] if rest and (rest[0].isdigit() or rest[0] == "-") else {}


def _drop(node: Node, path: list[str]) -> Node:
    step, rest = path[0] if path else "", path[1:]
    child = _child(node, step)
    if isinstance(node, dict):
        if rest:
            return {**node, step: _drop(child, rest)}
        return {key: value for key, value in node.items() if key != step}
    if isinstance(node, list):
        items = list(node)
        if rest:
            items[int(step)] = _drop(child, rest)
        else:
            del items[int(step)]
        return items
    raise PatchFailedError(f"{step!r} is inside a value")
