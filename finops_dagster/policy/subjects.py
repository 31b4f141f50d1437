"""What is judged of a file: manifests as overlays leave them, and what other tools declare.

Each becomes the input documents that judges are asked about. Nothing is read or judged here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.ids import ResourceName
from finops_dagster.policy.functions import UNKNOWN, function_form
from finops_dagster.policy.inputs import SCHEMA, manifest_input, mapping
from finops_dagster.policy.verdicts import clean

_TAG_FIELDS = (("tags",), ("labels",), ("user_labels",), ("tag",), ("Properties", "Tags"))
"""Where tools other than Kubernetes write tags."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Refused(_Frozen):
    """What was not judged, and why."""

    file: str
    reason: str
    document: int | None = None
    """0-based, where it is one document of several."""


class PassedOver(_Frozen):
    """A resource that a plan leaves as it is, or takes away: there is nothing to judge."""

    file: str
    resource: str
    reason: str


@dataclass(frozen=True)
class Subject:
    """One resource to judge, with its place."""

    file: str
    document: int
    line: int
    resource: str
    """KIND/NAMESPACE/NAME, as inert text."""
    part: int = 0
    """Of several in one document, from 0."""
    manifests: tuple[dict[str, Any], ...] = ()
    """Of Kubernetes: with what overlays add, once for each that adds something else."""
    declared: dict[str, Any] | None = None
    """Of another tool: the resource as the input document has it."""
    action: str = ""
    """What a plan does to it."""
    unknown: tuple[str, ...] = ()
    """Paths of values that nobody knows before it is deployed."""
    tags_unknown: bool = False
    """Some of its tags are such a value, their keys included."""

    @property
    def name(self) -> str:
        """FILE#DOCUMENT, and the part where there are several."""
        return f"{self.file}#{self.document}" + (f".{self.part}" if self.part else "")

    def inputs(
        self, namespaces: Mapping[str, Mapping[str, str]], wanted: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The documents judges are asked about.

        `namespaces`: labels of the namespaces that are declared beside it; `wanted`: label keys
        that count as unknown, not as missing, where its tags are unknown.
        """
        if self.declared is None:
            return [
                manifest_input(manifest, self.name, "", namespaces.get(_namespace(manifest), {}))
                for manifest in self.manifests
            ]
        resource = self.declared
        if self.tags_unknown:
            resource = resource | {"labels": dict.fromkeys(wanted, UNKNOWN) | resource["labels"]}
        function = function_form(resource)
        if function is None:
            return [_document(resource, self.name)]
        plain_form = _document(
            resource | {"kind": function["kind"], "manifest": function}, self.name
        )
        own_kind = resource["kind"] == function["kind"]
        return [plain_form] if own_kind else [_document(resource, self.name), plain_form]


@dataclass(frozen=True)
class Declared:
    """What a reader of Terraform, CloudFormation and the like made of files."""

    resources: Mapping[Path, Sequence[tuple[DeclaredResource, int, tuple[str, ...]]]] = field(
        default_factory=dict
    )
    """File, resolved -> (resource, its first line from 1, paths of values that are unknown)."""
    refused: Mapping[Path, str] = field(default_factory=dict)
    """File, resolved -> why some of it is not read."""
    claimed: frozenset[Path] = frozenset()
    """Files, resolved, that are no manifests."""


def subject_of(
    resource: DeclaredResource, file: str, line: int = 1, unknown: tuple[str, ...] = ()
) -> Subject | Refused:
    """A resource of the desired state as a subject; refused where its manifest is no JSON."""
    try:
        manifest = json.loads(resource.manifest)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        return Refused(file=file, document=resource.document, reason="its manifest is no JSON")
    if isinstance(manifest.get("kind"), str) and "apiVersion" in manifest:
        return Subject(
            file, resource.document, line, resource_name(manifest), manifests=(manifest,)
        )
    name = ResourceName.parse(resource.resource)
    labels = dict(resource.labels)
    if resource.environment and not {"environment", "env"} & {key.lower() for key in labels}:
        labels["environment"] = resource.environment
    return declared_subject(
        {
            "kind": name.kind,
            "namespace": name.namespace,
            "name": name.name,
            "api_version": resource.api_version,
            "labels": labels,
            "region": resource.region or "",
            "manifest": manifest,
        },
        file,
        line,
        document=resource.document,
        unknown=unknown,
    )


def declared_subject(
    resource: dict[str, Any],
    file: str,
    line: int = 1,
    *,
    document: int = 0,
    part: int = 0,
    action: str = "",
    unknown: tuple[str, ...] = (),
) -> Subject:
    """A resource that is no Kubernetes object: kind, namespace, name, api_version, labels, region
    and manifest, its attributes. Tags of it whose values are unknown count as unknown.
    """
    labels, whole = _tags(resource["manifest"], unknown)
    labels |= {key: value for key, value in resource["labels"].items() if isinstance(value, str)}
    name = f"{resource['kind']}/{resource['namespace']}/{resource['name']}"
    return Subject(
        file=file,
        document=document,
        part=part,
        line=line,
        resource=clean(name),
        declared=resource
        | {"labels": labels, "annotations": {}, "namespace_labels": {}, "changed": False},
        action=action,
        unknown=unknown,
        tags_unknown=whole,
    )


def resource_name(content: Mapping[str, Any]) -> str:
    """KIND/NAMESPACE/NAME of a manifest, whatever it lacks, as inert text."""
    meta = mapping(content.get("metadata"))
    name = meta.get("name") or meta.get("generateName") or ""
    parts = (content.get("kind"), meta.get("namespace"), name)
    return "/".join(clean(part) if isinstance(part, str) else "" for part in parts)


def _tags(manifest: Mapping[str, Any], unknown: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Keys of tags whose values are unknown, and whether there are some with unknown keys."""
    found: dict[str, str] = {}
    whole = False
    for path in _TAG_FIELDS:
        name = ".".join(path)
        if name in unknown or any(path.startswith(f'{name}["(') for path in unknown):
            whole = True
        node: Any = manifest
        for step in path:
            node = mapping(node).get(step)
        for key in mapping(node):
            if f"{name}.{key}" in unknown or f'{name}["{key}"]' in unknown:
                found[key] = UNKNOWN
    return found, whole


def _namespace(manifest: Mapping[str, Any]) -> str:
    namespace = mapping(manifest.get("metadata")).get("namespace")
    return namespace if isinstance(namespace, str) else ""


def _document(resource: Mapping[str, Any], subject: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "subject": subject,
        "environment": "",
        "resource": dict(resource),
        "context": {},
    }
