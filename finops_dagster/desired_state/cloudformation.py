"""CloudFormation and SAM templates as declared resources: parameters, Globals, intrinsic functions.

Nothing is deployed or expanded: what only CloudFormation knows keeps its text and is refused.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
    blocked,
    mapping,
    parse_file,
    plain,
    scalars,
    text_of,
)
from finops_dagster.desired_state.paths import leaves

_SAM = re.compile(r"AWS::Serverless-\d{4}-\d{2}-\d{2}\Z")
_HARMLESS = re.compile(r"AWS::(?:Serverless-\d{4}-\d{2}-\d{2}|LanguageExtensions)\Z")
"""Transforms that change no value which a template writes; macros may change any."""

_WHY = {
    "Fn::If": "a condition decides it",
    "Fn::FindInMap": "it is looked up in Mappings",
    "Fn::Sub": "Fn::Sub computes it",
    "Fn::Transform": "a macro makes it",
    "Fn::ImportValue": "another stack exports it",
    "Fn::GetAtt": "another resource has it, known only when deployed",
}

_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
"""Resources that are templates of their own -> where they say which."""

_OVERRIDES = (b"ParameterKey", b"parameter_overrides", b"ParameterOverrides")
"""Words of files that set parameters of a template from outside."""


@dataclass
class Template:
    """One template, and how its values are worked out."""

    file: str
    content: dict[str, Node]
    set_outside: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> why its default may not be its value."""

    def resources(self) -> Iterator[tuple[str, str, dict[str, Node]]]:
        """(logical id, type, the resource with what it inherits) of every resource."""
        for name, node in mapping(self.content.get("Resources")).items():
            type_ = text_of(mapping(node).get("Type"))
            if type_ is not None and not name.startswith("Fn::"):
                tree = mapping(self.value(self._inherited(mapping(node), type_)))
                macro = self._macro()
                if macro:
                    tree = mapping(blocked(tree, macro))
                yield name, type_, {**tree, "Type": blocked(tree["Type"], "it says what it is")}

    def loops(self) -> list[str]:
        """Names of Fn::ForEach loops, whose resources are not listed."""
        return [key for key in mapping(self.content.get("Resources")) if key.startswith("Fn::")]

    def value(self, node: Node) -> Node:
        """`node` with references to parameters followed, and what is computed refused."""
        if isinstance(node, Scalar):
            return node
        if isinstance(node, list):
            return [self.value(item) for item in node]
        function = intrinsic(node)
        if not function:
            return {key: self.value(value) for key, value in node.items()}
        (argument,) = node.values()
        if function == "Ref":
            return self._ref(node, text_of(argument) or "")
        return _unknown(node, _WHY.get(function, f"{function} computes it"), self.uses(argument))

    def uses(self, node: Node) -> frozenset[tuple[str, int]]:
        """(file, first byte) of the parameters' defaults that have a say in `node`."""
        names = set(_mentioned(node))
        found = (mapping(self._parameter(name)).get("Default") for name in names)
        return frozenset((one.file, one.start) for one in found if isinstance(one, Scalar))

    def _ref(self, node: Node, name: str) -> Node:
        parameter = self._parameter(name)
        if not parameter:
            return _unknown(node, f"it refers to {name}, known only when deployed")
        default = parameter.get("Default")
        if not isinstance(default, Scalar):
            return _unknown(node, f"parameter {name} has no default: who deploys it sets it")
        if name in self.set_outside:
            return _unknown(node, self.set_outside[name])
        if (text_of(parameter.get("Type")) or "").startswith("AWS::SSM::"):
            return _unknown(node, f"parameter {name} is read from the parameter store")
        return default

    def _parameter(self, name: str) -> dict[str, Node]:
        return mapping(mapping(self.content.get("Parameters")).get(name))

    def _inherited(self, resource: dict[str, Node], type_: str) -> dict[str, Node]:
        """With SAM's Globals below it: mappings merge, lists add, single values are overridden.

        https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
        """
        section = type_.removeprefix("AWS::Serverless::")
        shared = mapping(self.content.get("Globals")).get(section)
        if shared is None or section == type_:
            return resource
        return {**resource, "Properties": _over(shared, resource.get("Properties", {}))}

    def _macro(self) -> str:
        for name in _transforms(self.content):
            if not _HARMLESS.match(name):
                return f"the macro {name} may change it"
        return ""


def is_template(content: dict[str, Node]) -> bool:
    """Whether a document is a CloudFormation or SAM template."""
    resources = mapping(content.get("Resources"))
    return bool(
        "AWSTemplateFormatVersion" in content
        or _transforms(content)
        or (resources and all(
            (text_of(mapping(one).get("Type")) or "").startswith(("AWS::", "Custom::", "Alexa::"))
            for one in resources.values()
        ))
    )  # fmt: skip


def intrinsic(node: Node) -> str:
    """The long name of the intrinsic function that a mapping is; empty if it is none."""
    if not isinstance(node, dict) or len(node) != 1:
        return ""
    (key,) = node
    if key in ("!Ref", "!Condition"):
        return key[1:]
    if key.startswith("!"):
        return f"Fn::{key[1:]}"
    return key if key == "Ref" or key.startswith("Fn::") else ""


def read_templates(files: Mapping[str, bytes], found: Infrastructure) -> None:
    """Add to `found` what the templates among `files` declare."""
    templates: dict[str, Template] = {}
    for name, data in files.items():
        if not name.lower().endswith((".yaml", ".yml", ".json", ".template")):
            continue
        if b"AWS::" not in data and b"AWSTemplateFormatVersion" not in data:
            continue
        documents = parse_file(data, name, tagged=True).documents
        if len(documents) == 1 and is_template(mapping(documents[0])):
            templates[name] = Template(name, mapping(documents[0]))
    passed = dict(_nested(templates))
    for name, template in templates.items():
        found.claimed.add(name)
        template.set_outside = _set_outside(template, files, passed.get(name, ""))
        folder, base = posixpath.split(name)
        stem = base.rpartition(".")[0]
        place = folder if stem == "template" else posixpath.join(folder, stem)
        add_resources(template, place, found)


def add_resources(
    template: Template, place: str, found: Infrastructure, around: Around | None = None
) -> None:
    """Add the resources of one template; `place` becomes their namespace."""
    tool = next(filter(_SAM.match, _transforms(template.content)), "AWS::CloudFormation")
    for name, type_, tree in template.resources():
        declared = resource_name(type_, place, name)
        found.declared.append(
            Declaration(declared, tree, template.file, 0, tool, around or Around())
        )
    for loop in template.loops():
        found.refused[template.file, 0] = f"what {loop} makes is not listed: not yet"
    if not mapping(template.content.get("Resources")):
        found.refused[template.file, 0] = "a template that declares no resource"
    for section in ("Conditions", "Rules"):
        for path, scalar in leaves(template.content.get(section, {})):
            for file, start in template.uses({"Ref": scalar}):
                found.consumers.append((f"{section} of {template.file}", path, file, start))


def _over(shared: Node, own: Node) -> Node:
    if isinstance(shared, dict) and isinstance(own, dict):
        if intrinsic(shared) or intrinsic(own):
            return own
        merged = dict(shared)
        for key, value in own.items():
            merged[key] = _over(shared[key], value) if key in shared else value
        return merged
    if isinstance(shared, list) and isinstance(own, list):
        return [*shared, *own]
    return own


def _transforms(content: dict[str, Node]) -> list[str]:
    written = content.get("Transform")
    listed = written if isinstance(written, list) else [written] if written is not None else []
    return [text_of(one) or text_of(mapping(one).get("Name")) or "" for one in listed]


def _mentioned(node: Node) -> Iterator[str]:
    """Names that Ref and Fn::Sub inside `node` mention."""
    for scalar in scalars(node):
        yield scalar.text
        yield from re.findall(r"\$\{([A-Za-z0-9]+)", scalar.text)


def _unknown(node: Node, reason: str, uses: frozenset[tuple[str, int]] = frozenset()) -> Traced:
    first = next(scalars(node), None)
    text = json.dumps(plain(node), ensure_ascii=False)
    if first is None:
        return Traced(text, "str", "", 0, 0, 0, reason, uses, known=False)
    return Traced(
        text, "str", first.file, first.document, first.start, first.end, reason, uses, known=False
    )


def _nested(templates: Mapping[str, Template]) -> Iterator[tuple[str, str]]:
    """(template, why its parameters are set from outside) of those that others include."""
    for name, template in templates.items():
        for logical, node in mapping(template.content.get("Resources")).items():
            where = _NESTED.get(text_of(mapping(node).get("Type")) or "", "")
            path = text_of(mapping(mapping(node).get("Properties")).get(where))
            if path and "://" not in path:
                inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
                yield inside, f"{logical} in {name} may set it"


def _set_outside(template: Template, files: Mapping[str, bytes], parent: str) -> dict[str, str]:
    """Parameters that a parent template, samconfig.toml or a file of parameters may set."""
    names = list(mapping(template.content.get("Parameters")))
    if parent:
        return dict.fromkeys(names, parent)
    folder = posixpath.dirname(template.file)
    inside = f"{folder}/" if folder else ""
    found: dict[str, str] = {}
    for file, data in files.items():
        if file == template.file or not file.startswith(inside):
            continue
        if any(word in data for word in _OVERRIDES):
            for name in names:
                if re.search(rb"\b%s\b" % re.escape(name.encode()), data):
                    found[name] = f"{file} may set parameter {name}"
    return found
