"""METADATA annotations: what a rule is called, what it means, how to satisfy it.

Read once from the comments of the Rego files; nothing is evaluated here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

_PACKAGE = re.compile(r"^package\s+([A-Za-z_][\w.]*)", re.MULTILINE)
_START = re.compile(r"^#\s*METADATA\s*$")
JUDGES = frozenset({"proposal", "manifest"})


@dataclass(frozen=True)
class RuleMetadata:
    """One annotated rule. `judges` is what it has an opinion on: proposal, manifest or both."""

    id: str
    title: str
    description: str
    fix: str
    judges: tuple[str, ...]
    package: str
    file: str
    """Relative to the bundle."""
    line: int
    """1-based, of the annotation."""


def package_of(source: str) -> str:
    """The package that a Rego source declares; empty where it declares none."""
    found = _PACKAGE.search(source)
    return found.group(1) if found else ""


def read_metadata(file: str, source: str) -> list[RuleMetadata]:
    """Every METADATA block with a custom.id in `source`, in order.

    Form: https://www.openpolicyagent.org/docs/policy-language#metadata. Raises ValueError naming
    the line of a block that is not YAML or lacks title, description, custom.fix or custom.judges.
    """
    found = []
    lines = source.splitlines()
    for number, line in enumerate(lines, start=1):
        if not _START.match(line):
            continue
        block = []
        for comment in lines[number:]:
            if not comment.startswith("#"):
                break
            block.append(comment[1:].removeprefix(" "))
        found.append(_parse(file, number, package_of(source), "\n".join(block)))
    return [rule for rule in found if rule is not None]


def _parse(file: str, line: int, package: str, block: str) -> RuleMetadata | None:
    try:
        content = YAML(typ="safe", pure=True).load(block)
    except YAMLError as error:
        raise ValueError(f"line {line}: METADATA is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"line {line}: METADATA is not a mapping")
    custom = content.get("custom")
    if not isinstance(custom, dict) or "id" not in custom:
        return None
    texts = {
        "title": content.get("title"),
        "description": content.get("description"),
        "custom.id": custom["id"],
        "custom.fix": custom.get("fix"),
    }
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"line {line}: METADATA lacks {name}")
    judges = custom.get("judges")
    if not isinstance(judges, list) or not judges or not set(judges) <= JUDGES:
        raise ValueError(f"line {line}: custom.judges lists proposal, manifest or both")
    return RuleMetadata(
        id=custom["id"].strip(),
        title=content["title"].strip(),
        description=content["description"].strip(),
        fix=custom["fix"].strip(),
        judges=tuple(judges),
        package=package,
        file=file,
        line=line,
    )
