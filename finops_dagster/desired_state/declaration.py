"""A declared resource that is no Kubernetes object, as the readers of other tools hand it on.

How each tool's files are read is in terraform, cloudformation and serverless.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from finops_dagster.desired_state.nodes import Node

_CONTROL = re.compile(r"[\x00-\x20\x7f/]")


@dataclass(frozen=True)
class Around:
    """What holds for a resource by where it is declared, for its owner and region."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that it gets without writing them, such as a provider's default tags."""
    region: str = ""
    environment: str = ""
    ids: tuple[str, ...] = ()
    """Names under which a bill may know it, beside those among its own values."""


@dataclass(frozen=True)
class Declaration:
    """One resource with its values, each tied to the bytes that own it."""

    name: str
    """KIND/NAMESPACE/NAME."""
    tree: Node
    file: str
    document: int
    tool: str
    """In place of an API version: terraform, serverless, or the template's transform."""
    around: Around = field(default_factory=Around)


@dataclass
class Infrastructure:
    """What all readers found, and what they could not read."""

    declared: list[Declaration] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    """Files that are no Kubernetes manifests."""
    refused: dict[tuple[str, int], str] = field(default_factory=dict)
    """(file, document) -> why."""
    consumers: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(who, field, file, first byte): what else a value feeds that is no resource."""


def resource_name(kind: str, folder: str, *names: str) -> str:
    """KIND/NAMESPACE/NAME with the folder as the namespace, `:` for its `/`.

    So a name has three parts whatever the folder, and two root modules never share one.
    """
    name = ".".join(names)
    namespace = folder.replace(":", "%3A").replace("/", ":")
    return "/".join(_CONTROL.sub("_", part) for part in (kind, namespace, name))
