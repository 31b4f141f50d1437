"""What a file that is not plain Kubernetes YAML is, and so why its values are not edited.

Only names and a glance at the content are used; nothing is rendered here.
"""

from __future__ import annotations

import posixpath
import re

from finops_dagster.desired_state.nodes import Node, mapping, text_of

_BY_SUFFIX = {
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

_LFS = b"version https://git-lfs.github.com/spec/"
"""First line of a pointer file (git-lfs, docs/spec.md)."""


def by_name(name: str) -> str:
    """Why a file is refused by its path alone; empty if its content must be looked at."""
    lower = name.lower()
    for suffix, reason in _BY_SUFFIX.items():
        if lower.endswith(suffix):
            return reason
    return ""


def by_content(name: str, document: Node) -> str:
    """Why a document that is not a Kubernetes object is refused."""
    content = mapping(document)
    base = posixpath.basename(name.lower())
    if "values" in base and base.endswith((".yaml", ".yml")):
        return "Helm values that no release in this repository uses"
    if "deploymentTemplate.json" in (text_of(content.get("$schema")) or ""):
        return "an Azure Resource Manager template: not yet"
    if base.startswith("helmfile") or ("releases" in content and "repositories" in content):
        return "a Helmfile: not read"
    if any(part.startswith(".") for part in name.split("/")):
        return "settings of a tool, not a Kubernetes manifest"
    return "not a Kubernetes manifest: it has no apiVersion and kind"


def by_bytes(data: bytes) -> str:
    """Why a file is refused by what it starts with; empty if its content must be looked at."""
    if data.startswith(_LFS):
        return "a Git LFS pointer: the file itself is not in the repository, keep it in Git as text"
    return ""


def by_head(data: bytes) -> str:
    """Why a manifest must not be edited by what its first lines say; empty if they say nothing."""
    lines = data[:2000].split(b"\n")[:10]
    comments = b"\n".join(line for line in lines if line.startswith((b"#", b"//", b"/*")))
    return "its file says that it is generated" if _GENERATED.search(comments) else ""
