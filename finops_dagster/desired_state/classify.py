"""What a file that is not plain Kubernetes YAML is, and so why its values are not edited.

Only names and a glance at the content are used; nothing is rendered here.
"""

from __future__ import annotations

import posixpath
import re

from finops_dagster.desired_state.nodes import Node, mapping

_BY_SUFFIX = {
    ".tf": "Terraform: not yet",
    ".tfvars": "Terraform: not yet",
    ".tf.json": "Terraform: not yet",
    ".tfvars.json": "Terraform: not yet",
    ".hcl": "Terraform (HCL): not yet",
    ".bicep": "Bicep: not yet",
    ".jsonnet": "Jsonnet: not yet",
    ".libsonnet": "Jsonnet: not yet",
    ".cue": "CUE: not yet",
    ".tpl": "a Helm template: not yet",
    ".gotmpl": "a template: not yet",
}

_GENERATED = re.compile(
    rb"(?i)do not edit|code generated|@generated|(manifest|file) (was|is) (auto-?)?generated"
)

_IGNORED_NAMES = frozenset({"chart.yaml", "chart.lock", "package.json", "package-lock.json"})


def by_name(name: str, charts: frozenset[str]) -> str:
    """Why a file is refused by its path alone; empty if its content must be looked at.

    `charts`: folders that hold a Chart.yaml.
    """
    lower = name.lower()
    for suffix, reason in _BY_SUFFIX.items():
        if lower.endswith(suffix):
            return reason
    base = posixpath.basename(lower)
    if base.startswith("serverless.") and base.endswith((".yml", ".yaml", ".json")):
        return "a Serverless Framework service: not yet"
    for chart in charts:
        if not chart or name.startswith(f"{chart}/"):
            inside = name.removeprefix(f"{chart}/") if chart else name
            if inside.startswith("templates/"):
                return "a Helm template: not yet"
            if posixpath.basename(inside).lower().startswith("values"):
                return "Helm values: not yet"
    return ""


def by_content(name: str, document: Node) -> str:
    """Why a document that is not a Kubernetes object is refused; empty if it is none of ours."""
    content = mapping(document)
    base = posixpath.basename(name.lower())
    if "AWSTemplateFormatVersion" in content or "Transform" in content:
        return "a CloudFormation or SAM template: not yet"
    if "service" in content and "provider" in content:
        return "a Serverless Framework service: not yet"
    if "values" in base and base.endswith((".yaml", ".yml")):
        return "Helm values: not yet"
    hidden = any(part.startswith(".") for part in name.split("/"))
    if hidden or base.endswith(".json") or base in _IGNORED_NAMES:
        return ""
    return "not a Kubernetes manifest"


def by_head(data: bytes) -> str:
    """Why a manifest must not be edited by what its first lines say; empty if they say nothing."""
    comments = b"\n".join(line for line in data[:2000].split(b"\n")[:10] if line[:1] == b"#")
    return "its file says that it is generated" if _GENERATED.search(comments) else ""
