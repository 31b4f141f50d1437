"""Whose a declared resource is, where it is, and how a bill may call it: by rules in order.

Which resources there are, and what their values are, is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from finops_dagster.desired_state.nodes import Node, Scalar, known, mapping, text_of


@dataclass(frozen=True)
class TagKeys:
    """Which keys of tags, labels and annotations mean what; the first key present wins.

    A key is the same with or without a domain before `/`, whatever its case and its hyphens.
    """

    owner: tuple[str, ...] = ("team", "owner")
    cost_center: tuple[str, ...] = ("cost_center", "cost-center", "costcenter")
    environment: tuple[str, ...] = ("environment", "env")


@dataclass(frozen=True)
class Told:
    """What is known of whose a resource is and where; `by` names the rule that said it."""

    owner: str | None = None
    cost_center: str | None = None
    environment: str | None = None
    region: str | None = None
    by: Mapping[str, str] = field(default_factory=dict)
    cloud_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One place that tags may be written: what it is called, and what is written there."""

    name: str
    pairs: Mapping[str, str]


TAG_FIELDS = (
    ("tags",), ("labels",), ("user_labels",), ("tag",),
    ("Properties", "Tags"),
    ("spec", "forProvider", "tags"), ("spec", "forProvider", "labels"),
    ("spec", "parameters", "tags"),
)  # fmt: skip
"""Where resources that are no Kubernetes objects, or stand for such, write their tags."""

_REGION_FIELDS = (
    ("region",), ("location",), ("zone",), ("availability_zone",),
    ("spec", "forProvider", "region"), ("spec", "forProvider", "location"),
    ("spec", "forProvider", "zone"), ("spec", "forProvider", "availabilityZone"),
    ("spec", "parameters", "region"),
    ("Properties", "AvailabilityZone"),
)  # fmt: skip

_REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region",
                  "region")  # fmt: skip

_ID_FIELDS = (
    ("arn",), ("identifier",), ("cluster_identifier",), ("bucket",), ("function_name",),
    ("name",), ("domain_name",), ("replication_group_id",), ("cluster_id",), ("tags", "Name"),
    ("metadata", "annotations", "crossplane.io/external-name"),
    ("spec", "forProvider", "name"), ("spec", "forProvider", "identifier"),
    *(("Properties", name) for name in (
        "FunctionName", "BucketName", "DBInstanceIdentifier", "DBClusterIdentifier", "TableName",
        "QueueName", "TopicName", "ClusterName", "ReplicationGroupId", "DomainName", "Name",
    )),
)  # fmt: skip
"""Values that providers print on bills and in their own inventories."""

_REGION = re.compile(
    r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov)-(?:[a-z]+-)?(?:north|south|east|west|central)"
    r"(?:north|south|east|west)?-\d"  # AWS
    r"|(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-"
    r"(?:north|south|east|west|central)(?:north|south|east|west)?\d\d?"  # Google
    r"|(?:north|south|east|west|central)(?:us|europe|india)\d?|(?:north|south)central(?:us)"
    r"|(?:uk|japan|australia|canada|france|germany|norway|sweden|switzerland|brazil|korea|uae)"
    r"(?:north|south|east|west|central|westcentral|southeast)\d?"
    r"|(?:east|southeast)asia|westus\d|eastus\d"  # Azure
)
_ZONE = re.compile(rf"({_REGION.pattern})-?[a-z]?\Z")

_ENVIRONMENT = re.compile(
    r"(?:.*[-_.])?(prod|production|prd|staging|stage|stg|dev|development|test|testing|qa|uat"
    r"|sandbox|preprod|preview)(?:[-_.].*)?\Z",
    re.IGNORECASE,
)
"""A folder, file or namespace of this name says which environment is in it."""

_OWNER_FOLDER = re.compile(r"(?:^|/)(?:teams?|tenants?|owners?)/([^/]+)/")


def tell(
    tree: Node,
    sources: Iterable[Source],
    keys: TagKeys,
    *,
    path: str,
    namespace: str = "",
    region: str = "",
    environment: str = "",
    ids: Iterable[str] = (),
) -> Told:
    """Apply the rules in order: each source's tags, then what lies around, then the path.

    `path`: the resource's file. `region` and `environment`: what its provider or stage says.
    """
    listed = list(sources)
    by: dict[str, str] = {}
    facts: dict[str, str | None] = {}
    rules: dict[str, Iterator[tuple[str, str]]] = {
        "owner": _chain(_tagged(listed, keys.owner), _owner_of_path(path)),
        "cost_center": _tagged(listed, keys.cost_center),
        "environment": _chain(
            _tagged(listed, keys.environment),
            _said("stage", environment),
            _environment_of("namespace", namespace),
            _environment_of_path(path),
        ),
        "region": _chain(
            _region_fields(tree),
            _tagged(listed, _REGION_LABELS),
            _said("provider", region),
            _region_of_path(path),
        ),
    }
    for fact, candidates in rules.items():
        value, rule = next(((v, r) for v, r in candidates if v), (None, ""))
        facts[fact] = value
        if value is not None:
            by[fact] = rule
    found = [*(_at(tree, one) for one in _ID_FIELDS), *ids]
    cloud_ids = tuple(dict.fromkeys(one for one in found if one))
    return Told(by=by, cloud_ids=cloud_ids, **facts)


def pairs_of(node: Node | None) -> dict[str, str]:
    """Tags as text: a mapping, or a list of {key, value}; what is not known is left out."""
    if isinstance(node, list):
        found: dict[str, str] = {}
        for item in node:
            entry = {key.lower(): value for key, value in mapping(item).items()}
            if "key" in entry and "value" in entry:
                found.update(pairs_of({text_of(entry["key"]) or "": entry["value"]}))
        return found
    if isinstance(node, dict) and set(map(str.lower, node)) >= {"key", "value"}:
        return pairs_of([node])
    return {
        key: text
        for key, value in mapping(node).items()
        if known(value) and (text := text_of(value)) is not None
    }


def own_tags(tree: Node) -> dict[str, str]:
    """Tags that a resource writes itself, wherever its kind has them."""
    found: dict[str, str] = {}
    for path in TAG_FIELDS:
        node: Node | None = tree
        for step in path:
            node = mapping(node).get(step)
        found = {**pairs_of(node), **found}
    return found


def _chain(*parts: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for part in parts:
        yield from part


def _said(rule: str, value: str) -> Iterator[tuple[str, str]]:
    yield value, rule


def _tagged(sources: Iterable[Source], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for source in sources:
        exact = {key.lower(): (text, key) for key, text in source.pairs.items() if text}
        loose = {_normal(key): (text, key) for key, text in source.pairs.items() if text}
        for key in keys:
            text, written = exact.get(key.lower()) or loose.get(_normal(key)) or ("", "")
            if text:
                yield text, f"{source.name} {written}"


@lru_cache(maxsize=4096)
def _normal(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.rpartition("/")[2].lower())


def _at(tree: Node, path: tuple[str, ...]) -> str:
    node: Node | None = tree
    for step in path:
        node = mapping(node).get(step)
    return (text_of(node) or "") if isinstance(node, Scalar) and known(node) else ""


def _region_fields(tree: Node) -> Iterator[tuple[str, str]]:
    for path in _REGION_FIELDS:
        written = _at(tree, path)
        zone = _ZONE.match(written.lower())
        yield (zone[1] if zone else written), f"field {'.'.join(path)}"


def _owner_of_path(path: str) -> Iterator[tuple[str, str]]:
    match = _OWNER_FOLDER.search(path)
    if match:
        yield match[1], "path"


def _environment_of(rule: str, text: str) -> Iterator[tuple[str, str]]:
    match = _ENVIRONMENT.match(text)
    if match:
        yield match[1], rule


def _environment_of_path(path: str) -> Iterator[tuple[str, str]]:
    """The innermost part of the path that says it."""
    for part in reversed(path.split("/")):
        yield from _environment_of("path", part)


def _region_of_path(path: str) -> Iterator[tuple[str, str]]:
    for part in reversed(path.split("/")):
        match = _REGION.search(part)
        if match:
            yield match[0], "path"
