"""A resource of the index as the domain knows it: tags, owner, place and manifest.

Where its values live is the index's business, the rules about owners are in ownership.py.
"""

from __future__ import annotations

import json

from finops_dagster.desired_state.declaration import Declaration
from finops_dagster.desired_state.nodes import Node, mapping, plain, text_of
from finops_dagster.desired_state.ownership import Source, TagKeys, Told, own_tags, pairs_of, tell
from finops_dagster.desired_state.selection import Resource
from finops_dagster.domain.decisions import DeclaredResource

_EXTERNAL_NAME = "crossplane.io/external-name"


def of_object(
    name: str, resource: Resource, namespace: dict[str, Node], keys: TagKeys
) -> DeclaredResource:
    """A Kubernetes object; `namespace` is the metadata of its Namespace, where that is declared."""
    content = mapping(resource.tree)
    metadata = mapping(content.get("metadata"))
    template = mapping(mapping(mapping(content.get("spec")).get("template")).get("metadata"))
    labels, annotations = _texts(metadata.get("labels")), _texts(metadata.get("annotations"))
    sources = (
        Source("label", labels),
        Source("annotation", annotations),
        Source("tag", own_tags(resource.tree)),
        Source("template label", pairs_of(template.get("labels"))),
        Source("namespace label", _texts(namespace.get("labels"))),
        Source("namespace annotation", _texts(namespace.get("annotations"))),
    )
    # Crossplane names what it makes like its object, unless crossplane.io/external-name says other.
    managed = "forProvider" in mapping(content.get("spec"))
    own = text_of(metadata.get("name")) or ""
    told = tell(
        resource.tree,
        sources,
        keys,
        path=resource.file,
        namespace=name.split("/")[1],
        ids=(own,) if managed and _EXTERNAL_NAME not in annotations else (),
    )
    api_version = text_of(content.get("apiVersion")) or ""
    place = (resource.file, resource.document)
    return _made(name, api_version, labels, annotations, place, resource.tree, told)


def of_declaration(one: Declaration, keys: TagKeys) -> DeclaredResource:
    """A resource of another tool: tags are its labels, those that its provider adds included."""
    own = own_tags(one.tree)
    told = tell(
        one.tree,
        (Source("tag", own), Source("default tag", one.around.tags)),
        keys,
        path=one.file,
        region=one.around.region,
        environment=one.around.environment,
        ids=one.around.ids,
    )
    labels = {**one.around.tags, **own}
    return _made(one.name, one.tool, labels, {}, (one.file, one.document), one.tree, told)


def _made(
    name: str,
    api_version: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    place: tuple[str, int],
    tree: Node,
    told: Told,
) -> DeclaredResource:
    return DeclaredResource(
        resource=name,
        api_version=api_version,
        labels=labels,
        annotations=annotations,
        file=place[0],
        document=place[1],
        manifest=json.dumps(plain(tree), ensure_ascii=False, sort_keys=True),
        owner=told.owner,
        cost_center=told.cost_center,
        environment=told.environment,
        region=told.region,
        told_by=dict(told.by),
        cloud_ids=told.cloud_ids,
    )


def _texts(node: Node | None) -> dict[str, str]:
    return {key: text for key, value in mapping(node).items() if (text := text_of(value))}
