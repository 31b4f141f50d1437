"""One block as a tree of values: meta-arguments, ignored changes, what its provider adds.

Which modules and blocks there are is read in reader.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from finops_dagster.desired_state.declaration import Around
from finops_dagster.desired_state.nodes import Node, blocked, known, mapping, text_of
from finops_dagster.desired_state.ownership import pairs_of
from finops_dagster.desired_state.terraform.expressions import (
    Block,
    Body,
    Expression,
    ListOf,
    Literal,
    ObjectOf,
    Reference,
    references,
)
from finops_dagster.desired_state.terraform.scopes import Scope

META = frozenset({"for_each", "depends_on", "provider", "providers", "lifecycle", "provisioner",
                   "connection", "source", "version"})  # fmt: skip
"""What tells Terraform how to make a resource and is no value of it."""

_IGNORED = "lifecycle.ignore_changes: Terraform would not apply the change"

_DEFAULT_TAGS = (("default_tags", "tags"), ("default_labels",))
"""Where providers keep the tags of all their resources (AWS; Google)."""


def resource_tree(scope: Scope, block: Block, reason: str) -> Node:
    """Values of a resource or of a call; `reason`, if any, refuses all but the count."""
    body = Body(
        {key: value for key, value in block.body.attributes.items() if key not in META},
        [one for one in block.body.blocks if one.kind not in META],
        block.body.twice,
    )
    tree = scope.tree(body)
    for_each = block.body.attributes.get("for_each")
    if for_each is not None:
        tree["for_each"] = scope.value(for_each)
    ignored = list(_ignored(block))
    counted = {"count": tree.pop("count")} if "count" in tree else {}
    if reason:
        tree = {key: blocked(value, reason) for key, value in tree.items()}
    for path in ignored:
        tree = _ignore(tree, path)
    # How many there are belongs to the block itself, however many it makes.
    return {**counted, **tree}


def _ignored(block: Block) -> Iterable[tuple[str, ...]]:
    """Paths that lifecycle.ignore_changes names; `("all",)` for every one."""
    listed: list[Expression] = [
        one.body.attributes["ignore_changes"]
        for one in block.body.of("lifecycle")
        if "ignore_changes" in one.body.attributes
    ]
    written = block.body.attributes.get("lifecycle")
    if isinstance(written, ObjectOf):
        listed.extend(value for key, value in written.items if key == "ignore_changes")
    for value in listed:
        for item in value.items if isinstance(value, ListOf) else (value,):
            if isinstance(item, Reference):
                steps = (
                    step.scalar.text if isinstance(step, Literal) else step for step in item.steps
                )
                yield (item.root, *(step for step in steps if isinstance(step, str)))
            elif isinstance(item, Literal):
                yield tuple(re.findall(r"[A-Za-z0-9_-]+", item.scalar.text)) or ("all",)


def _ignore(tree: dict[str, Node], path: tuple[str, ...]) -> dict[str, Node]:
    """A copy with the value at `path` refused; other resources may have parts of the same tree."""
    head, *rest = path
    if path == ("all",):
        return {key: blocked(value, _IGNORED) for key, value in tree.items()}
    if head not in tree:
        return tree
    inner = tree[head]
    if rest and isinstance(inner, dict):
        return {**tree, head: _ignore(inner, tuple(rest))}
    return {**tree, head: blocked(inner, _IGNORED)}


def around_block(scope: Scope, kind: str, block: Block) -> Around:
    """Tags and region that the provider of a resource of `kind` adds to it."""
    chosen = block.body.attributes.get("provider")
    name = kind.partition("_")[0]
    if isinstance(chosen, Reference):
        name = ".".join([chosen.root, *(step for step in chosen.steps if isinstance(step, str))])
    elif isinstance(chosen, Literal):
        name = chosen.scalar.text
    provider = mapping(scope.providers.get(name))
    tags: dict[str, str] = {}
    for path in _DEFAULT_TAGS:
        node: Node | None = provider
        for step in path:
            node = mapping(node).get(step)
        tags.update(pairs_of(node))
    region = provider.get("region")
    return Around(tags, (text_of(region) or "") if known(region) else "")


def passed_providers(scope: Scope, call: Block) -> dict[str, Node]:
    """Providers by the names they have inside the module that is called."""
    passed = dict(scope.providers)
    listed = call.body.attributes.get("providers")
    if isinstance(listed, ObjectOf):
        for key, value in listed.items:
            name = key if isinstance(key, str) else text_of_expression(key)
            for one in references(value):
                wanted = text_of_expression(one)
                if wanted in scope.providers:
                    passed[name] = scope.providers[wanted]
    return passed


def text_of_expression(expression: Expression) -> str:
    """A name, an address or a constant as plain text."""
    if isinstance(expression, Reference):
        steps = [step for step in expression.steps if isinstance(step, str)]
        return ".".join([expression.root, *steps])
    if isinstance(expression, Literal):
        return expression.scalar.text
    return "" if isinstance(expression, ListOf | ObjectOf) else expression.span.text
