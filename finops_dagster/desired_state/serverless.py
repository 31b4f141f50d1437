"""Serverless Framework services as declared resources: functions with what the provider adds.

CloudFormation inside a service is read as in cloudformation; variables are never resolved.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from finops_dagster.desired_state.cloudformation import Template, add_resources, intrinsic
from finops_dagster.desired_state.declaration import (
    Around,
    Declaration,
    Infrastructure,
    resource_name,
)
from finops_dagster.desired_state.nodes import (
    Node,
    Scalar,
    Traced,
    mapping,
    parse_file,
    scalars,
    text_of,
)
from finops_dagster.desired_state.ownership import pairs_of

KIND = "ServerlessFunction"
TOOL = "serverless"

_FILE = re.compile(r"(?:^|/)serverless\.(?:ya?ml|json)\Z", re.IGNORECASE)
_CODE = re.compile(r"(?:^|/)serverless\.(?:[cm]?js|ts)\Z", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{([^{}]*)")
_SELF = re.compile(r"\s*self:([\w.-]+)")

_INHERITED = ("runtime", "memorySize", "timeout", "architecture", "tracing", "logRetentionInDays",
              "vpc", "layers")  # fmt: skip
"""What a function has of its provider unless it says otherwise."""

_MERGED = ("environment", "tags", "labels")
"""What a function adds to its provider's.

https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml
"""


def read_services(
    files: Mapping[str, bytes], names: tuple[str, ...], found: Infrastructure
) -> None:
    """Add to `found` what the services among `files` declare; `names` has every file."""
    for name in names:
        if _CODE.search(name):
            found.claimed.add(name)
            found.refused[name, 0] = "a Serverless Framework service in code, which is not run"
    for name, data in files.items():
        named = bool(_FILE.search(name))
        if not named and not (
            name.lower().endswith((".yaml", ".yml")) and b"service" in data and b"functions" in data
        ):
            continue
        parsed = parse_file(data, name, tagged=True)
        content = mapping(parsed.documents[0]) if len(parsed.documents) == 1 else {}
        if named or {"service", "provider", "functions"} <= content.keys():
            found.claimed.add(name)
            if parsed.error:
                found.refused[name, 0] = parsed.error
            else:
                _service(name, content, found)


def _service(file: str, content: dict[str, Node], found: Infrastructure) -> None:
    provider = mapping(content.get("provider"))
    service = content.get("service")
    name = _plain(service) or _plain(mapping(service).get("name"))
    stage = _plain(provider.get("stage"))
    folder, base = posixpath.split(file)
    stem = base.rpartition(".")[0]
    place = folder if stem.lower() == "serverless" else posixpath.join(folder, stem)
    tags = {key: text for key, text in pairs_of(provider.get("stackTags")).items()
            if "${" not in text}  # fmt: skip
    around = Around(tags, _plain(provider.get("region")), stage)
    any_function = False
    for key, function in _functions(file, content.get("functions"), found):
        any_function = True
        tree = _resolved(_with_provider(function, provider), content)
        ids = [_plain(function.get("name")), key]
        if name and stage and _plain(provider.get("name")) == "aws":
            ids.append(f"{name}-{stage}-{key}")
        own = Around(around.tags, around.region, stage, tuple(filter(None, ids)))
        found.declared.append(
            Declaration(resource_name(KIND, place, key), tree, file, 0, TOOL, own)
        )
    for part in _parts(content.get("resources")):
        template = mapping(part)
        if mapping(template.get("Resources")):
            readable = mapping(_resolved(template, content))
            add_resources(Template(file, readable), place, found, around)
        elif isinstance(part, Scalar) and "${" in part.text:
            found.refused[file, 0] = f"the resources of {part.text} are not listed: not yet"
    if not any_function:
        found.refused.setdefault((file, 0), "a Serverless Framework service without functions")


def _functions(
    file: str, node: Node | None, found: Infrastructure
) -> Iterator[tuple[str, dict[str, Node]]]:
    """(key, function); functions of other files are refused."""
    for part in _parts(node):
        if isinstance(part, dict):
            for key, function in part.items():
                if isinstance(function, dict):
                    yield key, function
                elif function is not None:
                    found.refused[file, 0] = f"function {key} is written elsewhere: not yet"
        elif isinstance(part, Scalar):
            found.refused[file, 0] = f"the functions of {part.text} are not listed: not yet"


def _parts(node: Node | None) -> list[Node]:
    """What may be written once or as a list of parts."""
    if node is None:
        return []
    return node if isinstance(node, list) else [node]


def _with_provider(function: dict[str, Node], provider: dict[str, Node]) -> dict[str, Node]:
    inherited = {key: provider[key] for key in _INHERITED if key in provider}
    tree = {**inherited, **function}
    for key in _MERGED:
        if mapping(provider.get(key)) and isinstance(function.get(key, {}), dict):
            tree[key] = {**mapping(provider[key]), **mapping(function.get(key))}
    return tree


def _resolved(node: Node, content: dict[str, Node]) -> Node:
    """`node` with every value that holds a variable refused: who deploys it decides."""
    if isinstance(node, list):
        return [_resolved(item, content) for item in node]
    if isinstance(node, dict):
        if intrinsic(node) == "Fn::Sub":
            return node
        return {key: _resolved(value, content) for key, value in node.items()}
    match = _VARIABLE.search(node.text)
    if match is None:
        return node
    uses = frozenset(
        (scalar.file, scalar.start)
        for variable in _VARIABLE.finditer(node.text)
        for path in _SELF.findall(variable[1])
        for scalar in scalars(_at(content, path.split(".")))
    )
    reason = f"a variable (${{{match[1]}}}) decides it when the service is deployed"
    return Traced(
        node.text, node.kind, node.file, node.document, node.start, node.end, reason, uses,
        known=False,
    )  # fmt: skip


def _at(content: Node, steps: list[str]) -> Node:
    for step in steps:
        content = mapping(content).get(step, {})
    return content


def _plain(node: Node | None) -> str:
    """Text that holds no variable, else nothing."""
    text = text_of(node) or ""
    return "" if "${" in text else text
